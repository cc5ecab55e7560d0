"""The product of states with a frozen weight, by the library that is the faster one for its size.

In float32, PyTorch multiplies by MKL, which reaches the product rate of Intel's processors and half
of what oneDNN does on AMD's (2 threads, 1,728 rows: 0.22 TFLOP/s against 0.5). In bfloat16 both
ways are oneDNN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ranklet.encoder.kernels import Kernel, fastest

TIMED_ROWS = 1024


def multiply(states: Tensor, weight: Tensor, added: Tensor | None) -> Tensor:
    """Return states @ weight.T + added, (rows, out_features) in the dtype of `states`.

    Args:
        states: (rows, in_features).
        weight: (out_features, in_features), in any layout.
        added: (out_features,) or (rows, out_features); None: nothing.
    """
    if weight.dtype == torch.float32 and weight.device.type == "cpu" and _onednn_is_faster(weight):
        return _by_onednn(states, weight, added)
    return _by_pytorch(states, weight, added)


def _by_pytorch(states: Tensor, weight: Tensor, added: Tensor | None) -> Tensor:
    return states @ weight.T if added is None else torch.addmm(added, states, weight.T)


def _by_onednn(states: Tensor, weight: Tensor, added: Tensor | None) -> Tensor:
    bias, residual = (None, added) if added is not None and added.ndim > 1 else (added, None)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
    return product if residual is None else product.add_(residual)


def _onednn_is_faster(weight: Tensor) -> bool:
    out_features, in_features = weight.shape
    layout = "" if weight.is_contiguous() else ", weight transposed"

    def both() -> tuple[Kernel, Kernel]:
        states, dense = torch.randn(TIMED_ROWS, in_features), torch.empty_like(weight).normal_()
        return lambda: _by_pytorch(states, dense, None), lambda: _by_onednn(states, dense, None)

    question = f"product of {in_features} to {out_features}, float32{layout}: PyTorch 0, oneDNN 1"
    return fastest(question, both) == 1
