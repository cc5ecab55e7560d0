"""Low-rank adapters on a linear map and on an embedding table.

Hu et al. 2021 (arXiv:2106.09685), section 4.1: W x + (alpha / rank) B A x, with B zero at first.
Parameter names are PEFT's, so that a state dict reads like an adapter file.
"""

from __future__ import annotations

import hashlib
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.encoder.low_rank import LowRank


def lora_scaling(rank: int, alpha: float, use_rslora: bool) -> float:
    """Return the factor of the low-rank product.

    alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA (Kalajdzievski 2023,
    arXiv:2312.03732, section 3).
    """
    return alpha / math.sqrt(rank) if use_rslora else alpha / rank


def module_generator(seed: int, module: str) -> torch.Generator:
    """Return a random generator of its own for a module, independent of all other modules."""
    digest = hashlib.sha256(f"{seed}:{module}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class LoRALinear(nn.Module):
    """A frozen linear map plus a trainable low-rank one.

    Args:
        base_layer: The frozen map, (out_features, in_features).
        rank: Rank of the update.
        scaling: Factor of the update.
        dropout: Probability of dropping an input of the update while training.
        generator: Draws the initial A; B starts at zero.
    """

    def __init__(
        self,
        base_layer: nn.Linear,
        rank: int,
        scaling: float,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        device = base_layer.weight.device
        self.base_layer = base_layer
        self.scaling = scaling
        self.dropout = dropout
        self.lora_A = _without_bias(base_layer.in_features, rank, device)
        self.lora_B = _without_bias(rank, base_layer.out_features, device)
        if device.type != "meta":
            # The same bound as PEFT's kaiming_uniform_(a=sqrt(5)): 1 / sqrt(in_features).
            bound = base_layer.in_features**-0.5
            initial = torch.empty(self.lora_A.weight.shape).uniform_(
                -bound, bound, generator=generator
            )
            with torch.no_grad():
                self.lora_A.weight.copy_(initial)
                self.lora_B.weight.zero_()

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features) in the dtype of `states`."""
        base: Tensor = self.base_layer(states)
        dropped = F.dropout(states, self.dropout, self.training) if self.dropout else states
        down = F.linear(dropped, self.lora_A.weight.to(states.dtype))
        up = (self.lora_B.weight * self.scaling).to(states.dtype)
        return torch.addmm(base.flatten(0, -2), down.flatten(0, -2), up.T).view_as(base)

    def low_rank(self) -> LowRank | None:
        """Return the update as two matrices; None while dropout stands between them."""
        if self.dropout and self.training:
            return None
        return LowRank(self.lora_A.weight, self.lora_B.weight, self.scaling)


class LoRAEmbedding(nn.Module):
    """A frozen embedding table plus a trainable low-rank one.

    Args:
        base_layer: The frozen table, (num_embeddings, embedding_dim).
        rank: Rank of the update.
        scaling: Factor of the update.
        generator: Draws the initial B; A starts at zero, as in PEFT.
    """

    def __init__(
        self, base_layer: nn.Embedding, rank: int, scaling: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        device = base_layer.weight.device
        self.base_layer = base_layer
        self.scaling = scaling
        shape_a = (rank, base_layer.num_embeddings)
        shape_b = (base_layer.embedding_dim, rank)
        self.lora_embedding_A = nn.Parameter(torch.zeros(shape_a, device=device))
        self.lora_embedding_B = nn.Parameter(torch.zeros(shape_b, device=device))
        if device.type != "meta":
            with torch.no_grad():
                self.lora_embedding_B.copy_(torch.empty(shape_b).normal_(generator=generator))

    def forward(self, token_ids: Tensor) -> Tensor:
        """Look up (tokens,) int64: (tokens, embedding_dim) in the dtype of the frozen table."""
        base: Tensor = self.base_layer(token_ids)
        down = F.embedding(token_ids, self.lora_embedding_A.T)  # (tokens, rank)
        update = F.linear(down, self.lora_embedding_B) * self.scaling
        return base + update.to(base.dtype)


def _without_bias(in_features: int, out_features: int, device: torch.device) -> nn.Linear:
    return nn.Linear(in_features, out_features, bias=False, device=device, dtype=torch.float32)
