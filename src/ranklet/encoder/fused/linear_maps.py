"""Linear maps with low-rank additions, forward and backward by hand.

The additions belong to whoever placed them; here they are two thin matrices beside a frozen one.
Several maps of one input are one product: their weights lie below each other, and so do their
additions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from ranklet.encoder.fused.products import multiply
from ranklet.encoder.int8.linear import Int8Linear
from ranklet.encoder.int8.weight import Int8Rows
from ranklet.encoder.quantization import AnyLinear, QuantizedLinear, QuantizedWeight


class LowRank(NamedTuple):
    """An addition scaling * B A x to a linear map.

    Attributes:
        down: A, (rank, in_features) float32.
        up: B, (out_features, rank) float32.
        scaling: Factor of the product.
    """

    down: Tensor
    up: Tensor
    scaling: float


class AdaptedLinear(Protocol):
    """A frozen linear map that somebody added to."""

    base_layer: AnyLinear

    def low_rank(self) -> LowRank | None:
        """Return the addition; None while it is more than two products (dropout)."""


@dataclass(frozen=True, eq=False)
class QuantizedRows:
    """Several quantized weights below each other."""

    parts: tuple[QuantizedWeight, ...]

    def dense(self) -> Tensor:
        """Return (rows of all, columns) in the compute dtype."""
        return torch.cat([part.dense() for part in self.parts])


FrozenWeight = Tensor | QuantizedRows | Int8Rows
"""(out_features, in_features) in the compute dtype, or what multiplies or becomes such a one."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """One or several frozen linear maps of one input, with their additions.

    Attributes:
        weight: (out_features, in_features); several maps lie below each other.
        bias: (out_features,) compute dtype.
        additions: What is added.
        rows: Rows of `weight` that each of them adds to.
        down: All A below each other, (ranks, in_features) compute dtype; None without additions.
        up: All scaling * B on the diagonal of (out_features, ranks), compute dtype.
    """

    weight: FrozenWeight
    bias: Tensor
    additions: tuple[LowRank, ...]
    rows: tuple[slice, ...]
    down: Tensor | None
    up: Tensor | None

    def dense(self) -> Tensor:
        """Return the weight, (out_features, in_features) compute dtype; quantized: a new tensor."""
        return self.weight if isinstance(self.weight, Tensor) else self.weight.dense()

    @property
    def trained(self) -> list[Tensor]:
        """A and B of every addition, in the order of `map_gradients`."""
        return [tensor for addition in self.additions for tensor in (addition.down, addition.up)]

    def if_trained(self, states: Tensor) -> Tensor | None:
        """Return the states that were mapped if `map_gradients` reads them, so that others go."""
        return states if self.additions else None


def base_linear(module: nn.Module) -> AnyLinear:
    """Return a linear map without what was added to it."""
    if isinstance(module, AnyLinear):
        return module
    # Not asked for the protocol, which takes longer than a product of one text.
    return cast(AdaptedLinear, module).base_layer


def join_maps(parts: Sequence[AnyLinear]) -> None:
    """Lay the weights and biases of maps of equal size below each other in memory.

    The maps keep their names and shapes; their tensors become views. Maps in few bits stay as they
    are.
    """
    dense = [part for part in parts if isinstance(part, nn.Linear)]
    if len(dense) < len(parts):
        return
    weight = torch.cat([part.weight.detach() for part in dense])
    bias = torch.cat([part.bias.detach() for part in dense])
    rows = zip(weight.chunk(len(dense)), bias.chunk(len(dense)), strict=True)
    for part, (own, shift) in zip(dense, rows, strict=True):
        part.weight.data, part.bias.data = own, shift


def joined_map(modules: Sequence[nn.Module]) -> LinearMap | None:
    """Describe modules that read one input as one map.

    Args:
        modules: Linear maps, adapted or not, in the order of their rows.

    Returns:
        The map; None where somebody moved or replaced what `join_maps` laid below each other, or
        they are more than a map.
    """
    parts = [base_linear(module) for module in modules]
    few_bits = _in_few_bits(parts)
    if few_bits is not None:
        return linear_map(modules, few_bits, torch.cat([part.bias for part in parts]))
    weight = _below_each_other([part.weight for part in parts])
    bias = _below_each_other([part.bias for part in parts])
    return None if weight is None or bias is None else linear_map(modules, weight, bias)


def _in_few_bits(parts: Sequence[AnyLinear]) -> QuantizedRows | Int8Rows | None:
    """Return the weights of maps that are all kept alike in few bits; None where they are not."""
    quantized = tuple(part.stored for part in parts if isinstance(part, QuantizedLinear))
    if len(quantized) == len(parts):
        return QuantizedRows(quantized)
    integers = tuple(part.stored for part in parts if isinstance(part, Int8Linear))
    return Int8Rows(integers) if len(integers) == len(parts) else None


def _below_each_other(tensors: Sequence[Tensor]) -> Tensor | None:
    first = tensors[0]
    memory, start = first.untyped_storage().data_ptr(), first.storage_offset()
    for index, tensor in enumerate(tensors):
        place = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
        if place != (memory, start + index * first.numel()) or not tensor.is_contiguous():
            return None
    return first.detach().as_strided((sum(map(len, tensors)), *first.shape[1:]), first.stride())


def single_map(module: nn.Module) -> LinearMap | None:
    """Describe one linear map, adapted or not; None if it is more than that."""
    base = base_linear(module)
    few_bits = _in_few_bits([base])
    return linear_map([module], base.weight if few_bits is None else few_bits, base.bias)


def linear_map(
    modules: Sequence[nn.Module], weight: FrozenWeight, bias: Tensor
) -> LinearMap | None:
    """Describe modules that read one input as one map; None if one of them is more than that.

    Args:
        modules: Linear maps, adapted or not, in the order of their rows.
        weight: (out_features of all, in_features), their weights below each other.
        bias: (out_features of all,), their biases.
    """
    rows: list[slice] = []
    additions: list[LowRank] = []
    first = 0
    for module in modules:
        base = base_linear(module)
        if any(parameter.requires_grad for parameter in base.parameters()):
            return None
        end = first + base.out_features
        if module is not base:
            addition = cast(AdaptedLinear, module).low_rank()
            if addition is None:
                return None
            rows.append(slice(first, end))
            additions.append(addition)
        first = end
    down, up = _joined(additions, rows, bias) if additions else (None, None)
    return LinearMap(weight, bias, tuple(additions), tuple(rows), down, up)


@torch.no_grad()
def _joined(
    additions: Sequence[LowRank], rows: Sequence[slice], bias: Tensor
) -> tuple[Tensor, Tensor]:
    if len(additions) == 1 and rows[0] == slice(0, len(bias)):
        (only,) = additions
        return only.down.to(bias.dtype), (only.up * only.scaling).to(bias.dtype)
    down = torch.cat([addition.down for addition in additions]).to(bias.dtype)
    up = bias.new_zeros(len(bias), len(down))
    for addition, block, ranks in zip(additions, rows, _ranks(additions), strict=True):
        up[block, ranks] = (addition.up * addition.scaling).to(bias.dtype)
    return down, up


def _ranks(additions: Sequence[LowRank]) -> list[slice]:
    ends = list(accumulate(len(addition.down) for addition in additions))
    return [slice(end - len(own.down), end) for own, end in zip(additions, ends, strict=True)]


def apply_map(states: Tensor, mapping: LinearMap) -> tuple[Tensor, Tensor | None]:
    """Map (tokens, in_features) to (tokens, out_features).

    Returns:
        The outcome, and the (tokens, ranks) inside the additions, which the backward pass needs.
    """
    if isinstance(mapping.weight, Int8Rows):
        out = mapping.weight.apply(states, mapping.bias)
    else:
        out = multiply(states, mapping.dense(), mapping.bias)
    if mapping.down is None or mapping.up is None:
        return out, None
    reduced = states @ mapping.down.T
    return out.addmm_(reduced, mapping.up.T), reduced


def map_gradients(
    gradient: Tensor, states: Tensor | None, reduced: Tensor | None, mapping: LinearMap
) -> tuple[list[Tensor], Tensor | None]:
    """Return the gradients of the additions: A and B of each, float32.

    Args:
        gradient: (tokens, out_features) of the outcome.
        states: (tokens, in_features) that were mapped; None without additions.
        reduced: What `apply_map` returned.
        mapping: The map.

    Returns:
        The gradients, and the (tokens, ranks) gradient inside the additions.
    """
    if mapping.up is None or states is None or reduced is None:
        return [], None
    inside = gradient @ mapping.up  # (tokens, ranks)
    down = inside.T @ states  # (ranks, in_features)
    # Transposed, (ranks, out_features): the product with few rows is the faster one. Blocks off the
    # diagonal are computed with the rest and not used.
    up = (reduced.T @ gradient).T
    gradients: list[Tensor] = []
    ranks_of = _ranks(mapping.additions)
    for addition, block, ranks in zip(mapping.additions, mapping.rows, ranks_of, strict=True):
        gradients += [down[ranks].float(), up[block, ranks].float() * addition.scaling]
    return gradients, inside


def input_gradient(
    gradient: Tensor, inside: Tensor | None, mapping: LinearMap, residual: Tensor | None = None
) -> Tensor:
    """Return the gradient of what was mapped: (tokens, in_features).

    Args:
        gradient: (tokens, out_features) of the outcome.
        inside: Gradient inside the additions, from `map_gradients`.
        mapping: The map.
        residual: (tokens, in_features) gradient from another way to the same input, to be added.
    """
    if isinstance(mapping.weight, Int8Rows):
        total = mapping.weight.input_gradient(gradient, residual)
    else:
        total = multiply(gradient, mapping.dense().T, residual)
    if mapping.down is not None and inside is not None:
        total.addmm_(inside, mapping.down)
    return total
