"""A frozen linear map that multiplies in 8-bit integers, for layers that are not fused too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ranklet.encoder.int8.weight import Int8Rows, int8_weight
from ranklet.encoder.modules import replace_module


class Int8Linear(nn.Module):
    """A frozen linear map on the CPU; its bias is as it was and may train.

    `sizes` of its inputs are those of `int8_weight`.

    Attributes:
        kind: Class of the map.
    """

    def __init__(self, linear: nn.Linear, sizes: Tensor | None = None) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.kind = type(linear)
        # No buffers: what is packed can be neither moved nor saved.
        self.stored = int8_weight(linear.weight, sizes)
        self.bias = linear.bias

    @property
    def weight(self) -> Tensor:
        """The weight it multiplies by, (out_features, in_features), new at every call."""
        return self.stored.dense().to(self.stored.dtype)

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features) in the dtype of `states`."""
        rows = states.reshape(-1, self.in_features)
        mapped: Tensor = _IntegerProduct.apply(  # type: ignore[no-untyped-call]
            rows, Int8Rows((self.stored,)), self.bias
        )
        return mapped.view(*states.shape[:-1], self.out_features)


class _IntegerProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Int8Rows, bias: Tensor | None) -> Tensor:
        ctx.weight, ctx.bias_dtype = weight, None if bias is None else bias.dtype
        return weight.apply(states, None if bias is None else bias.detach().to(states.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        states = bias = None
        if ctx.needs_input_grad[0]:
            states = ctx.weight.input_gradient(gradient.contiguous(), None)
        if ctx.needs_input_grad[2]:
            bias = gradient.sum(0, dtype=ctx.bias_dtype)
        return states, None, bias


def multiply_in_int8(root: nn.Module, sizes: Mapping[nn.Module, Tensor]) -> None:
    """Let the frozen linear maps of a module multiply in integers, in place.

    Args:
        root: The module.
        sizes: Of the inputs of some of its maps, as in `int8_weight`.
    """
    for name, module in list(root.named_modules()):
        if isinstance(module, nn.Linear) and not module.weight.requires_grad:
            replace_module(root, name, Int8Linear(module, sizes.get(module)))


def multiplies_in_int8(root: nn.Module) -> bool:
    """Tell whether a module has maps that multiply in integers."""
    return any(isinstance(module, Int8Linear) for module in root.modules())


def integer_weights(roots: Iterable[nn.Module]) -> Iterator[Tensor]:
    """Yield what maps in integers multiply by, each (out_features, in_features) float32."""
    for root in roots:
        for module in root.modules():
            if isinstance(module, Int8Linear):
                yield module.stored.dense()
