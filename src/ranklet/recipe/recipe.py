"""Recipe: everything one training is told, validated as a whole before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from ranklet.files import sha256_json
from ranklet.labels import SEPARATOR
from ranklet.recipe.sections import (
    CHOSEN_BY_FIT,
    READ_BY,
    REPLACES,
    AdapterSection,
    AugmentationSection,
    DataSection,
    DistillationSection,
    EngineSection,
    TrainingSection,
)
from ranklet.recipe.values import STRICT, Count, Share, Text
from ranklet.vocabulary import (
    BUNDLED_SAMPLE,
    LABELLED_SUFFIXES,
    DenseInit,
    HeadKind,
    HeadStart,
    Pooling,
)


@dataclass(frozen=True)
class Contradiction:
    """Fields that are each fine but cannot stand together.

    Attributes:
        fields: Dotted names; the first is the one to report.
        problem: What is wrong and how to fix it.
    """

    fields: tuple[str, ...]
    problem: str


class Recipe(BaseModel):
    """Everything one training is told."""

    model_config = STRICT

    encoder: Text = "roberta-base"
    """Pretrained encoder: a known name (`roberta-base`, `minilm`), a hub id or a folder.
    Default: roberta-base."""

    pooling: Pooling = "cls"
    """How a text's token states become one: the first token's, or their mean; mean needs the
    linear head and does not load as a transformers classifier. The dense head of ModernBERT pools
    as its config.json says, whatever stands here. Default: cls."""

    head: HeadKind = "dense"
    """What maps the pooled state to logits: the head that transformers gives this encoder; the same
    with its inner matrix frozen, or frozen but for a product of `head_rank`; or one linear layer.
    BERT and ModernBERT have no inner matrix to freeze. Default: dense."""

    head_dropout: Share = 0.0
    """Share of the head's inputs that is zeroed while training. Default: 0.0."""

    head_rank: Annotated[int, Field(ge=1, le=4096)] = 8
    """Rank of what trains in the inner matrix of a `low_rank` head. Default: 8."""

    head_dense_init: DenseInit = "identity"
    """What the frozen inner matrix of a `frozen_dense` or `low_rank` head holds; random is drawn
    from `seed`. Default: identity."""

    head_start: HeadStart = "random"
    """How the last map of the head starts: from small random values, or as the ridge regression of
    the labels on what it reads of at most 2,048 training texts. Default: random."""

    encoder_dropout: Share = 0.0
    """Share of what attention and feed-forward network add in an encoder layer, from the first
    trained one up, that is zeroed while training; these layers then run plainly, which is slower;
    native encoders only. Default: 0.0."""

    budget: Count = 1_000_000
    """Most parameters that may be trained: adapters, head, biases, all of it.
    Default: 1_000_000."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Start of every random choice: split, order, initial values, dropout. Default: 0."""

    data: DataSection
    """Where the texts and labels come from, and what is done to them. Required."""

    adapter: AdapterSection = Field(default_factory=AdapterSection)
    """The low-rank adapters and where they are placed. Default: {}."""

    training: TrainingSection = Field(default_factory=TrainingSection)
    """Length, batches, optimizer, schedule and choice of the best weights. Default: {}."""

    augmentation: AugmentationSection = Field(default_factory=AugmentationSection)
    """Training texts that are a little different every time. Default: {}."""

    distillation: DistillationSection = Field(default_factory=DistillationSection)
    """A teacher, and unlabelled texts for it to label. Default: {}."""

    engine: EngineSection = Field(default_factory=EngineSection)
    """The machine and the arithmetic. Default: {}."""

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Recipe:
        found = contradictions(self)
        if found:
            text = "; ".join(f"{each.fields[0]}: {each.problem}" for each in found)
            raise PydanticCustomError("contradiction", "{text}", {"text": text, "found": found})
        return self

    def __hash__(self) -> int:
        """Return a number that is equal for equal recipes (the patterns are dicts)."""
        return int(recipe_hash(self)[:15], 16)


def recipe_hash(recipe: Recipe) -> str:
    """Return the SHA-256 of a recipe, 64 hexadecimal digits, equal for equal recipes.

    It is taken over the resolved recipe, so it depends neither on the order of a file's keys nor on
    whether a default was written out.
    """
    return sha256_json(recipe.model_dump(mode="json"))


def contradictions(recipe: Recipe) -> tuple[Contradiction, ...]:
    """Return every pair of fields of a recipe that cannot stand together."""
    return (
        *_head_contradictions(recipe),
        *_data_contradictions(recipe.data),
        *_multi_label_contradictions(recipe),
        *_adapter_contradictions(recipe.adapter),
        *_fit_contradictions(recipe),
        *_training_contradictions(recipe),
        *_distillation_contradictions(recipe),
        *_window_contradictions(recipe),
    )


