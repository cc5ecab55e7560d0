"""The `training` section of a recipe."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from ranklet.recipe.values import (
    STRICT,
    Count,
    Index,
    Positive,
    Rate,
    Share,
    Text,
    without_minus_zero,
)
from ranklet.vocabulary import (
    ClassWeighting,
    Curriculum,
    DropoutScheduleName,
    LossName,
    OptimizerName,
    Sampling,
    ScheduleName,
    SelectionMetric,
)


class TrainingSection(BaseModel):
    """Length, batches, optimizer, schedule, loss and choice of the best weights."""

    model_config = STRICT

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 3
    """Passes over the training texts; 0: the start alone, which needs `head_start: probe`.
    Default: 3."""

    sampling: Sampling = "shuffled"
    """Training texts of an epoch: each once; or as many, drawn so that the labels are equally
    frequent (balanced) or as the square roots of their numbers of texts (arXiv:1910.09217).
    Default: shuffled."""

    curriculum: Curriculum = "none"
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

    optimizer: OptimizerName = "adamw"
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

    schedule: ScheduleName = "cosine"
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

    loss: LossName = "cross_entropy"
    """What training makes small: focal (arXiv:1708.02002) counts texts less that are classified
    well; generalized_cross_entropy (arXiv:1805.07836) and bootstrapping (arXiv:1412.6596) stand
    wrong labels better. In multi-label cross_entropy and focal are the mean of the binary ones
    over labels, and the others are refused. Default: cross_entropy."""

    focal_gamma: Annotated[float, Field(ge=0), AfterValidator(without_minus_zero)] | None = None
    """Focus of the focal loss, 0 is cross-entropy; null: 2.0. Default: null."""

    gce_q: Rate | None = None
    """Exponent of generalized_cross_entropy, from cross-entropy near 0 to the mean absolute error
    at 1; null: 0.7. Default: null."""

    bootstrap_beta: Rate | None = None
    """Share of the given label in bootstrapping, the rest is what the model believes; null: 0.95
    for soft, 0.8 for hard. Default: null."""

    class_weights: ClassWeighting | dict[Text, Positive] = "none"
    """Weight of a text's loss by its label: 1, texts / (labels * texts of the label) among the
    training texts, or `{label: weight}`, 1 for labels left out. In multi-label it weighs the loss
    of a label where a text has it; balanced: texts without it / texts with it. Default: none."""

    r_drop: Positive | None = None
    """Weight of the difference between two passes with different dropout, which each text then
    takes (R-Drop, arXiv:2106.14448); null: one pass. Default: null."""

    label_smoothing: Share = 0.0
    """Probability mass that the loss spreads evenly over all labels; in multi-label over having a
    label and not having it. Default: 0.0."""

    dropout_schedule: DropoutScheduleName = "constant"
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

    metric: SelectionMetric = "accuracy"
    """Validation figure that decides which weights are best; in multi-label accuracy is the share
    of texts with all labels right (exact match), and both it and macro_f1 are taken at thresholds
    tuned on the same texts. Default: accuracy."""

    early_stopping_patience: Count | None = None
    """Evaluations without a better `metric` after which training ends; null: never.
    Default: null."""

    refit: bool = False
    """Train again on training and validation texts together, as many epochs as were best, once
    validation has chosen. Figures on validation, temperature and thresholds are then those of the
    first training, since the second one has seen these texts. Default: false."""

    checkpoint_every: Count | None = None
    """Optimizer steps between checkpoints, from which an interrupted training continues; null:
    before every evaluation, and once a minute. The last step always has one. Default: null."""

    keep_checkpoints: Count = 2
    """Newest checkpoints that are kept while training; a finished run keeps none. Default: 2."""

    contrastive_steps: Index = 0
    """Optimizer steps of a contrastive start, before the head starts and all else: what trains
    below the last map of the head learns to bring the texts of one label together
    (arXiv:2004.11362), as SetFit does (arXiv:2209.11055); for few labels. 0: none. Default: 0."""

    contrastive_learning_rate: Rate | None = None
    """Peak learning rate of the contrastive start; null: `learning_rate`. Default: null."""

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
