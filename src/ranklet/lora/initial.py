"""Where adapters start: factors taken from the frozen weight or from activations.

A start that is not zero changes what the network computes before anything is learned, so PiSSA and
OLoRA take it off the frozen weight. Here the weight stays as it is and the start is subtracted
inside the adapter, W x + s (B A - B0 A0) x, which is the same number: nothing rounds twice, dropout
disturbs only what was learned, and the trained adapter is a plain LoRA of twice the rank on the
unchanged base.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ranklet.errors import AdapterError
from ranklet.vocabulary import AdapterInit


class Factors(NamedTuple):
    """Two thin matrices whose product is B A.

    Attributes:
        down: A, (rank, in_features) float32.
        up: B, (out_features, rank) float32.
    """

    down: Tensor
    up: Tensor


def weight_factors(weight: Tensor, rank: int, scaling: float, init: AdapterInit) -> Factors | None:
    """Return the factors of a weight that an adapter starts from.

    Args:
        weight: (out_features, in_features), the frozen weight.
        rank: Rank of the adapter.
        scaling: Factor of its product.
        init: `pissa` (Meng et al. 2024, arXiv:2404.02948, equations 2 and 3): the largest singular
            values; `olora` (Büyükakyüz 2024, arXiv:2406.01775): the first columns of a QR
            decomposition. The others start at zero.

    Returns:
        The factors, or None where the adapter starts at zero.
    """
    if init not in ("pissa", "olora") or weight.device.type == "meta":
        return None
    matrix = weight.detach().float()
    if init == "olora":
        orthonormal, rest = torch.linalg.qr(matrix)
        return Factors(rest[:rank].contiguous(), orthonormal[:, :rank].contiguous())
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    root = (values[:rank] / scaling).sqrt()
    return Factors(root[:, None] * right[:rank], left[:, :rank] * root)


def check_rank(module: str, rank: int, sides: tuple[int, int], init: AdapterInit) -> None:
    """Refuse a rank that a weight of (in_features, out_features), or its input, does not have.

    Raises:
        AdapterError: The rank is too high for this start.
    """
    most = {"default": rank, "eva": sides[0]}.get(init, min(sides))
    if rank > most:
        raise AdapterError(
            f"adapter.init: {init} has rank {most} at most on {module} "
            f"({sides[0]} x {sides[1]}), not {rank}; lower its rank or use init: default"
        )


def main_directions(moments: Tensor, rank: int) -> Tensor:
    """Return the directions in which activations are largest, as rows.

    EVA (Paischer et al. 2024, arXiv:2410.07170, section 3): the right singular vectors of the
    activations are the eigenvectors of their second moments. Signs are fixed, so that equal moments
    give equal directions.

    Args:
        moments: (in_features, in_features), the sum of x x' over tokens.
        rank: Directions to return.

    Returns:
        (rank, in_features) float32, orthonormal.
    """
    _, vectors = torch.linalg.eigh(moments)
    rows = vectors.T.flip(0)[:rank]
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    directions: Tensor = (rows * largest.sign()).float()
    return directions


def doubled_alpha(alpha: float, use_rslora: bool) -> float:
    """Return the alpha that keeps the scaling of an adapter at twice its rank."""
    return alpha * (math.sqrt(2) if use_rslora else 2)


def plain_tensors(root: nn.Module, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """Write adapters that subtract their start as plain LoRA of twice the rank.

    B A - B0 A0 = [B, -B0] [A; A0] (PEFT's `path_initial_model_for_weight_conversion`).

    Returns:
        The tensors to save, and how many of their numbers are the start, which did not train.
    """
    tensors, fixed = dict(state), 0
    for name, module in root.named_modules():
        start = getattr(module, "start", None)
        if not isinstance(start, Factors):
            continue
        down, up = f"{name}.lora_A.weight", f"{name}.lora_B.weight"
        tensors[down] = torch.cat([state[down], start.down.to(state[down].device)])
        tensors[up] = torch.cat([state[up], -start.up.to(state[up].device)], 1)
        fixed += start.down.numel() + start.up.numel()
    return tensors, fixed
