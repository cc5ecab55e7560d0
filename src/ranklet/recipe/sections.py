"""The sections of a recipe: what each field means and which values it takes on its own.

The docstring below a field is its help text, here and in `docs/recipe.md`; it ends with the
default. What two fields say to each other is checked in `recipe.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

Item = TypeVar("Item")

STRICT = ConfigDict(
    strict=True,
    defer_build=True,  # `--help` imports the models and validates nothing
    frozen=True,
    extra="forbid",
    allow_inf_nan=False,
    validate_default=True,
    use_attribute_docstrings=True,
)


def _list_to_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _refuse_repeats(items: tuple[Item, ...]) -> tuple[Item, ...]:
    for position, item in enumerate(items):
        if item in items[:position]:
            problem = f"lists {item!r} twice; name each once"
            raise PydanticCustomError("repeat", "{problem}", {"problem": problem})
    return items


def _upwards(layers: str) -> str:
    first, _, last = layers.partition("-")
    if last and int(last) < int(first):
        problem = f"{layers!r} ends before it begins; write {last}-{first}"
        raise PydanticCustomError("repeat", "{problem}", {"problem": problem})
    return layers


def _without_minus_zero(number: float) -> float:
    # Equal recipes must have equal hashes, and -0.0 == 0.0 although they print differently.
    return number + 0.0


# At least one visible character, no control characters (a NUL would end a path early).
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*[^\s\x00-\x1f][^\x00-\x1f]*$")]
Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1), AfterValidator(_without_minus_zero)]
# Layers from one to another, both included: `0-5`; `8-` goes to the last.
LayerRange = Annotated[
    str, Field(pattern=r"^[0-9]+-[0-9]*$", title="range such as 0-5"), AfterValidator(_upwards)
]
Distinct = Annotated[
    tuple[Item, ...], BeforeValidator(_list_to_tuple), AfterValidator(_refuse_repeats)
]


class DataSection(BaseModel):
    """Where the texts and labels come from, and what is done to them before training."""

    model_config = STRICT

    train: Text
    """Training texts: a csv, tsv, jsonl or parquet file, a named set (`newsbites`, `ag_news`) or a
    hub id such as `owner/name`. Relative paths count from the working directory. Required."""

    validation: Annotated[float, Field(gt=0, lt=1)] | Count | Text = 0.1
    """Texts that choose the best weights: a share of the training texts, a number of rows out of
    them, or a file or named set of its own. Default: 0.1."""

    test: Text | None = None
    """Texts for the final figures only, written as `train` is; null: no test figures.
    Default: null."""

    text_column: Text | Annotated[Distinct[Text], Field(min_length=1)] = "text"
    """Column of the text; several columns are joined by one space, in this order.
    Default: text."""

    label_column: Text = "label"
    """Column of the label. Default: label."""

    label_names: Annotated[Distinct[Text], Field(min_length=2)] | None = None
    """Names for integer labels, from label 0 upwards; null: labels are used as they are written.
    Default: null."""

    max_length: Annotated[int, Field(ge=3, le=8192)] = 128
    """Longest text in tokens, special tokens included; what is longer is cut. Default: 128."""

    cleaning: Distinct[Literal["html", "ag_news", "whitespace"]] = ()
    """Cleaning steps in this order, the same in training and prediction: HTML entities and tags,
    the broken entities and backslashes of AG News, runs of white space. Default: []."""

    min_words: Count | None = None
    """Training texts with fewer words are left out; null: no limit. Default: null."""

    max_words: Count | None = None
    """Training texts with more words are left out; null: no limit. Default: null."""

    duplicates: Literal["drop", "refuse", "keep"] = "drop"
    """Training texts that equal another training, validation or test text but for case and
    punctuation: leave them out, stop with an error, or train on them. Default: drop."""


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

    bias: Literal["none", "lora_only", "all"] = "none"
    """Biases of the encoder that train as well: none, those of adapted modules, or all.
    Default: none."""

    use_rslora: bool = False
    """Scale by alpha / sqrt(rank) (rsLoRA, arXiv:2312.03732) in place of alpha / rank.
    Default: false."""

    use_dora: bool = False
    """Train the length of each adapted row as well (DoRA, arXiv:2402.09353); such layers run
    plainly, which is slower. Default: false."""

    init: Literal["default", "pissa", "olora", "eva"] = "default"
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

    fit_mode: Literal["uniform", "by_depth", "measured"] = "uniform"
    """How `fit` chooses: equal ranks; ranks in proportion to layer + 1; or by the gain per
    parameter that each matrix promises on a few dozen batches of training texts.
    Default: uniform."""

    fit_head: Literal["keep", "cheapest"] = "keep"
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
        chosen = CHOSEN_BY_FIT if self.fit is not None else ()
        return {name: value for name, value in serialize(self).items() if name not in chosen}


# Fields of `adapter` that stand aside when `fit` is set.
CHOSEN_BY_FIT = ("rank", "rank_pattern")


class TrainingSection(BaseModel):
    """Length, batches, optimizer (AdamW), schedule and choice of the best weights."""

    model_config = STRICT

    epochs: Count = 3
    """Passes over the training texts. Default: 3."""

    max_steps: Count | None = None
    """Optimizer steps after which training ends although epochs are left; null: no limit.
    Default: null."""

    batch_size: Count = 32
    """Texts in a batch. Default: 32."""

    batch_tokens: Count | None = None
    """Most tokens in a batch, in place of `batch_size`; null: count texts. Default: null."""

    gradient_accumulation_steps: Count = 1
    """Batches whose gradients make one optimizer step. Default: 1."""

    learning_rate: Rate = 5e-4
    """Peak learning rate of the adapters. Default: 5e-4."""

    head_learning_rate: Rate | None = None
    """Peak learning rate of the head; null: `learning_rate`. Default: null."""

    loraplus_lr_ratio: Annotated[float, Field(ge=1)] = 1.0
    """Learning rate of every adapter's B over that of its A (LoRA+, arXiv:2402.12354), which is
    `learning_rate`. Default: 1.0."""

    weight_decay: Annotated[float, Field(ge=0, le=1), AfterValidator(_without_minus_zero)] = 0.01
    """Decoupled weight decay of AdamW (arXiv:1711.05101). Default: 0.01."""

    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Course of the learning rate after the warm-up: down to 0 or constant. Default: cosine."""

    warmup_ratio: Share = 0.06
    """Share of all optimizer steps over which the learning rate rises from 0. Default: 0.06."""

    warmup_steps: Index | None = None
    """Optimizer steps of the rise, in place of `warmup_ratio`; null: use the share.
    Default: null."""

    max_grad_norm: Positive | None = 1.0
    """L2 norm to which larger gradients are scaled down; null: never. Default: 1.0."""

    label_smoothing: Share = 0.0
    """Probability mass that the loss spreads evenly over all labels. Default: 0.0."""

    token_dropout: Share = 0.0
    """Share of a training text's tokens that is left out of a batch, drawn anew every time
    (arXiv:1901.11196). Default: 0.0."""

    evaluate_every: Count | None = None
    """Optimizer steps between evaluations on validation; null: after each epoch.
    Default: null."""

    metric: Literal["accuracy", "macro_f1", "loss"] = "accuracy"
    """Validation figure that decides which weights are best. Default: accuracy."""

    early_stopping_patience: Count | None = None
    """Evaluations without a better `metric` after which training ends; null: never.
    Default: null."""

    checkpoint_every: Count | None = None
    """Optimizer steps between checkpoints, from which an interrupted training continues; null:
    before every evaluation, and once a minute. The last step always has one. Default: null."""

    keep_checkpoints: Count = 2
    """Newest checkpoints that are kept while training; a finished run keeps none. Default: 2."""

    @model_serializer(mode="wrap")
    def _without_replaced(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A dump is what a person could have written: the two of a pair never stand together.
        replaced = {
            ordinary for ordinary, instead in REPLACES.items() if getattr(self, instead) is not None
        }
        return {name: value for name, value in serialize(self).items() if name not in replaced}


# Fields of `training` that stand aside when the second one is set.
REPLACES = {"batch_size": "batch_tokens", "warmup_ratio": "warmup_steps"}


class EngineSection(BaseModel):
    """The machine and the arithmetic."""

    model_config = STRICT

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto: the first GPU where there is one. Default: auto."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the frozen encoder; auto: bfloat16 where the processor has it, else float32;
    float16 trains with a scaled loss. Default: auto."""

    quantization: Literal["none", "int8", "nf4"] = "none"
    """How the frozen weights of the encoder are kept: as they compute, in 8 bits, or in the 4 of
    QLoRA (arXiv:2305.14314), each with a scale for 64 numbers. Less memory, more time.
    Default: none."""

    attention: Literal["reference", "sdpa"] = "sdpa"
    """sdpa: fused layers and PyTorch's attention kernel; reference: their plain twins that check
    them. Default: sdpa."""

    cache_frozen_layers: Literal["auto", "never"] = "auto"
    """Layers below the lowest adapter: compute them once, keep their states on disk and begin every
    epoch there; auto: when that pays. Default: auto."""

    cache_limit_gib: Positive = 16.0
    """Most GiB (2**30 bytes) of disk for the states of frozen layers, all runs together.
    Default: 16.0."""

    capture_steps: Literal["auto", "never"] = "auto"
    """Capture the work on a training batch as a CUDA graph for each of a few shapes and repeat it
    from there; auto: on a GPU in half precision, with training.batch_size. Default: auto."""

    activation_checkpointing: bool = False
    """Compute each layer's activations again for the gradients instead of keeping them: less
    memory, about a third more time (arXiv:1604.06174). Default: false."""
