"""One module in the place of another."""

from __future__ import annotations

from torch import nn


def replace_module(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one of that full name."""
    parent, _, child = name.rpartition(".")
    root.get_submodule(parent).register_module(child, module)
