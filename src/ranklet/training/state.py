"""What changes while training, each thing with the `state_dict` of PyTorch's own parts.

A checkpoint holds the `state_dict` of each under a name. Whatever else comes to change while
training (an average of the weights, a sampler) needs the two methods and a name, see `fit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ranklet.classifier import restore_state


@runtime_checkable
class Stateful(Protocol):
    """A thing that changes while training: an optimizer, a scaler, what is below."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return its state: dicts, lists and tuples with tensors and JSON types at the ends."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Become what `state_dict` was returned by."""
        ...


@dataclass(frozen=True, eq=False)
class TrainedTensors:
    """The tensors of a model that train; the others are frozen."""

    model: nn.Module

    def state_dict(self) -> dict[str, Tensor]:
        """Return them by name, not copied."""
        named = self.model.named_parameters()
        return {name: tensor.detach() for name, tensor in named if tensor.requires_grad}

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Write them back in place."""
        restore_state(self.model, state_dict)


@dataclass(frozen=True)
class RandomNumbers:
    """PyTorch's own generators, which dropout draws from: the CPU's and that of a GPU.

    Python's and NumPy's global ones are used nowhere in a training.
    """

    device: torch.device

    def state_dict(self) -> dict[str, Tensor]:
        """Return the states, uint8."""
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Draw from here on what was drawn then."""
        torch.set_rng_state(state_dict["cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state_dict["cuda"], self.device)


@dataclass(frozen=True, eq=False)
class OwnGenerator:
    """A generator that something of the training has for itself."""

    generator: torch.Generator

    def state_dict(self) -> dict[str, Tensor]:
        """Return its state, uint8."""
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Draw from here on what was drawn then."""
        self.generator.set_state(state_dict["state"])
