"""estimate: the accuracy to expect on new texts without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from ranklet.classifier import TextClassifier
from ranklet.data.shifts import SHIFTS
from ranklet.data.sources import stream_texts
from ranklet.encoder.precision import Device, Precision, prepare_memory
from ranklet.errors import AdapterError, DataError, RunError
from ranklet.evaluation.calibration import fit_temperature
from ranklet.evaluation.estimate import Estimate
from ranklet.evaluation.metrics import share_with_interval
from ranklet.evaluation.shift_aware import Answered, Expected, Shifted, expect, remoteness
from ranklet.evaluation.unlabelled import agreement
from ranklet.problem import MultiLabel
from ranklet.recipe import load_recipe
from ranklet.run import Run, open_run
from ranklet.workflows.evaluate import read_labelled, run_columns, run_data
from ranklet.workflows.load import is_run, load
from ranklet.workflows.own_validation import REMEDY, own_validation
from ranklet.workflows.predict import CHUNK_TEXTS
from ranklet.workflows.read_splits import EncodedSplit

# Kinds of shift and their strengths, which the estimate is fitted on.
FITTED = {
    "typos": (0.3, 0.6, 1.0),
    "word_drops": (0.2, 0.4, 0.7),
    "truncation": (0.3, 0.6, 0.85),
    "entities": (0.2, 0.6),
    "reverse": (1.0,),
    "upper": (1.0,),
}
FEWEST_KNOWN = 2
MOST_KNOWN = 2_000
MOST_SHIFTED = 3_000
AGREEMENT = "agreement of the runs"


def estimate(
    path: str | Path,
    data: str | Path,
    *,
    others: Sequence[str | Path] = (),
    validation: str | None = None,
    text_column: str | Sequence[str] | None = None,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    seed: int = 0,
    observe: Callable[[str], None] = lambda line: None,
) -> Estimate:
    """Estimate the accuracy of a classifier on texts without labels.

    The classifier is asked about the new texts, about texts with labels that it was not trained on,
    and about copies of these that were shifted on purpose: up to 5,000 texts beside the new ones.

    Args:
        path: A run, or an adapter folder.
        data: New texts: csv, tsv, jsonl, parquet, or txt with one text a line. Labels are ignored.
        others: Runs of the same recipe with other seeds. All are about as accurate, so the mean of
            their estimates is nearer the truth; and their agreement is told.
        validation: Labelled texts that it was not trained on, with the columns of the run; None:
            the validation texts of each run, found again by its recipe.
        text_column: Column of the text in `data`, or several; None: as in the run, else `text`.
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for an adapter that carries none.
        device: Where it computes.
        precision: Compute dtype of the frozen weights.
        seed: Draws the known texts that are shifted, and the shifts.
        observe: Receives a line at each long stage.

    Returns:
        The accuracy to expect, with its 95 % interval and a warning where the texts are too far
        from everything that the estimate was fitted on.

    Raises:
        DataError: The texts cannot be read, there are none, or the validation texts of the run are
            too few or not to be found again.
        AdapterError: The classifier gives several labels to a text.
        RunError: The others differ from the run by more than their seed, or a bare adapter has no
            validation texts.
        RankletError: A classifier cannot be loaded.
    """
    source, runs = Path(data), [Path(run) for run in (path, *others)]
    if others:
        _check_seeds_alone(runs)
    column = text_column or run_columns(run_data(runs[0])).text
    texts = [text for _, text in stream_texts(source, column)]
    if not texts:
        raise DataError("holds no texts", str(source))
    prepare_memory()
    judged = list[Judged]()
    for run in runs:
        model = load(
            run,
            encoder=encoder,
            labels=label_names,
            device=device,
            precision=precision,
            merge=True,
        )
        if isinstance(model.problem, MultiLabel):
            raise AdapterError(
                f"{run}: gives a text several labels; accuracy is estimated for one label a text"
            )
        known = _known(run, model, validation, label_names)
        judged.append(_judge(model, known, texts, seed, observe))
    return _together(judged, len(texts))


@dataclass(frozen=True, eq=False)
class Judged:
    """What one classifier is expected to do.

    Attributes:
        expected: Its accuracy on the new texts.
        hits: Known texts that it labels right.
        known: How many there are.
        predicted: (n,) int64 its label of each new text.
    """

    expected: Expected
    hits: int
    known: int
    predicted: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Asked:
    """What a classifier computes of some texts.

    Attributes:
        logits: (n, classes) float32.
        states: (n, hidden) float32, what its last map reads; the mean over the windows of a text.
    """

    logits: NDArray[np.float32]
    states: NDArray[np.float32]


def _judge(
    model: TextClassifier,
    known: EncodedSplit,
    texts: Sequence[str],
    seed: int,
    observe: Callable[[str], None],
) -> Judged:
    generator = np.random.default_rng(seed)
    rows = _drawn(len(known.texts), MOST_KNOWN, generator)
    labels = known.labels[rows]
    old = [known.texts[row] for row in rows.tolist()]
    observe(f"asking about {len(old):,} texts with known labels")
    base = _ask(model, old)
    temperature = fit_temperature(base.logits, labels)

    def answered(asked: Asked, own: NDArray[np.int64] | None = None) -> Answered:
        probabilities = softmax(asked.logits.astype(np.float64) / temperature, axis=1)
        return Answered(probabilities, remoteness(base.states, asked.states, own))

    ways = [(kind, strength) for kind, strengths in FITTED.items() for strength in strengths]
    chosen = _drawn(len(old), MOST_SHIFTED // len(ways), generator)
    shifted = list[Shifted]()
    for kind, strength in ways:
        observe(f"asking about {len(chosen):,} of them, {kind.replace('_', ' ')} {strength:g}")
        changed = SHIFTS[kind]([old[row] for row in chosen.tolist()], strength, seed)
        shifted.append(Shifted(kind, chosen, answered(_ask(model, changed), chosen)))
    parts = list[Answered]()
    for start in range(0, len(texts), CHUNK_TEXTS):
        observe(f"asking about new texts: {start:,} of {len(texts):,} done")
        parts.append(answered(_ask(model, texts[start : start + CHUNK_TEXTS])))
    new = Answered(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.remoteness for part in parts]),
    )
    home = answered(base, np.arange(len(old)))
    hits = int((base.logits.argmax(1) == labels).sum())
    expected = expect(home, labels, shifted, new, seed)
    return Judged(expected, hits, len(old), new.probabilities.argmax(1))


def _ask(model: TextClassifier, texts: Sequence[str]) -> Asked:
    corpus = model.corpus(texts)
    states = model.predict_features(corpus, np.arange(len(corpus)))
    last = model.last_module.last_map
    with torch.inference_mode():
        logits = last(states.to(last.weight.device)).cpu()
    if corpus.text_starts is None:
        return Asked(logits.numpy(), states.numpy())
    windows = np.diff(corpus.text_starts)
    sums = np.add.reduceat(states.numpy(), corpus.text_starts[:-1])
    return Asked(model.per_text(logits, corpus.text_starts).numpy(), sums / windows[:, None])


def _together(judged: Sequence[Judged], rows: int) -> Estimate:
    """Average what is expected of several runs; with one, say it."""
    every = [each.expected for each in judged]
    names = every[0].estimators
    by_name = {name: fmean(each.estimators[name] for each in every) for name in names}
    if len(judged) > 1:
        by_name[AGREEMENT] = agreement(np.stack([each.predicted for each in judged]))
    known = sum(each.known for each in judged)
    return Estimate(
        accuracy=fmean(each.accuracy for each in every),
        interval=(
            fmean(each.interval[0] for each in every),
            fmean(each.interval[1] for each in every),
        ),
        rows=rows,
        validation=share_with_interval(sum(each.hits for each in judged), known),
        validation_rows=known,
        estimators=by_name,
        warning=next((each.warning for each in every if each.warning is not None), None),
    )


def _check_seeds_alone(runs: Sequence[Path]) -> None:
    recipes = [load_recipe(open_run(run).recipe).model_copy(update={"seed": 0}) for run in runs]
    for run, recipe in zip(runs[1:], recipes[1:], strict=True):
        if recipe != recipes[0]:
            raise RunError(
                f"{run}: differs from {runs[0]} by more than its seed; estimate each by itself"
            )


def _known(
    run: Path, model: TextClassifier, validation: str | None, label_names: Sequence[str] | None
) -> EncodedSplit:
    if validation is not None:
        known = read_labelled(
            validation,
            "validation",
            model.labels,
            run_data(run),
            label_names=label_names,
            problem_type=model.problem.problem_type,
        )
    elif is_run(run):
        known = own_validation(Run(run))
    else:
        raise RunError(f"{run}: is no run, which would have validation texts; {REMEDY}")
    if len(known.texts) < FEWEST_KNOWN:
        raise DataError(
            f"holds {len(known.texts)} texts, and {FEWEST_KNOWN} are needed to estimate from; "
            f"{REMEDY}",
            known.source,
        )
    return known


def _drawn(count: int, most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    if count <= most:
        return np.arange(count)
    return np.sort(generator.choice(count, most, replace=False))
