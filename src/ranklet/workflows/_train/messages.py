"""What a training says to a person, line by line."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import ClassifierNetwork
from ranklet.data.encoded_splits import Splits
from ranklet.data.hints import listed
from ranklet.data.tokens.corpus import Corpora, TokenCorpus
from ranklet.data.tokens.sampling import draws_per_class
from ranklet.data.tokens.tokenizer import MANY_UNKNOWN
from ranklet.encoder.int8.compiled import compiled_rows
from ranklet.encoder.int8.weight import multiplies_bytes
from ranklet.encoder.quantization import frozen_bytes
from ranklet.evaluation.data_description import count_labels
from ranklet.probe import Probe
from ranklet.problem import MultiLabel
from ranklet.recipe import Recipe
from ranklet.training.fit import FitResult
from ranklet.training.techniques.contrastive_start import ContrastiveStart
from ranklet.vocabulary import Sampling
from ranklet.workflows._train.teachers import Lesson


def describe_beginning(
    original: Recipe,
    recipe: Recipe,
    plan: ParameterPlan,
    model: ClassifierNetwork,
    splits: Splits,
    lesson: Lesson | None,
) -> Iterator[str]:
    """Say what will be trained on what.

    Args:
        original: The recipe as it was given.
        recipe: The recipe with the rank of every adapter written out.
        plan: What trains.
        model: The classifier.
        splits: The data.
        lesson: What a teacher said about it.
    """
    yield f"budget: {plan.total:,} of {plan.budget:,} parameters"
    if original.adapter.fit is not None:
        yield _describe_fit(plan, recipe)
    if model.encoder.config.transformers is not None:
        yield "encoder: computed by transformers, slower than the native ones"
        if recipe.engine.activation_checkpointing:
            yield "activation checkpointing: none, this encoder keeps its activations"
    if model.pooling != recipe.pooling:
        yield f"pooling: {model.pooling}, as the dense head of this encoder has it"
    yield _describe_data(splits)
    yield from splits.notes
    if recipe.training.sampling != "shuffled":
        yield _describe_sampling(splits, recipe.training.sampling)
    if lesson is not None:
        yield _describe_lesson(lesson)


def _describe_fit(plan: ParameterPlan, recipe: Recipe) -> str:
    ranks = [row.rank for row in plan.rows if row.rank is not None]
    return (
        f"fit: {recipe.adapter.fit_mode}, {len(ranks)} modules with ranks {min(ranks)} to "
        f"{max(ranks)}, head {recipe.head}"
    )


def _describe_data(splits: Splits) -> str:
    test = "none" if splits.test is None else f"{len(splits.test.texts):,}"
    duplicates = splits.duplicates
    return (
        f"data: {len(splits.train.texts):,} train, {len(splits.validation.texts):,} validation, "
        f"{test} test texts, {len(splits.labels)} labels"
        + (f" ({', '.join(splits.traits)})" if splits.traits else "")
        + (f"; {splits.empty:,} without a text dropped from train" if splits.empty else "")
        + (f"; {duplicates.dropped:,} duplicates dropped from train" if duplicates.dropped else "")
        + (
            f", {duplicates.conflicting_labels:,} of them with another label"
            if duplicates.dropped and duplicates.conflicting_labels
            else ""
        )
        + (f"; {splits.filtered:,} outside the word limits" if splits.filtered else "")
        + _describe_unchecked(splits)
    )


def _describe_unchecked(splits: Splits) -> str:
    """Say which labels validation knows nothing about."""
    counts = count_labels(splits.validation.labels, len(splits.labels))
    names = [name for name, count in zip(splits.labels.names, counts, strict=True) if not count]
    return f"; no validation text of {listed(names)}" if names else ""


def _describe_sampling(splits: Splits, sampling: Sampling) -> str:
    counts = np.bincount(splits.train.labels, minlength=len(splits.labels))
    rarest = int(np.where(counts > 0, counts, counts.max() + 1).argmin())
    name, texts = splits.labels.names[rarest], counts[rarest]
    times = draws_per_class(counts, sampling)[rarest] / texts
    return (
        f"sampling: {sampling}, {counts.sum():,} texts an epoch; each of the {texts:,} of the "
        f"rarest label, {name}, comes {times:.1f} times"
    )


def _describe_lesson(lesson: Lesson) -> str:
    more = lesson.unlabelled + lesson.doubted
    return f"teacher: has the label of {lesson.agreement:.1%} of the labelled texts" + (
        f"; labelled {lesson.unlabelled:,} of {more:,} more" if more else ""
    )


def describe_engine(
    corpora: Corpora, recipe: Recipe, dtype: torch.dtype, device: torch.device, processes: int = 1
) -> str:
    """Say how it will be computed."""
    corpus = corpora["train"]
    return (
        f"engine: {str(dtype).removeprefix('torch.')} on {device}"
        + (f" of each of {processes} processes, " if processes > 1 else ", ")
        + f"{corpus.lengths.mean():.0f} tokens a {_unit(corpus)}, {_describe_long(corpus, recipe)}"
    )


def describe_unknown(share: float) -> Iterator[str]:
    """Say that the encoder does not know much of the texts, if so."""
    if share >= MANY_UNKNOWN:
        yield (
            f"unknown: {share:.0%} of the tokens are unknown to this encoder; choose one that was "
            "trained on such texts, such as xlm-roberta-base"
        )


def _unit(corpus: TokenCorpus) -> str:
    return "text" if corpus.text_starts is None else "window"


def _describe_long(corpus: TokenCorpus, recipe: Recipe) -> str:
    if corpus.text_starts is not None:
        windows = np.diff(corpus.text_starts)
        return (
            f"{(windows > 1).mean():.1%} of the texts split, {windows.mean():.2f} windows a text, "
            "none truncated"
        )
    share = f"{corpus.truncated / len(corpus):.1%} of the texts"
    return f"{share} truncated" + (
        " in the middle" if recipe.data.long_texts == "head_tail" else ""
    )


def describe_frozen_weights(model: ClassifierNetwork, recipe: Recipe) -> str:
    """Say how the frozen weights are kept and multiplied."""
    if recipe.engine.products == "int8":
        rows = "compiled for this processor" if compiled_rows() else "no C compiler, so slower"
        products = "packed" if multiplies_bytes() else "in float32, slowly: no VNNI"
        return f"frozen products: int8; weights {products}; rows {rows}"
    size = frozen_bytes(model.encoder) / 2**20
    return f"frozen weights: {recipe.engine.quantization}, {size:.0f} MiB"


def describe_contrastive(start: ContrastiveStart) -> str:
    """Say what a contrastive start did."""
    if not start.steps:
        return "contrastive start: none, for no label has two texts"
    return (
        f"contrastive start: {start.steps:,} steps, loss {start.first_loss:.3f} in the first, "
        f"{start.last_loss:.3f} in the last"
    )


def describe_surest(taken: int, unlabelled: int) -> str:
    """Say how many texts without labels a classifier labelled for itself."""
    return (
        f"unlabelled: {taken:,} of {unlabelled:,} texts get the label that is given with the most "
        "confidence, and as many steps follow with them"
    )


def describe_start(probe: Probe) -> str:
    """Say where the head starts."""
    return (
        f"head: starts as the linear probe of {len(probe.logits_out_of_fold):,} training texts, "
        f"loss {probe.loss_out_of_fold:.4f} out of fold"
    )


def describe_tuning(model: ClassifierNetwork) -> str:
    """Say what was chosen on validation after training: a calibration, or thresholds."""
    if isinstance(model.problem, MultiLabel):
        low, high = min(model.problem.thresholds), max(model.problem.thresholds)
        return f"thresholds: {low:.2f} to {high:.2f}, by F1 on validation"
    return (
        f"temperature: {model.problem.temperature:.3f}, exponent: {model.problem.exponent:.3f}, "
        "with the lowest loss on validation"
    )


def describe_result(result: FitResult) -> str:
    """Say what came of it."""
    ended = {"end": "", "patience": ", stopped early", "interrupt": ", interrupted"}
    averaged = ", ".join(str(step) for step in sorted(result.averaged_steps))
    figures = ", ".join(f"{name} {value:.4f}" for name, value in result.best_metrics.items())
    return (
        f"best of validation: step {result.best_step} of {result.steps}{ended[result.ended_by]}: "
        f"{figures}; {result.seconds:.0f} s"
        + (f"; mean of the weights after steps {averaged}" if averaged else "")
    )
