"""What a classifier says of texts with labels, shifted or not, then of new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ranklet.classifier import CHUNK_TEXTS, ClassifierNetwork
from ranklet.data.encoded_splits import EncodedSplit
from ranklet.data.perturbations import perturb
from ranklet.data.texts import Text, in_one
from ranklet.data.tokens.sampling import draw_rows
from ranklet.evaluation.calibration import fit_temperature
from ranklet.evaluation.unlabelled.from_shifts import ExpectedAccuracy, expect
from ranklet.evaluation.unlabelled.source import (
    ModelOutputs,
    PerturbedOutputs,
    is_other_source,
    separate,
    source_in_words,
)
from ranklet.evaluation.unlabelled.text_differences import text_differences

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
# New texts that are compared with the known ones, to see whether they are of another source.
MOST_COMPARED = 1_000


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
        texts: The known texts.
        labels: (k,) int64 their class indices.
        temperature: What logits are divided by, fitted to the known texts.
        known: What the classifier says of them.
        perturbed: What it says of some of them, shifted.
        seed: Draws what is drawn.
    """

    texts: Sequence[Text]
    labels: NDArray[np.int64]
    temperature: float
    known: ModelOutputs
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
        told_apart: In which share of pairs a new text is told from a known one, 0.5..1; None where
            there are too few texts to see.
    """

    expected: ExpectedAccuracy
    hits: int
    known: int
    predicted: NDArray[np.int64]
    told_apart: float | None


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
        answers = _answers(_compute(network, changed), temperature)
        perturbed.append(PerturbedOutputs(kind, drawn, answers))
    known_answers = _answers(outputs, temperature)
    return Basis(texts, labels, temperature, known_answers, tuple(perturbed), seed)


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
    compared = draw_rows(len(texts), MOST_COMPARED, np.random.default_rng(basis.seed))
    parts, samples = list[NDArray[np.float64]](), list[ModelOutputs]()
    for start in range(0, len(texts), CHUNK_TEXTS):
        report(f"asking about new texts: {start:,} of {len(texts):,} done")
        chunk = texts[start : start + CHUNK_TEXTS]
        answers = _answers(_compute(network, chunk), basis.temperature)
        rows = compared[(compared >= start) & (compared < start + len(chunk))] - start
        parts.append(answers.probabilities)
        samples.append(ModelOutputs(answers.probabilities[rows], answers.states[rows]))
    new = np.concatenate(parts)
    sample = ModelOutputs(
        np.concatenate([part.probabilities for part in samples]),
        np.concatenate([part.states for part in samples]),
    )
    expected = expect(basis.known, basis.labels, basis.perturbed, new, basis.seed)
    separation = separate(basis.known, sample, basis.seed)
    if separation is not None and is_other_source(separation, basis.perturbed, sample, basis.seed):
        drawn = [in_one(texts[row]) for row in compared.tolist()]
        differences = text_differences([in_one(text) for text in basis.texts], drawn)
        expected = replace(expected, warning=source_in_words(separation.auc, differences))
    return EstimatedOutputs(
        expected=expected,
        hits=int((basis.known.probabilities.argmax(1) == basis.labels).sum()),
        known=len(basis.labels),
        predicted=new.argmax(1),
        told_apart=None if separation is None else max(separation.auc, 0.5),
    )


def _answers(outputs: LogitsAndStates, temperature: float) -> ModelOutputs:
    from scipy.special import softmax

    probabilities = softmax(outputs.logits.astype(np.float64) / temperature, axis=1)
    return ModelOutputs(probabilities, outputs.states)


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
