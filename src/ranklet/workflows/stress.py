"""What typos, capitals, cut texts and other shifts do to a trained classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ranklet.classifier import ClassifierNetwork
from ranklet.data.hints import listed, nearest
from ranklet.data.perturbations import PERTURBATIONS, perturb, reverse_parts
from ranklet.data.reading.columns import AS_IN_RUN, Columns
from ranklet.data.reading.memory import Data, RowsInMemory
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_column
from ranklet.data.texts import Text
from ranklet.data.tokens.sampling import draw_rows
from ranklet.encoder.precision import prepare_memory
from ranklet.errors import DataError
from ranklet.evaluation.answers import Answers, answer, predictions_of
from ranklet.evaluation.stress import Stress, accuracy_of, stress_point, sureness_of
from ranklet.files import make_folder
from ranklet.json_values import to_values
from ranklet.problem import SingleLabel
from ranklet.run.certificate import certify_file, renew_manifest
from ranklet.run.folder import Run, write_json
from ranklet.run.model_source import Model, run_of
from ranklet.run.report import write_run_report
from ranklet.workflows.from_recipe.labelled_texts import (
    data_or_own_test,
    read_labelled,
    reading_as_run,
)
from ranklet.workflows.load import loaded

STRENGTHS = (0.1, 0.25, 0.5, 1.0)
ROWS = 1_000


def stress(
    model: Model,
    data: Data | None = None,
    *,
    columns: Columns = AS_IN_RUN,
    kinds: Sequence[str] | None = None,
    strengths: Sequence[float] = STRENGTHS,
    rows: int = ROWS,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> Stress:
    """Measure a trained classifier on shifted texts, each shift on the same rows.

    The texts are shifted as they stand in the source, then cleaned as the classifier cleans.
    A run keeps what was found: `evaluation/stress.json`, certified, and a figure and a section of
    its report. A bare adapter is measured alike, and nothing is written.

    Args:
        model: A run, an adapter folder, a `ModelSource`, or a loaded classifier.
        data: File, named set or hub data set with labels, or texts and labels in memory; None: the
            test data of the run.
        columns: Where texts and labels stand in a file or table.
        kinds: Names out of `PERTURBATIONS`; None: all. `reverse` joins several text columns
            backwards; of one column it puts the beginning at the end.
        strengths: Each above 0 and at most 1; what they mean is said at each shift.
        rows: Texts drawn from the data; where it holds fewer, all of them.
        seed: Decides which rows are drawn, and what the shifts change.
        report: Receives a line after each kind.

    Returns:
        Accuracy, paired difference to the clean texts, flips and confidence for every kind and
        strength.

    Raises:
        DataError: No data is named, it cannot be used, or there is no such kind, strength or number
            of rows.
        RunError: The run cannot be written.
        RankletError: The classifier cannot be loaded.
    """
    names, levels = _kinds(kinds), _strengths(strengths)
    if rows < 1:
        raise DataError(f"{rows} is too few; draw at least 1", "rows")
    run = run_of(model)
    source, name = data_or_own_test(model, data)
    prepare_memory()
    network = loaded(model, merge=True).network
    test = read_labelled(source, "test", model, network, columns)
    drawn = draw_rows(len(test.texts), rows, np.random.default_rng(seed)).tolist()
    texts, labels = [test.texts[row] for row in drawn], test.labels[drawn]
    parts = _parts(source, reading_as_run(model, columns), drawn)

    answers = answer(network, texts, network.corpus(texts, labels))
    clean = predictions_of(network, answers)
    points = []
    for kind in names:
        for strength in levels:
            if kind == "reverse" and parts is not None:
                perturbed: list[Text] = [*reverse_parts(parts, strength, seed)]
            else:
                perturbed = perturb(kind, texts, strength, seed)
            changed, after = _answer_changed(network, answers, perturbed)
            point = stress_point(kind, strength, changed, clean, predictions_of(network, after))
            points.append(point)
            report(f"{kind} {strength:g}: {point.accuracy.value:.4f}")
    stressed = Stress(
        source=name,
        rows=len(texts),
        of_rows=len(test.texts),
        seed=seed,
        accuracy_name="accuracy" if isinstance(network.problem, SingleLabel) else "exact match",
        accuracy=accuracy_of(clean),
        sureness=sureness_of(clean),
        points=tuple(points),
    )
    if run is not None:
        _write(run, stressed)
    return stressed


def _kinds(kinds: Sequence[str] | None) -> tuple[str, ...]:
    for kind in kinds or ():
        if kind not in PERTURBATIONS:
            near = nearest(kind, tuple(PERTURBATIONS))
            raise DataError(
                f"unknown kind {kind!r}; allowed are {listed(tuple(PERTURBATIONS))}{near}", "kinds"
            )
    return tuple(dict.fromkeys(kinds or PERTURBATIONS))


def _strengths(strengths: Sequence[float]) -> tuple[float, ...]:
    wrong = [strength for strength in strengths if not 0 < strength <= 1]
    if wrong or not strengths:
        message = f"{wrong[0]:g} is no strength" if wrong else "there is none"
        raise DataError(f"{message}; give numbers above 0 and at most 1", "strengths")
    return tuple(sorted(set(strengths)))


def _parts(
    source: str | RowsInMemory, settings: ReadingSettings, drawn: Sequence[int]
) -> list[tuple[str, ...]] | None:
    """Read the cells that the drawn texts are joined from; None where they are not joined."""
    columns, dialect = settings.text_column, settings.dialect
    if settings.pair or isinstance(columns, str) or len(columns) < 2:
        return None
    cells = [read_column(source, "test", column, dialect) for column in columns]
    return [tuple(column[row] for column in cells) for row in drawn]


def _answer_changed(
    network: ClassifierNetwork, clean: Answers, texts: Sequence[Text]
) -> tuple[int, Answers]:
    """Ask about the texts that are others than before; return how many, and all answers."""
    pairs = enumerate(zip(clean.texts, texts, strict=True))
    places = [place for place, (before, after) in pairs if before != after]
    logits = clean.logits.clone()
    if places:
        changed = network.corpus([texts[place] for place in places])
        logits[places] = network.predict_logits(changed)
    return len(places), replace(clean, texts=texts, logits=logits)


def _write(run: Run, stressed: Stress) -> None:
    make_folder(run.evaluation)  # a shrunk run may have none
    write_json(run.stress, to_values(stressed))
    certify_file(run, run.stress)
    if run.metrics.is_file():  # a shrunk run has no records, and so no report
        write_run_report(run)
        renew_manifest(run)
