"""Recipe: everything one training is told, validated as a whole before anything runs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ranklet.files import sha256_json
from ranklet.recipe.contradictions import (
    Contradiction,
    adapter_contradictions,
    data_contradictions,
    distillation_contradictions,
    dropout_contradictions,
    engine_contradictions,
    head_contradictions,
    multi_label_contradictions,
    pair_contradictions,
    refit_contradictions,
    start_contradictions,
    training_contradictions,
    unlabelled_contradictions,
    window_contradictions,
)
from ranklet.recipe.domains import space_values
from ranklet.recipe.sections.adapter import AdapterSection
from ranklet.recipe.sections.augmentation import AugmentationSection
from ranklet.recipe.sections.data import DataSection
from ranklet.recipe.sections.distillation import DistillationSection
from ranklet.recipe.sections.engine import EngineSection
from ranklet.recipe.sections.training import TrainingSection
from ranklet.recipe.space_tree import read_space
from ranklet.recipe.tree import node_of
from ranklet.recipe.values import STRICT, Count, Share, Text
from ranklet.vocabulary import DenseInit, HeadKind, HeadStart, Pooling


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
    """How the last map of the head starts: from small random values, or as the linear probe, a
    logistic regression on what it reads of at most 16,384 training texts; the probe is then
    validated before the first step, and kept where no training beats it. Default: random."""

    encoder_dropout: Share = 0.0
    """Share of what attention and feed-forward network add in an encoder layer, from the first
    trained one up, that is zeroed while training; these layers then run plainly, which is slower;
    native encoders only. Default: 0.0."""

    budget: Count = 1_000_000
    """Most parameters that may be trained: adapters, head, biases, all of it.
    Default: 1_000_000."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Start of every random choice: split, order, initial values, dropout. Default: 0."""

    automatic: bool = False
    """Whether fields that are not written are chosen from the training texts, by rules that `train`
    states; a run's own recipe has them written out. Default: false."""

    data: DataSection
    """Where the texts and labels come from, and what is done to them. Required."""

    adapter: AdapterSection = Field(default_factory=AdapterSection)
    """The low-rank adapters and where they are placed. Default: {}."""

    training: TrainingSection = Field(default_factory=TrainingSection)
    """Length, batches, optimizer, schedule and choice of the best weights. Default: {}."""

    augmentation: AugmentationSection = Field(default_factory=AugmentationSection)
    """Training texts that are a little different every time. Default: {}."""

    distillation: DistillationSection = Field(default_factory=DistillationSection)
    """A teacher. Default: {}."""

    engine: EngineSection = Field(default_factory=EngineSection)
    """The machine and the arithmetic. Default: {}."""

    tune: Annotated[dict[str, Any], Field(title="mapping of fields to domains")] = Field(
        default_factory=dict
    )
    """What a search may change, and nothing else reads: dotted fields, each with a list of choices,
    `{log: [1e-4, 3e-3]}` or `{range: [0, 0.3]}`. A field with `{values: [2, 4], when: {FIELD:
    CHOICE}}` is changed only where another one of the space has that choice. Default: {}."""

    @field_validator("tune")
    @classmethod
    def _as_a_space(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Written anew, so that equal spaces are equal however their numbers were written.
        space, issues = read_space(node_of(values, ""), cls) if values else (None, [])
        if issues:
            text = "; ".join(map(str, issues))
            raise PydanticCustomError("space", "{text}", {"text": text})
        return space_values(space) if space else {}

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Recipe:
        pairs = contradictions(self)
        if pairs:
            text = "; ".join(f"{pair.fields[0]}: {pair.message}" for pair in pairs)
            raise PydanticCustomError("contradiction", "{text}", {"text": text, "pairs": pairs})
        return self

    @model_serializer(mode="wrap")
    def _without_empty_space(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Runs of before there was one keep their hashes.
        return {name: value for name, value in serialize(self).items() if value or name != "tune"}

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
    data, adapter, training = recipe.data, recipe.adapter, recipe.training
    dropouts = {
        "adapter.dropout": adapter.dropout,
        "head_dropout": recipe.head_dropout,
        "encoder_dropout": recipe.encoder_dropout,
    }
    return (
        *head_contradictions(recipe.head, recipe.pooling),
        *engine_contradictions(recipe.engine),
        *data_contradictions(data),
        *multi_label_contradictions(data, adapter, training, recipe.distillation),
        *adapter_contradictions(adapter, recipe.budget),
        *training_contradictions(training, data.max_length),
        *dropout_contradictions(training, dropouts),
        *unlabelled_contradictions(data, recipe.distillation.teacher, training.contrastive_steps),
        *distillation_contradictions(recipe.distillation, data.unlabelled, training.r_drop),
        *start_contradictions(training.epochs, recipe.head_start, recipe.automatic),
        *refit_contradictions(training.refit, data.validation, recipe.distillation),
        *window_contradictions(data, recipe.augmentation),
        *pair_contradictions(data.pair, training.token_dropout, recipe.distillation),
    )