def _head_contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    if recipe.pooling == "mean" and recipe.head != "linear":
        yield Contradiction(
            ("pooling", "head"), f"mean needs head: linear; {recipe.head} reads the first token"
        )


def _data_contradictions(data: DataSection) -> Iterator[Contradiction]:
    if data.min_words and data.max_words and data.min_words > data.max_words:
        yield Contradiction(
            ("data.min_words", "data.max_words"),
            f"{data.min_words} is above max_words {data.max_words}, so no text would be left",
        )
    columns = (data.text_column,) if isinstance(data.text_column, str) else data.text_column
    if data.label_column in columns:
        yield Contradiction(
            ("data.label_column", "data.text_column"),
            f"{data.label_column!r} is also a text column; the model would read its answer",
        )
    yield from _shared_files(data)
    yield from _sample_as_test(data)


def _multi_label_contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    """Yield what reads exactly one label a text where the recipe says that it may have several."""
    if recipe.data.problem_type == "single_label_classification":
        return
    training = recipe.training
    refused = {
        "head_start": (recipe.head_start == "ridge", "set it to random"),
        "adapter.fit_mode": (
            recipe.adapter.fit_mode == "measured",
            "set it to uniform or by_depth",
        ),
        "training.loss": (
            training.loss not in ("cross_entropy", "focal"),
            "set it to cross_entropy or focal",
        ),
        "training.r_drop": (training.r_drop is not None, "leave it out"),
        "training.sampling": (training.sampling != "shuffled", "set it to shuffled"),
        "data.window_aggregation": (
            recipe.data.window_aggregation == "vote",
            "set it to mean or max",
        ),
        "distillation.teacher": (recipe.distillation.teacher is not None, "leave it out"),
    }
    for field, (is_set, fix) in refused.items():
        if is_set:
            yield Contradiction(
                (field, "data.problem_type"),
                f"needs exactly one label a text, not {recipe.data.problem_type}; {fix}",
            )
    for name in recipe.data.label_names or ():
        if SEPARATOR in name:
            yield Contradiction(
                ("data.label_names", "data.problem_type"),
                f"{name!r} holds {SEPARATOR}, which separates the labels of a text; rename it",
            )


def _shared_files(data: DataSection) -> Iterator[Contradiction]:
    """Yield the splits that are one and the same file (a named set has splits of its own)."""
    places = {"train": data.train, "validation": data.validation, "test": data.test}
    files = {
        split: PurePath(place)
        for split, place in places.items()
        if isinstance(place, str) and place.lower().endswith(LABELLED_SUFFIXES)
    }
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if first in files and files[first] == files.get(second):
            yield Contradiction(
                (f"data.{second}", f"data.{first}"),
                f"the same file as data.{first}; the figures would not be honest",
            )


def _sample_as_test(data: DataSection) -> Iterator[Contradiction]:
    # Typically a recipe of the bundled sample whose data.train was replaced.
    for field in ("validation", "test"):
        if getattr(data, field) == BUNDLED_SAMPLE and data.train != BUNDLED_SAMPLE:
            yield Contradiction(
                (f"data.{field}", "data.train"),
                f"{BUNDLED_SAMPLE} says nothing about {data.train!r}; give a file of its own, "
                + (
                    "a share or a count" if field == "validation" else "or null for no test figures"
                ),
            )


def _adapter_contradictions(adapter: AdapterSection) -> Iterator[Contradiction]:
    if adapter.target_modules != "all-linear" and "all-linear" in adapter.target_modules:
        yield Contradiction(
            ("adapter.target_modules",), "all-linear stands alone: target_modules: all-linear"
        )


def _fit_contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    adapter = recipe.adapter
    if adapter.fit is None:
        if adapter.fit_head == "cheapest":
            yield Contradiction(
                ("adapter.fit_head", "adapter.fit"), "cheapest needs adapter.fit, a budget to fit"
            )
        return
    for chosen in CHOSEN_BY_FIT:
        if chosen in adapter.model_fields_set:
            yield Contradiction(
                (f"adapter.{chosen}", "adapter.fit"),
                "is chosen by adapter.fit; leave one of the two out",
            )
    if adapter.layers is not None and adapter.train_layer_norm:
        # A solved recipe names modules, not layers, and would train the norms of every layer.
        yield Contradiction(
            ("adapter.train_layer_norm", "adapter.fit"),
            "trains the norms of adapter.layers, which a fit does not keep; leave layers or norms "
            "out",
        )
    if adapter.fit > recipe.budget:
        yield Contradiction(
            ("adapter.fit", "budget"),
            f"{adapter.fit:,} is above the budget of {recipe.budget:,}; lower it or raise budget",
        )


