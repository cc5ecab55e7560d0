"""The `adapter` section of a recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ranklet.recipe.values import STRICT, Count, Distinct, Index, LayerRange, Positive, Share, Text
from ranklet.vocabulary import AdapterInit, AllocationMode, Bias, HeadChoice


class AdapterSection(BaseModel):
    """The low-rank adapters (LoRA, arXiv:2106.09685) and where they are placed; PEFT's words."""

    model_config = STRICT

    rank: Annotated[int, Field(ge=1, le=4096)] = 8
    """Rank of every adapter that no pattern names. Default: 8."""

    alpha: Positive = 16.0
    """Numerator of the scaling alpha / rank of an adapter's output. Default: 16.0."""

    dropout: Share = 0.0
    """Share of an adapter's inputs that is zeroed while training. Default: 0.0."""

    target_modules: Literal["all-linear"] | Annotated[Distinct[Text], Field(min_length=1)] = (
        "query",
        "value",
    )
    """Modules that get an adapter, by the end of their Hugging Face name; `all-linear`: every
    linear layer of the encoder. Default: [query, value]."""

    layers: Annotated[Distinct[Index | LayerRange], Field(min_length=1)] | LayerRange | None = None
    """Encoder layers that get adapters, counted from 0: `[0, 3]`, `0-5` (5 included), `8-` (to the
    last), `[0-2, 11]`; null: all. Default: null."""

    exclude_modules: Distinct[Text] = ()
    """Targeted modules that get no adapter after all, by the end of their name or by layer
    (`layer.0-2`). Default: []."""

    rank_pattern: dict[Text, Annotated[int, Field(ge=1, le=4096)]] = Field(default_factory=dict)
    """Ranks of single modules in place of `rank`, by the end of their name or by layer: `key`,
    `layer.0-5.attention.self.query`, `layer.8-`. Default: {}."""

    alpha_pattern: dict[Text, Positive] = Field(default_factory=dict)
    """Alphas of single modules in place of `alpha`, named as in `rank_pattern`. Default: {}."""

    bias: Bias = "none"
    """Biases of the encoder that train as well: none, those of adapted modules, or all.
    Default: none."""

    use_rslora: bool = False
    """Scale by alpha / sqrt(rank) (rsLoRA, arXiv:2312.03732) in place of alpha / rank.
    Default: false."""

    use_dora: bool = False
    """Train the length of each adapted row as well (DoRA, arXiv:2402.09353); such layers run
    plainly, which is slower. Default: false."""

    init: AdapterInit = "default"
    """Where adapters of linear layers start; default: a random A and B = 0; pissa: the largest
    singular values of the weight (arXiv:2404.02948); olora: its QR decomposition
    (arXiv:2406.01775); eva: A from activations of training texts (arXiv:2410.07170). pissa and
    olora save twice the rank, the start beside what was trained. Default: default."""

    train_layer_norm: bool = False
    """Train the LayerNorms of the encoder, or of `layers`, weight and bias. Default: false."""

    fit: Count | None = None
    """Parameters to spend on adapters, head and biases together: the ranks are then chosen, in
    place of `rank` and `rank_pattern`, never over it and with less than one unit of rank unused;
    the targets are all-linear unless written; null: ranks as written. Default: null."""

    fit_mode: AllocationMode = "uniform"
    """How `fit` chooses: equal ranks; ranks in proportion to layer + 1; or by the gain per
    parameter that each matrix promises on a few dozen batches of training texts.
    Default: uniform."""

    fit_head: HeadChoice = "keep"
    """Whether `fit` keeps the recipe's `head` or takes the one with the fewest parameters that goes
    with the encoder and `pooling`. Default: keep."""

    @model_validator(mode="before")
    @classmethod
    def _all_linear_under_fit(cls, values: object) -> object:
        # Here and not in the solver: a dump of the recipe then says which targets are meant.
        if isinstance(values, dict) and values.get("fit") is not None:
            return {"target_modules": "all-linear", **values}
        return values

    @model_serializer(mode="wrap")
    def _without_chosen(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        left_out = CHOSEN_BY_FIT if self.fit is not None else ()
        return {name: value for name, value in serialize(self).items() if name not in left_out}


# Fields of `adapter` that stand aside when `fit` is set.
CHOSEN_BY_FIT = ("rank", "rank_pattern")
