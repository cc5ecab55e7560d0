"""What a classifier says of texts with labels, shifted or not, then of new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ranklet.classifier import CHUNK_TEXTS, ClassifierNetwork
from ranklet.data.encoded_splits import EncodedSplit
from ranklet.data.perturbations import perturb
from ranklet.data.texts import Text
from ranklet.data.tokens.sampling import draw_rows
from ranklet.evaluation.calibration import fit_temperature
from ranklet.evaluation.unlabelled.from_shifts import ExpectedAccuracy, expect
from ranklet.evaluation.unlabelled.out_of_range import ModelOutputs, PerturbedOutputs, remoteness

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
        outputs: What the classifier computes of them.
        perturbed: What it says of some of them, shifted.
        seed: Draws what is drawn.
    """

    labels: NDArray[np.int64]
    temperature: float
    outputs: LogitsAndStates
    perturbed: tuple[PerturbedOutputs, ...]
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
    network: ClassifierNetwork, known: EncodedSplit, seed: int, report: Callable[[str], None]
) -> Basis:
    """Ask a classifier about texts with labels, and about shifted copies of them.

    Args:
        network: The classifier; gives one label a text.
        known: Texts that it was not trained on; 2,000 are drawn where there are more, and so many
            of these are shifted that all shifts together have 3,000 texts.
        seed: Draws the texts and the shifts.
        report: Receives a line at each stage.
    """
    generator = np.random.default_rng(seed)
    rows = draw_rows(len(known.texts), MOST_KNOWN, generator)
    labels, texts = known.labels[rows], [known.texts[row] for row in rows.tolist()]
    report(f"asking about {len(texts):,} texts with known labels")
    outputs = _compute(network, texts)
    temperature = fit_temperature(outputs.logits, labels)
    ways = [(kind, strength) for kind, strengths in FITTED.items() for strength in strengths]
    drawn = draw_rows(len(texts), MOST_SHIFTED // len(ways), generator)
    perturbed = list[PerturbedOutputs]()
    for kind, strength in ways:
        report(f"asking about {len(drawn):,} of them, {kind.replace('_', ' ')} {strength:g}")
        changed = perturb(kind, [texts[row] for row in drawn.tolist()], strength, seed)
        answers = _probabilities(_compute(network, changed), temperature, outputs, drawn)
        perturbed.append(PerturbedOutputs(kind, drawn, answers))
    return Basis(labels, temperature, outputs, tuple(perturbed), seed)


def expect_on_new(
    network: ClassifierNetwork, basis: Basis, texts: Sequence[Text], report: Callable[[str], None]
) -> EstimatedOutputs:
    """Ask a classifier about new texts, and estimate how many of them it labels right.

    Args:
        network: The classifier.
        basis: What it says of texts with labels.
        texts: New texts, one at least.
        report: Receives a line for every 1,024 texts.
    """
    parts = list[ModelOutputs]()
    for start in range(0, len(texts), CHUNK_TEXTS):
        report(f"asking about new texts: {start:,} of {len(texts):,} done")
        outputs = _compute(network, texts[start : start + CHUNK_TEXTS])
        parts.append(_probabilities(outputs, basis.temperature, basis.outputs))
    new = ModelOutputs(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.remoteness for part in parts]),
    )
    own = np.arange(len(basis.labels))
    labelled = _probabilities(basis.outputs, basis.temperature, basis.outputs, own)
    return EstimatedOutputs(
        expected=expect(labelled, basis.labels, basis.perturbed, new, basis.seed),
        hits=int((basis.outputs.logits.argmax(1) == basis.labels).sum()),
        known=len(basis.labels),
        predicted=new.probabilities.argmax(1),
    )


def _probabilities(
    outputs: LogitsAndStates,
    temperature: float,
    known: LogitsAndStates,
    own: NDArray[np.int64] | None = None,
) -> ModelOutputs:
    from scipy.special import softmax

    probabilities = softmax(outputs.logits.astype(np.float64) / temperature, axis=1)
    return ModelOutputs(probabilities, remoteness(known.states, outputs.states, own))


def _compute(network: ClassifierNetwork, texts: Sequence[Text]) -> LogitsAndStates:
    corpus = network.corpus(texts)
    states = network.predict_features(corpus, np.arange(len(corpus)))
    last = network.last_module.last_map
    with torch.inference_mode():
        logits = last(states.to(last.weight.device)).cpu()
    if corpus.text_starts is None:
        return LogitsAndStates(logits.numpy(), states.numpy())
    windows = np.diff(corpus.text_starts)
    sums = np.add.reduceat(states.numpy(), corpus.text_starts[:-1])
    means = (sums / windows[:, None]).astype(np.float32)
    return LogitsAndStates(network.per_text(logits, corpus.text_starts).numpy(), means)
