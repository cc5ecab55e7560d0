"""torch.compile, layer by layer, for prediction."""

from __future__ import annotations

import os
from shutil import which

import torch

from ranklet.encoder.families import AnyEncoder
from ranklet.errors import RunError

COMPILERS = ("c++", "g++", "clang++")


def compile_layers(encoder: AnyEncoder, device: torch.device) -> None:
    """Compile every layer of an encoder without adapters for texts of any length, in place.

    Raises:
        RunError: There is no C++ compiler, which PyTorch needs on a CPU.
    """
    named = os.environ.get("CXX")
    if device.type == "cpu" and not any(which(name) for name in ([named] if named else COMPILERS)):
        raise RunError(
            "--compile: PyTorch found no C++ compiler; install g++ or name one in CXX, "
            "or leave --compile out"
        )
    encoder.fused = False  # the compiler fuses the plain layers itself
    for layer in encoder.layers:
        layer.compile(dynamic=True)
