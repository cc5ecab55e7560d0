"""Let a GPU repeat the work on a batch by itself, where that is possible."""

from __future__ import annotations

from collections.abc import Callable

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import Corpus
from ranklet.head import module_device
from ranklet.recipe import Recipe
from ranklet.saved.probes import compute_dtype
from ranklet.training.captured_steps import (
    MOST_GRAPHS,
    CapturedGradients,
    cuda_graphs,
    reason_not_to_capture,
)
from ranklet.training.optimizer_step import AddGradients


def capture_steps(
    model: ClassifierNetwork,
    train: Corpus,
    recipe: Recipe,
    report: Callable[[str], None],
    *,
    has_noise: bool = False,
    several_processes: bool = False,
) -> Callable[[AddGradients], AddGradients]:
    """Choose how `fit` works on a batch.

    Args:
        model: As it trains, on its device.
        train: Training texts.
        recipe: A graph would keep the dropout of its capture, and reads no teacher's answers.
        report: Receives a line on what happens on a GPU, or why it does not.
        has_noise: The training texts change from step to step, and no length of them is known.
        several_processes: Parts of batches have sizes of their own.

    Returns:
        From the work on a batch to the work that is done: captured, or as it was.
    """
    device, options = module_device(model), recipe.training
    batch_size = None if options.batch_tokens else options.batch_size
    if recipe.engine.capture_steps == "never" or device.type != "cuda":
        return lambda eager: eager
    reason = reason_not_to_capture(model.encoder, device, compute_dtype(model), batch_size)
    if options.dropout_schedule != "constant":
        reason = "training.dropout_schedule changes what would be captured"
    if has_noise:
        reason = "augmentation changes the lengths of the training texts"
    if recipe.distillation.teacher is not None:
        reason = "a teacher's answers come with every batch"
    if several_processes:
        reason = "several processes share a batch"
    if batch_size is None or reason is not None:
        report(f"steps: every operation is launched by itself, because {reason}")
        return lambda eager: eager
    report(f"steps: captured as CUDA graphs, at most {MOST_GRAPHS} shapes")
    parameters = [tensor for tensor in model.parameters() if tensor.requires_grad]
    longest = int(train.lengths.max())
    return lambda eager: CapturedGradients(
        eager, parameters, batch_size, longest, cuda_graphs(device)
    )
