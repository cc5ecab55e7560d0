"""Frozen linear maps packed once in the layout that the processor multiplies from.

A product with few rows spends much of its time on bringing the weight into that layout, at every
call: one text alone takes 25 to 30 % less time with packed weights (measured on an Intel Xeon with
AMX). Large batches gain nothing there, or lose, so they take the weight as it lies.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.encoder.kernels import Kernel, faster_up_to
from ranklet.encoder.modules import replace_module
from ranklet.encoder.precision import dtype_name

# Rows of a product up to which the packed weight is taken, where nothing is timed.
PACKED_UP_TO = 256
PACKED_ROWS = (16, 64, 256, 1024, 4096)


class PackedLinear(nn.Module):
    """A frozen linear map with its weight twice: as it lies, and as only oneDNN can read it.

    Args:
        linear: The map, on a CPU.

    Attributes:
        packed_up_to: Rows of a product up to which the packed weight is the faster one.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        # No buffers: they can be neither moved nor saved.
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = None if linear.bias is None else linear.bias.detach().to(linear.weight.dtype)
        self.packed_up_to = faster_up_to(
            f"frozen map of {linear.in_features} to {linear.out_features}, "
            f"{dtype_name(linear.weight.dtype)}: packed up to rows",
            PACKED_ROWS,
            PACKED_UP_TO,
            self._both_ways,
        )

    def forward(self, states: Tensor) -> Tensor:
        """Map (rows, in_features) to (rows, out_features) in the dtype of `states`."""
        if len(states) > self.packed_up_to:
            mapped: Tensor = self.linear(states)
            return mapped
        return self._from_packed(states)

    def _from_packed(self, states: Tensor) -> Tensor:
        packed: Tensor = torch.ops.mkldnn._linear_pointwise(
            states, self.packed, self.bias, "none", [], ""
        )
        return packed

    def _both_ways(self, rows: int) -> tuple[Kernel, Kernel]:
        weight = self.linear.weight
        states = torch.randn(rows, self.linear.in_features).to(weight.dtype)
        return (
            lambda: self._from_packed(states),
            lambda: F.linear(states, weight, self.bias),
        )


def can_pack(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether oneDNN has a layout of its own for such weights."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and device.type == "cpu" and dtype in (torch.float32, torch.bfloat16)


def pack_linear_maps(root: nn.Module) -> int:
    """Pack every linear map of a module that will train no more, in place.

    Args:
        root: Its maps lie where `can_pack`.

    Returns:
        The number of maps.
    """
    maps = {name: module for name, module in root.named_modules() if isinstance(module, nn.Linear)}
    for name, module in maps.items():
        replace_module(root, name, PackedLinear(module))
    return len(maps)
