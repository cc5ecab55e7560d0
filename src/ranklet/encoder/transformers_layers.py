"""Beginning or ending inside the layers of a network of transformers.

The network itself is never changed: a call goes through shallow copies of it and of whatever holds
its layers, in which some layers compute something else. Parameters are shared, so training reaches
them, and an error or another thread in the middle of a call leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class EndOfCall(Exception):
    """The call ended inside the network; `args[0]` is what it brought out."""


def layer_list_name(network: nn.Module, num_layers: int) -> str | None:
    """Find the list that holds every layer once.

    Returns:
        Name of the one outermost `ModuleList` of that many different modules; None: there is none
        (ALBERT's layers are one layer), or several (FlauBERT has one of each part of a layer).
    """
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == len({*module}) == num_layers > 0
    ]
    outermost = [name for name in names if not any(name.startswith(f"{n}.") for n in names)]
    return outermost[0] if len(outermost) == 1 else None


def outside_layers(network: nn.Module, list_name: str | None) -> list[nn.Module]:
    """Return what holds every parameter that is no layer's; without a list of layers, all."""
    if list_name == "":
        return []
    if list_name is None:
        return [network]
    holder, _, rest = list_name.partition(".")
    children = [child for name, child in network.named_children() if name != holder]
    own = nn.ParameterList(network.parameters(recurse=False))
    return [own, *children, *outside_layers(network.get_submodule(holder), rest)]


def with_layers(network: Any, list_name: str, layers: Sequence[nn.Module]) -> Any:
    """Return the network with other layers in its list of that name, all else shared."""
    if not list_name:
        return nn.ModuleList(layers)
    holder, _, rest = list_name.partition(".")
    copied = copy(network)
    inner = with_layers(network.get_submodule(holder), rest, layers)
    copied._modules = network._modules | {holder: inner}
    return copied


def leaving(layer: nn.Module) -> nn.Module:
    """Return a layer that ends the call with the states that enter it."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        raise EndOfCall(_entering(args, kwargs))

    return _computing(layer, forward)


def showing(layer: nn.Module) -> nn.Module:
    """Return a layer that ends the call with what it returns."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        raise EndOfCall(layer(*args, **kwargs))

    return _computing(layer, forward)


def passing(layer: nn.Module, answer: Any) -> nn.Module:
    """Return a layer that hands on what it gets, for free.

    Args:
        layer: The layer.
        answer: What it returned once: the states, or a tuple that begins with them.
    """

    def forward(*args: Any, **kwargs: Any) -> Any:
        states = _entering(args, kwargs)
        return (states, *answer[1:]) if isinstance(answer, tuple) else states

    return _computing(layer, forward)


def beginning(layer: nn.Module, states: Tensor) -> nn.Module:
    """Return a layer that is entered by other states than those it is given.

    Args:
        layer: The layer.
        states: (texts, max_seqlen, hidden) in the compute dtype.
    """

    def forward(*args: Any, **kwargs: Any) -> Any:
        # Longformer pads further, to a multiple of its window.
        missing = _entering(args, kwargs).shape[1] - states.shape[1]
        padded = F.pad(states, (0, 0, 0, missing))
        if args:
            return layer(padded, *args[1:], **kwargs)
        return layer(**(kwargs | {"hidden_states": padded}))

    return _computing(layer, forward)


def _computing(layer: nn.Module, forward: Callable[..., Any]) -> nn.Module:
    copied = copy(layer)  # whose attributes some networks read beside calling it
    copied.forward = forward
    return copied


def _entering(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    states: Tensor = args[0] if args else kwargs["hidden_states"]
    return states
