"""The `engine` section of a recipe."""

from __future__ import annotations

from pydantic import BaseModel

from ranklet.recipe.values import STRICT, Positive
from ranklet.vocabulary import (
    AttentionBackend,
    Device,
    Precision,
    Products,
    Quantization,
    WhenItPays,
)


class EngineSection(BaseModel):
    """The machine and the arithmetic."""

    model_config = STRICT

    device: Device = "auto"
    """Where to compute; auto: the first GPU where there is one. Default: auto."""

    precision: Precision = "auto"
    """Number format of the frozen encoder; auto: bfloat16 where the processor has it, else float32;
    float16 trains with a scaled loss. Default: auto."""

    quantization: Quantization = "none"
    """How the frozen weights of the encoder are kept: as they compute, in 8 bits, or in the 4 of
    QLoRA (arXiv:2305.14314), each with a scale for 64 numbers. Less memory, more time.
    Default: none."""

    products: Products = "float"
    """How the frozen weights of the layers are multiplied: as engine.precision says, or in 8-bit
    integers with a scale for every row, forward and backward: faster on a CPU with a C compiler.
    The classifier then always multiplies so. Default: float."""

    attention: AttentionBackend = "sdpa"
    """sdpa: fused layers and PyTorch's attention kernel; reference: their plain twins that check
    them. Default: sdpa."""

    cache_frozen_layers: WhenItPays = "auto"
    """Layers below the lowest adapter: compute them once, keep their states on disk and begin every
    epoch there; auto: when that pays. Default: auto."""

    cache_limit_gib: Positive = 16.0
    """Most GiB (2**30 bytes) of disk for the states of frozen layers, all runs together.
    Default: 16.0."""

    capture_steps: WhenItPays = "auto"
    """Capture the work on a training batch as a CUDA graph for each of a few shapes and repeat it
    from there; auto: on a GPU in half precision, with training.batch_size. Default: auto."""

    activation_checkpointing: bool = False
    """Compute each layer's activations again for the gradients instead of keeping them: less
    memory, about a third more time (arXiv:1604.06174). Default: false."""
