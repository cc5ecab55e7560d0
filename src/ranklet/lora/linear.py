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

from ranklet.encoder.fused.linear_maps import LowRank
from ranklet.encoder.quantization import AnyEmbedding, AnyLinear
from ranklet.lora.initial import Factors, weight_factors
from ranklet.vocabulary import AdapterInit


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
    """A frozen linear map, (out_features, in_features), plus a trainable low-rank one.

    With DoRA (Liu et al. 2024, arXiv:2402.09353, equation 5) each row of the sum has a trained
    length of its own; the length it would have is a constant for the gradients (section 4.3).

    The generator draws the initial A, and B starts at zero, unless `init` says otherwise (`eva`
    fills A later). `dropout` is the probability of dropping an input of the update while training.
    """

    _start_down: Tensor | None
    _start_up: Tensor | None

    def __init__(
        self,
        base_layer: AnyLinear,
        rank: int,
        scaling: float,
        dropout: float,
        generator: torch.Generator,
        use_dora: bool = False,
        init: AdapterInit = "default",
    ) -> None:
        super().__init__()
        device = base_layer.weight.device
        self.base_layer = base_layer
        self.scaling = scaling
        self.dropout = dropout
        self.lora_A = _without_bias(base_layer.in_features, rank, device)
        self.lora_B = _without_bias(rank, base_layer.out_features, device)
        factors = weight_factors(base_layer.weight, rank, scaling, init)
        # Buffers, so that they move with the module; they are no part of its files.
        down, up = (None, None) if factors is None else factors
        self.register_buffer("_start_down", down, persistent=False)
        self.register_buffer("_start_up", up, persistent=False)
        if device.type != "meta":
            # The same bound as PEFT's kaiming_uniform_(a=sqrt(5)): 1 / sqrt(in_features).
            bound = base_layer.in_features**-0.5
            initial = torch.empty(self.lora_A.weight.shape).uniform_(
                -bound, bound, generator=generator
            )
            with torch.no_grad():
                self.lora_A.weight.copy_(initial if down is None else down)
                self.lora_B.weight.copy_(torch.zeros(()) if up is None else up)
        self.lora_magnitude_vector = nn.Parameter(self._lengths()) if use_dora else None

    @property
    def start(self) -> Factors | None:
        """What A and B started from and is subtracted ever after, or None."""
        down, up = self._start_down, self._start_up
        return None if down is None or up is None else Factors(down, up)

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features) in the dtype of `states`."""
        base: Tensor = self.base_layer(states)
        dropped = F.dropout(states, self.dropout, self.training) if self.dropout else states
        factors = self._factors()
        down = F.linear(dropped, factors.down.to(states.dtype))
        up = (factors.up * self.scaling).to(states.dtype)
        if self.lora_magnitude_vector is None:
            return torch.addmm(base.flatten(0, -2), down.flatten(0, -2), up.T).view_as(base)
        gain = self.gain()
        # As in PEFT: dropout touches what the gain adds, the frozen map's own result stays whole.
        plain = F.linear(dropped, self.base_layer.weight.to(states.dtype))
        more: Tensor = (gain - 1).to(states.dtype) * plain
        return base + more + gain.to(states.dtype) * F.linear(down, up)

    def low_rank(self) -> LowRank | None:
        """Return the update as two matrices; None while it is more than their product."""
        if (self.dropout and self.training) or self.lora_magnitude_vector is not None:
            return None
        return LowRank(*self._factors(), self.scaling)

    def gain(self) -> Tensor:
        """Return the factor of each row under DoRA: (out_features,) float32."""
        assert self.lora_magnitude_vector is not None
        return self.lora_magnitude_vector / self._lengths()

    def merged_weight(self) -> Tensor:
        """Return the weight of the one map that computes the same: (out, in) float32."""
        if self.lora_magnitude_vector is None:
            return self._sum()
        return self.gain()[:, None] * self._sum()

    def _factors(self) -> Factors:
        if self.start is None:
            return Factors(self.lora_A.weight, self.lora_B.weight)
        return Factors(
            torch.cat([self.lora_A.weight, self.start.down]),
            torch.cat([self.lora_B.weight, -self.start.up], 1),
        )

    def _sum(self) -> Tensor:
        factors = self._factors()
        return self.base_layer.weight.float() + factors.up @ factors.down * self.scaling

    @torch.no_grad()
    def _lengths(self) -> Tensor:
        lengths: Tensor = self._sum().norm(dim=1)
        return lengths


class LoRAEmbedding(nn.Module):
    """A frozen table, (num_embeddings, embedding_dim), plus a trainable low-rank one.

    The generator draws the initial B, A starts at zero, and with DoRA each column of the table has
    a trained length, all as in PEFT.
    """

    def __init__(
        self,
        base_layer: AnyEmbedding,
        rank: int,
        scaling: float,
        generator: torch.Generator,
        use_dora: bool = False,
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
        self.lora_magnitude_vector = nn.Parameter(self._lengths()) if use_dora else None

    def forward(self, token_ids: Tensor) -> Tensor:
        """Look up (tokens,) int64: (tokens, embedding_dim) in the dtype of the frozen table."""
        base: Tensor = self.base_layer(token_ids)
        down = F.embedding(token_ids, self.lora_embedding_A.T)  # (tokens, rank)
        update = F.linear(down, self.lora_embedding_B) * self.scaling
        if self.lora_magnitude_vector is None:
            return base + update.to(base.dtype)
        return ((base.float() + update) * self.gain()).to(base.dtype)

    def gain(self) -> Tensor:
        """Return the factor of each column under DoRA: (embedding_dim,) float32."""
        assert self.lora_magnitude_vector is not None
        return self.lora_magnitude_vector / self._lengths()

    def merged_weight(self) -> Tensor:
        """Return the table that gives the same: (num_embeddings, embedding_dim) float32."""
        return self._sum() if self.lora_magnitude_vector is None else self.gain() * self._sum()

    def _sum(self) -> Tensor:
        update = (self.lora_embedding_B @ self.lora_embedding_A).T * self.scaling
        return self.base_layer.weight.float() + update

    @torch.no_grad()
    def _lengths(self) -> Tensor:
        lengths: Tensor = self._sum().norm(dim=0)
        return lengths


def _without_bias(in_features: int, out_features: int, device: torch.device) -> nn.Linear:
    return nn.Linear(in_features, out_features, bias=False, device=device, dtype=torch.float32)
