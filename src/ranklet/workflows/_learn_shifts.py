"""What a classifier says of texts with labels, shifted or not, then of new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ranklet.classifier import TextClassifier
from ranklet.data.encoded_splits import EncodedSplit
from ranklet.data.perturbations import SHIFTS
from ranklet.data.tokens.sampling import draw_rows
from ranklet.evaluation.calibration import fit_temperature
from ranklet.evaluation.unlabelled.from_shifts import ExpectedAccuracy, expect
from ranklet.evaluation.unlabelled.out_of_range import ModelOutputs, PerturbedOutputs, remoteness
from ranklet.workflows.predict import CHUNK_TEXTS

# Kinds of shift and their strengths, which the estimate is fitted on.
FITTED = {
    "typos": (0.3, 0.6, 1.0),
    "word_drops": (0.2, 0.4, 0.7),
    "truncation": (0.3, 0.6, 0.85),
    "entities": (0.2, 0.6),
    "reverse": (1.0,),
    "upper": (1.0,),
}
MOST_KNOWN = 2_000
MOST_SHIFTED = 3_000


@dataclass(frozen=True, eq=False)
class LogitsAndStates:
    """What a classifier computes of some texts.

    Attributes:
        logits: (n, classes) float32.
        states: (n, hidden) float32, what its last map reads; the mean over the windows of a text.
    """

    logits: NDArray[np.float32]
    states: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Basis:
    """What an estimate for new texts builds on.

    Attributes:
        labels: (k,) int64 class indices of the known texts.
        temperature: What logits are divided by, fitted to the known texts.
        asked: What the classifier computes of them.
        shifted: What it says of some of them, shifted.
        seed: Draws what is drawn.
    """

    labels: NDArray[np.int64]
    temperature: float
    asked: LogitsAndStates
    shifted: tuple[PerturbedOutputs, ...]
    seed: int


@dataclass(frozen=True, eq=False)
class EstimatedOutputs:
    """What a classifier is expected to do.

    Attributes:
        expected: Its accuracy on the new texts.
        hits: Known texts that it labels right.
        known: How many there are.
        predicted: (n,) int64 its label of each new text.
    """

    expected: ExpectedAccuracy
    hits: int
    known: int
    predicted: NDArray[np.int64]


def learn_shifts(
    model: TextClassifier, known: EncodedSplit, seed: int, observe: Callable[[str], None]
) -> Basis:
    """Ask a classifier about texts with labels, and about shifted copies of them.

    Args:
        model: The classifier; gives one label a text.
        known: Texts that it was not trained on; 2,000 are drawn where there are more, and so many
            of these are shifted that all shifts together have 3,000 texts.
        seed: Draws the texts and the shifts.
        observe: Receives a line at each stage.
    """
    generator = np.random.default_rng(seed)
    rows = draw_rows(len(known.texts), MOST_KNOWN, generator)
    labels, texts = known.labels[rows], [known.texts[row] for row in rows.tolist()]
    observe(f"asking about {len(texts):,} texts with known labels")
    asked = _ask(model, texts)
    temperature = fit_temperature(asked.logits, labels)
    ways = [(kind, strength) for kind, strengths in FITTED.items() for strength in strengths]
    chosen = draw_rows(len(texts), MOST_SHIFTED // len(ways), generator)
    shifted = list[PerturbedOutputs]()
    for kind, strength in ways:
        observe(f"asking about {len(chosen):,} of them, {kind.replace('_', ' ')} {strength:g}")
        changed = SHIFTS[kind]([texts[row] for row in chosen.tolist()], strength, seed)
        answers = _answered(_ask(model, changed), temperature, asked, chosen)
        shifted.append(PerturbedOutputs(kind, chosen, answers))
    return Basis(labels, temperature, asked, tuple(shifted), seed)


def judge_new(
    model: TextClassifier, basis: Basis, texts: Sequence[str], observe: Callable[[str], None]
) -> EstimatedOutputs:
    """Ask a classifier about new texts, and estimate how many of them it labels right.

    Args:
        model: The classifier.
        basis: What it says of texts with labels.
        texts: New texts, one at least.
        observe: Receives a line for every 1,024 texts.
    """
    parts = list[ModelOutputs]()
    for start in range(0, len(texts), CHUNK_TEXTS):
        observe(f"asking about new texts: {start:,} of {len(texts):,} done")
        asked = _ask(model, texts[start : start + CHUNK_TEXTS])
        parts.append(_answered(asked, basis.temperature, basis.asked))
    new = ModelOutputs(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.remoteness for part in parts]),
    )
    own = np.arange(len(basis.labels))
    known = _answered(basis.asked, basis.temperature, basis.asked, own)
    return EstimatedOutputs(
        expected=expect(known, basis.labels, basis.shifted, new, basis.seed),
        hits=int((basis.asked.logits.argmax(1) == basis.labels).sum()),
        known=len(basis.labels),
        predicted=new.probabilities.argmax(1),
    )


def _answered(
    asked: LogitsAndStates,
    temperature: float,
    known: LogitsAndStates,
    own: NDArray[np.int64] | None = None,
) -> ModelOutputs:
    from scipy.special import softmax

    probabilities = softmax(asked.logits.astype(np.float64) / temperature, axis=1)
    return ModelOutputs(probabilities, remoteness(known.states, asked.states, own))


def _ask(model: TextClassifier, texts: Sequence[str]) -> LogitsAndStates:
    corpus = model.corpus(texts)
    states = model.predict_features(corpus, np.arange(len(corpus)))
    last = model.last_module.last_map
    with torch.inference_mode():
        logits = last(states.to(last.weight.device)).cpu()
    if corpus.text_starts is None:
        return LogitsAndStates(logits.numpy(), states.numpy())
    windows = np.diff(corpus.text_starts)
    sums = np.add.reduceat(states.numpy(), corpus.text_starts[:-1])
    means = (sums / windows[:, None]).astype(np.float32)
    return LogitsAndStates(model.per_text(logits, corpus.text_starts).numpy(), means)