def _training_contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    training = recipe.training
    yield from _written_pairs(training)
    yield from _unread_options(training)
    yield from _too_few_evaluations(training)
    yield from _loss_and_dropout_contradictions(recipe)
    if training.batch_tokens and training.batch_tokens < recipe.data.max_length:
        yield Contradiction(
            ("training.batch_tokens", "data.max_length"),
            f"{training.batch_tokens} tokens do not hold one text of data.max_length "
            f"{recipe.data.max_length}; raise it or lower data.max_length",
        )
    if training.warmup_steps and training.max_steps and training.warmup_steps > training.max_steps:
        yield Contradiction(
            ("training.warmup_steps", "training.max_steps"),
            f"{training.warmup_steps} is above max_steps {training.max_steps}; lower it",
        )
    patience = training.early_stopping_patience
    if patience and training.evaluate_every is None and patience >= training.epochs:
        yield Contradiction(
            ("training.early_stopping_patience", "training.epochs", "training.evaluate_every"),
            f"{patience} is never reached with {training.epochs} epochs and one evaluation after "
            f"each; lower it, raise epochs or set evaluate_every",
        )


def _loss_and_dropout_contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    training = recipe.training
    if training.label_smoothing and training.loss != "cross_entropy":
        yield Contradiction(
            ("training.label_smoothing", "training.loss"),
            f"{training.loss} does not read it, only cross_entropy; leave it out",
        )
    if recipe.adapter.dropout or recipe.head_dropout or recipe.encoder_dropout:
        return
    dropouts = ("adapter.dropout", "head_dropout", "encoder_dropout")
    if training.r_drop is not None:
        yield Contradiction(
            ("training.r_drop", *dropouts),
            f"compares passes that differ by dropout, and none is on; set {' or '.join(dropouts)}",
        )
    if training.dropout_schedule != "constant":
        yield Contradiction(
            ("training.dropout_schedule", *dropouts),
            f"changes dropout, and none is on; set {' or '.join(dropouts)}",
        )


def _distillation_contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    distillation = recipe.distillation
    if distillation.teacher is None:
        for field in sorted(distillation.model_fields_set - {"teacher"}):
            if getattr(distillation, field) != type(distillation).model_fields[field].default:
                yield Contradiction(
                    (f"distillation.{field}", "distillation.teacher"),
                    "needs distillation.teacher, a run or the folder of a classifier",
                )
        return
    if recipe.training.r_drop is not None:
        yield Contradiction(
            ("training.r_drop", "distillation.teacher"),
            "compares two passes, and a teacher compares one; leave one of the two out",
        )
    if distillation.confidence and distillation.unlabelled is None:
        yield Contradiction(
            ("distillation.confidence", "distillation.unlabelled"),
            "chooses among unlabelled texts; set distillation.unlabelled or leave it out",
        )


def _window_contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    data = recipe.data
    if data.long_texts == "windows":
        for field, share in recipe.augmentation.model_dump().items():
            if share:
                yield Contradiction(
                    (f"augmentation.{field}", "data.long_texts"),
                    "alters whole texts, and windows are parts of them; leave it out or read "
                    "head or head_tail",
                )
        return
    for field in ("window_overlap", "window_aggregation"):
        if getattr(data, field) is not None:
            yield Contradiction(
                (f"data.{field}", "data.long_texts"),
                f"{data.long_texts} does not read it, only long_texts windows; leave it out",
            )


def _too_few_evaluations(training: TrainingSection) -> Iterator[Contradiction]:
    if training.evaluate_every is None and training.epochs == 1 and (training.soup or 1) > 1:
        yield Contradiction(
            ("training.soup", "training.epochs", "training.evaluate_every"),
            "has one evaluation to choose from with 1 epoch; raise epochs or set evaluate_every",
        )


def _unread_options(training: TrainingSection) -> Iterator[Contradiction]:
    for option, (chooser, readers) in READ_BY.items():
        chosen = getattr(training, chooser)
        if getattr(training, option) is not None and chosen not in readers:
            yield Contradiction(
                (f"training.{option}", f"training.{chooser}"),
                f"{chosen} does not read it, only {chooser} {' and '.join(readers)}; leave it out",
            )


def _written_pairs(training: TrainingSection) -> Iterator[Contradiction]:
    for ordinary, instead in REPLACES.items():
        if getattr(training, instead) is not None and ordinary in training.model_fields_set:
            yield Contradiction(
                (f"training.{instead}", f"training.{ordinary}"),
                f"replaces {ordinary}, which is set as well; keep one of the two",
            )
