"""torch.compile, layer by layer, for prediction."""

from __future__ import annotations

import torch

from ranklet.encoder.compilers import find_compiler
from ranklet.encoder.families import AnyEncoder
from ranklet.errors import RunError

COMPILERS = ("c++", "g++", "clang++")


def compile_layers(encoder: AnyEncoder, device: torch.device) -> None:
    """Compile every layer of an encoder without adapters for texts of any length, in place.

    Raises:
        RunError: There is no C++ compiler, which PyTorch needs on a CPU.
    """
    if device.type == "cpu" and find_compiler("CXX", COMPILERS) is None:
        raise RunError(
            "--compile: PyTorch found no C++ compiler; install g++ or name one in CXX, "
            "or leave --compile out"
        )
    encoder.fused = False  # the compiler fuses the plain layers itself
    for layer in encoder.layers:
        layer.compile(dynamic=True)
