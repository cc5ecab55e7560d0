"""A frozen encoder layer with its adapters as one function, forward and backward by hand.

It computes what `Layer` computes, and its gradients. The query, key and value projections are one
product, the gradients of what was read twice are added inside matrix products, and nothing is kept
that the gradients do not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ranklet.encoder.fused.attention import Gradient, attend
from ranklet.encoder.fused.linear_maps import LinearMap, apply_map, input_gradient, map_gradients
from ranklet.encoder.packing import PaddedLayout

aten = torch.ops.aten

ACTIVATION_GRADIENTS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gelu": lambda gradient, states: aten.gelu_backward(gradient, states),
    "gelu_new": lambda gradient, states: aten.gelu_backward(gradient, states, approximate="tanh"),
    "gelu_pytorch_tanh": lambda gradient, states: aten.gelu_backward(
        gradient, states, approximate="tanh"
    ),
    "relu": lambda gradient, states: aten.threshold_backward(gradient, states, 0),
}


@dataclass(frozen=True, eq=False)
class Norm:
    """A frozen layer normalisation.

    Attributes:
        weight: (hidden,) compute dtype.
        bias: (hidden,) compute dtype.
        eps: Added to the variance.
    """

    weight: Tensor
    bias: Tensor
    eps: float


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """Everything a layer computes with.

    Attributes:
        projections: Query, key and value, (3 * hidden, hidden).
        attention_output: (hidden, hidden).
        attention_norm: After the attention.
        intermediate: (intermediate, hidden).
        output: (hidden, intermediate).
        output_norm: After the feed-forward network.
        head_dim: Width of an attention head.
        activation: Of the feed-forward network.
        activation_gradient: (gradient, input of the activation) -> gradient of that input.
    """

    projections: LinearMap
    attention_output: LinearMap
    attention_norm: Norm
    intermediate: LinearMap
    output: LinearMap
    output_norm: Norm
    head_dim: int
    activation: Callable[[Tensor], Tensor]
    activation_gradient: Callable[[Tensor, Tensor], Tensor]

    @property
    def linear(self) -> tuple[LinearMap, ...]:
        """The linear maps, first to last."""
        return (self.projections, self.attention_output, self.intermediate, self.output)


@runtime_checkable
class FusibleLayer(Protocol):
    """A layer that can say what it computes with."""

    def projections(self) -> tuple[nn.Module, ...]:
        """Return the maps to query, key and value."""

    def intermediate_map(self) -> nn.Module:
        """Return the first map of the feed-forward network."""

    def maps(self) -> LayerMaps | None:
        """Describe the layer; None while it is more than frozen low-rank maps."""


def layer_maps(
    *,
    projections: LinearMap | None,
    attention_output: LinearMap | None,
    attention_norm: Norm | None,
    intermediate: LinearMap | None,
    output: LinearMap | None,
    output_norm: Norm | None,
    head_dim: int,
    activation: Callable[[Tensor], Tensor],
    activation_gradient: Callable[[Tensor, Tensor], Tensor],
) -> LayerMaps | None:
    """Collect the parts of a layer; None where one of them cannot be described."""
    if projections is None or attention_output is None or attention_norm is None:
        return None
    if intermediate is None or output is None or output_norm is None:
        return None
    return LayerMaps(
        projections,
        attention_output,
        attention_norm,
        intermediate,
        output,
        output_norm,
        head_dim,
        activation,
        activation_gradient,
    )


def norm(module: nn.LayerNorm) -> Norm | None:
    """Describe a layer normalisation; None if it trains."""
    if any(parameter.requires_grad for parameter in module.parameters()):
        return None
    return Norm(module.weight, module.bias, module.eps)


def input_sizes(layers: Iterable[nn.Module]) -> dict[nn.Module, Tensor]:
    """Return how large the inputs of maps behind a norm are, as the norm says.

    Args:
        layers: First to last, frozen.

    Returns:
        For each such map (in_features,) float32: the root mean square of what the norm makes of
        standard normal numbers. Layers that cannot be described have none.
    """
    sizes: dict[nn.Module, Tensor] = {}
    before: Norm | None = None
    for layer in layers:
        maps = layer.maps() if isinstance(layer, FusibleLayer) else None
        if not isinstance(layer, FusibleLayer) or maps is None:
            before = None
            continue
        if before is not None:
            sizes |= dict.fromkeys(layer.projections(), _size(before))
        sizes[layer.intermediate_map()] = _size(maps.attention_norm)
        before = maps.output_norm
    return sizes


def _size(norm: Norm) -> Tensor:
    return torch.hypot(norm.weight.float(), norm.bias.float()).clamp_min(1e-3)


def fused_layer(
    hidden: Tensor, layout: PaddedLayout, maps: LayerMaps, checkpointing: bool = False
) -> Tensor:
    """Compute a layer for all tokens.

    Args:
        hidden: (tokens, hidden) compute dtype.
        layout: Where the tokens of each text stand.
        maps: The layer.
        checkpointing: Keep only `hidden` for the gradients and compute the rest again for them
            (Chen et al. 2016, arXiv:1604.06174).

    Returns:
        (tokens, hidden), differentiable in `hidden` and in the additions of the maps.
    """
    trained = [tensor for mapping in maps.linear for tensor in mapping.trained]
    if not torch.is_grad_enabled():
        return _forward(hidden, layout, maps, recording=False)[0]
    states: Tensor = _FusedLayer.apply(  # type: ignore[no-untyped-call]
        hidden, layout, maps, checkpointing, *trained
    )
    return states


@dataclass(frozen=True, eq=False)
class _SavedTensors:
    """What the backward pass needs; each (tokens, its width) compute dtype.

    `hidden`, `context`, `attended` and `activated` are None where the map that reads them has no
    additions: nothing trained asks for them then, and `activated` alone is a quarter of a layer.
    """

    hidden: Tensor | None
    attention_gradient: Gradient
    context: Tensor | None
    attention_sum: Tensor
    attention_moments: tuple[Tensor, Tensor]
    attended: Tensor | None
    intermediate: Tensor
    activated: Tensor | None
    output_sum: Tensor
    output_moments: tuple[Tensor, Tensor]
    reduced: tuple[Tensor | None, ...]


def _forward(
    hidden: Tensor, layout: PaddedLayout, maps: LayerMaps, recording: bool
) -> tuple[Tensor, _SavedTensors]:
    projected, reduced_projections = apply_map(hidden, maps.projections)
    context, attention_gradient = attend(projected, layout, maps.head_dim, recording)
    attention_sum, reduced_attention = apply_map(context, maps.attention_output)
    attention_sum += hidden
    attended, *attention_moments = _normalise(attention_sum, maps.attention_norm)
    intermediate, reduced_intermediate = apply_map(attended, maps.intermediate)
    activated = maps.activation(intermediate)
    output_sum, reduced_output = apply_map(activated, maps.output)
    output_sum += attended
    states, *output_moments = _normalise(output_sum, maps.output_norm)
    saved = _SavedTensors(
        maps.projections.if_trained(hidden),
        attention_gradient,
        maps.attention_output.if_trained(context),
        attention_sum,
        (attention_moments[0], attention_moments[1]),
        maps.intermediate.if_trained(attended),
        intermediate,
        maps.output.if_trained(activated),
        output_sum,
        (output_moments[0], output_moments[1]),
        (reduced_projections, reduced_attention, reduced_intermediate, reduced_output),
    )
    return states, saved


def _backward(
    gradient: Tensor, saved: _SavedTensors, maps: LayerMaps, needs_input: bool
) -> tuple[Tensor | None, list[Tensor]]:
    gradient = _norm_gradient(gradient, saved.output_sum, saved.output_moments, maps.output_norm)
    residual = gradient
    output, inside = map_gradients(gradient, saved.activated, saved.reduced[3], maps.output)
    gradient = input_gradient(gradient, inside, maps.output)
    gradient = maps.activation_gradient(gradient, saved.intermediate)
    middle, inside = map_gradients(gradient, saved.attended, saved.reduced[2], maps.intermediate)
    gradient = input_gradient(gradient, inside, maps.intermediate, residual)
    gradient = _norm_gradient(
        gradient, saved.attention_sum, saved.attention_moments, maps.attention_norm
    )
    residual = gradient
    attention, inside = map_gradients(
        gradient, saved.context, saved.reduced[1], maps.attention_output
    )
    gradient = input_gradient(gradient, inside, maps.attention_output)
    gradient = saved.attention_gradient(gradient)
    first, inside = map_gradients(gradient, saved.hidden, saved.reduced[0], maps.projections)
    trained = [*first, *attention, *middle, *output]
    if not needs_input:
        return None, trained
    return input_gradient(gradient, inside, maps.projections, residual), trained


class _FusedLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        layout: PaddedLayout,
        maps: LayerMaps,
        checkpointing: bool,
        *trained: Tensor,
    ) -> Tensor:
        del trained  # they are inside the maps; named here so that gradients reach them
        states, saved = _forward(hidden, layout, maps, recording=not checkpointing)
        ctx.hidden, ctx.layout, ctx.maps = hidden, layout, maps
        ctx.saved = None if checkpointing else saved
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved or _forward(ctx.hidden, ctx.layout, ctx.maps, recording=True)[1]
        ctx.saved = ctx.hidden = None
        before, trained = _backward(gradient, saved, ctx.maps, ctx.needs_input_grad[0])
        return (before, None, None, None, *trained)


def _normalise(states: Tensor, weights: Norm) -> Sequence[Tensor]:
    return torch.native_layer_norm(
        states, states.shape[-1:], weights.weight, weights.bias, weights.eps
    )


def _norm_gradient(
    gradient: Tensor, states: Tensor, moments: tuple[Tensor, Tensor], weights: Norm
) -> Tensor:
    gradients = aten.native_layer_norm_backward(
        gradient.contiguous(),
        states,
        states.shape[-1:],
        *moments,
        weights.weight,
        weights.bias,
        [True, False, False],
    )
    before: Tensor = gradients[0]
    return before
