"""The sections of a recipe: what each field means and which values it takes on its own.

The docstring below a field is its help text, here and in `docs/recipe.md`; it ends with the
default. What two fields say to each other is checked in `recipe.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ranklet.recipe.values import (
    STRICT,
    Count,
    Distinct,
    Index,
    LayerRange,
    Positive,
    Rate,
    Share,
    Text,
    without_minus_zero,
)


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
    """Longest text in tokens, special tokens included; `long_texts` says what happens to longer
    ones. Default: 128."""

    long_texts: Literal["head", "head_tail", "windows"] = "head"
    """What is read of a text of more than `max_length` tokens, the same in training and prediction:
    its beginning; the first quarter and the rest from its end (arXiv:1905.05583); or all of it, in
    overlapping windows, each of which trains as a text and which together count as one.
    Default: head."""

    window_overlap: Share | None = None
    """Share of a window that the next one repeats; null: 0.25. Default: null."""

    window_aggregation: Literal["mean", "max", "vote"] | None = None
    """What the probabilities of a text's windows become: their mean; the largest of each label,
    divided by their sum; or the mean over the windows that agree with the majority; null: mean.
    Default: null."""

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
    """Length, batches, optimizer, schedule, loss and choice of the best weights."""

    model_config = STRICT

    epochs: Count = 3
    """Passes over the training texts. Default: 3."""

    sampling: Literal["shuffled", "square_root", "balanced"] = "shuffled"
    """Training texts of an epoch: each once; or as many, drawn so that the labels are equally
    frequent (balanced) or as the square roots of their numbers of texts (arXiv:1910.09217).
    Default: shuffled."""

    curriculum: Literal["none", "length"] = "none"
    """Order of the first epoch: shuffled as the others, or from the shortest text to the longest.
    Default: none."""

    max_steps: Count | None = None
    """Optimizer steps after which training ends although epochs are left; null: no limit.
    Default: null."""

    batch_size: Count = 32
    """Texts in a batch. Default: 32."""

    batch_tokens: Count | None = None
    """Most tokens in a batch, in place of `batch_size`; null: count texts. Default: null."""

    gradient_accumulation_steps: Count = 1
    """Batches whose gradients make one optimizer step. Default: 1."""

    optimizer: Literal["adamw", "adam", "sgd", "rmsprop", "adafactor", "muon"] = "adamw"
    """What turns gradients into steps; the learning rates of sgd and adafactor are of another size
    than those of adamw; muon (arXiv:2502.16982) trains the matrices of adapters, adamw the rest.
    Default: adamw."""

    momentum: Share | None = None
    """Momentum of sgd, rmsprop or muon; null: 0.9, 0 and 0.95. Default: null."""

    learning_rate: Rate = 5e-4
    """Peak learning rate of the adapters. Default: 5e-4."""

    head_learning_rate: Rate | None = None
    """Peak learning rate of the head; null: `learning_rate`. Default: null."""

    loraplus_lr_ratio: Annotated[float, Field(ge=1)] = 1.0
    """Learning rate of every adapter's B over that of its A (LoRA+, arXiv:2402.12354), which is
    `learning_rate`. Default: 1.0."""

    weight_decay: Annotated[float, Field(ge=0, le=1), AfterValidator(without_minus_zero)] = 0.01
    """Weight decay: decoupled (arXiv:1711.05101) in adamw, adafactor and muon, part of the gradient
    in the other optimizers. Default: 0.01."""

    layer_lr_decay: Rate = 1.0
    """Learning rate of an encoder layer over that of the layer above it; the highest has
    `learning_rate`, the head its own (arXiv:1801.06146); 1.0: one rate for all. Default: 1.0."""

    schedule: Literal[
        "cosine", "cosine_with_restarts", "linear", "polynomial", "constant", "one_cycle"
    ] = "cosine"
    """Course of the learning rate after the warm-up: down to 0 or constant. one_cycle
    (arXiv:1708.07120) rises by half a cosine, best over a warm-up of about 0.3. Default: cosine."""

    schedule_num_cycles: Count | None = None
    """Times that cosine_with_restarts goes down to 0; null: 2. Default: null."""

    schedule_power: Positive | None = None
    """Exponent of polynomial; 1 is linear; null: 2.0. Default: null."""

    warmup_ratio: Share = 0.06
    """Share of all optimizer steps over which the learning rate rises from 0. Default: 0.06."""

    warmup_steps: Index | None = None
    """Optimizer steps of the rise, in place of `warmup_ratio`; null: use the share.
    Default: null."""

    max_grad_norm: Positive | None = 1.0
    """L2 norm to which larger gradients are scaled down; null: never. Default: 1.0."""

    loss: Literal[
        "cross_entropy",
        "focal",
        "generalized_cross_entropy",
        "soft_bootstrapping",
        "hard_bootstrapping",
    ] = "cross_entropy"
    """What training makes small: focal (arXiv:1708.02002) counts texts less that are classified
    well; generalized_cross_entropy (arXiv:1805.07836) and bootstrapping (arXiv:1412.6596) stand
    wrong labels better. Default: cross_entropy."""

    focal_gamma: Annotated[float, Field(ge=0), AfterValidator(without_minus_zero)] | None = None
    """Focus of the focal loss, 0 is cross-entropy; null: 2.0. Default: null."""

    gce_q: Rate | None = None
    """Exponent of generalized_cross_entropy, from cross-entropy near 0 to the mean absolute error
    at 1; null: 0.7. Default: null."""

    bootstrap_beta: Rate | None = None
    """Share of the given label in bootstrapping, the rest is what the model believes; null: 0.95
    for soft, 0.8 for hard. Default: null."""

    class_weights: Literal["none", "balanced"] | dict[Text, Positive] = "none"
    """Weight of a text's loss by its label: 1, texts / (labels * texts of the label) among the
    training texts, or `{label: weight}`, 1 for labels left out. Default: none."""

    r_drop: Positive | None = None
    """Weight of the difference between two passes with different dropout, which each text then
    takes (R-Drop, arXiv:2106.14448); null: one pass. Default: null."""

    label_smoothing: Share = 0.0
    """Probability mass that the loss spreads evenly over all labels. Default: 0.0."""

    dropout_schedule: Literal["constant", "linear_increase", "linear_decrease", "curriculum"] = (
        "constant"
    )
    """Course of all dropout (adapter, head, encoder) over the training: as written, from 0 up to it
    or from it down to 0; curriculum (arXiv:1703.06229) rises fast at first. Default: constant."""

    gradient_noise: Positive | None = None
    """Variance of normal noise on the gradients at the first step, which shrinks with the step
    (arXiv:1511.06807, which takes 0.01 to 1); null: none. Default: null."""

    token_dropout: Share = 0.0
    """Share of a training text's tokens that is left out of a batch, drawn anew every time
    (arXiv:1901.11196). Default: 0.0."""

    ema_decay: Share | None = None
    """Validate and save the exponential moving average of what trains, with this share of it kept
    at every step (less in the first ones), such as 0.99; null: what trains itself.
    Default: null."""

    soup: Count | None = None
    """Save the mean of the weights at up to this many of the best evaluations, as far as each makes
    `metric` better (arXiv:2203.05482); null or 1: those of the best one. Default: null."""

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

# Fields of `training` that only some values of another one read; unread, they must be null.
READ_BY = {
    "momentum": ("optimizer", ("sgd", "rmsprop", "muon")),
    "schedule_num_cycles": ("schedule", ("cosine_with_restarts",)),
    "schedule_power": ("schedule", ("polynomial",)),
    "focal_gamma": ("loss", ("focal",)),
    "gce_q": ("loss", ("generalized_cross_entropy",)),
    "bootstrap_beta": ("loss", ("soft_bootstrapping", "hard_bootstrapping")),
}


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
