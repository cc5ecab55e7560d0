"""Fewer ranks for a trained adapter, by the singular values of what it adds.

Each update scaling * B A is written as U S V^T; keeping its k largest singular values is the best
update of rank k in the Frobenius norm (Eckart and Young 1936, doi:10.1007/BF02288367).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ranklet.lora.adapter_file import AdapterFile
from ranklet.lora.linear import lora_scaling
from ranklet.lora.placement import Placement

_LINEAR = ("lora_A.weight", "lora_B.weight")
_EMBEDDING = ("lora_embedding_A", "lora_embedding_B")


@dataclass(frozen=True)
class Spectrum:
    """One adapter's update, ordered by importance.

    Attributes:
        left: U, (out_features, values) float64.
        values: Singular values, (values,) float64, largest first.
        right: V^T, (values, in_features) float64.
        names: Names of its two tensors below the module, A first.
    """

    left: Tensor
    values: Tensor
    right: Tensor
    names: tuple[str, str]

    @property
    def parameters_per_rank(self) -> int:
        """Parameters that each unit of rank costs."""
        return len(self.left) + self.right.shape[1]


def spectra(adapter: AdapterFile) -> dict[str, Spectrum]:
    """Return the singular values of every update of an adapter, by module."""
    return {placement.module: _spectrum(adapter, placement) for placement in adapter.placements}


def indispensable(adapter: AdapterFile) -> frozenset[str]:
    """List the modules that must keep an adapter, since more than its two factors was trained.

    A bias that trains only because its module is adapted is one such tensor: the file format
    cannot hold it without the adapter.
    """
    modules = {placement.module for placement in adapter.placements}
    factors = (*_LINEAR, *_EMBEDDING)
    further = [name for name in adapter.tensors if not name.endswith(factors)]
    if adapter.bias == "all":
        further = [name for name in further if not name.endswith(".bias")]
    return frozenset(m for m in modules if any(name.startswith(f"{m}.") for name in further))


def smallest_cost(costs: Mapping[str, int], needed: Collection[str]) -> int:
    """Return the parameters of the smallest adapter: rank 1 where needed, else in one module."""
    return sum(costs[module] for module in needed) or min(costs.values())


def choose_ranks(
    values: Mapping[str, Tensor], costs: Mapping[str, int], budget: int, needed: Collection[str]
) -> dict[str, int]:
    """Decide which singular values a budget keeps.

    The values with the least energy (square) for each parameter go first, over all modules, until
    the rest fits; what the last one leaves over is filled with the next ones that still fit.

    Values are largest first, costs the parameters of a unit of rank, both by module; the modules in
    `needed` keep rank 1 at least, so the budget is at least `smallest_cost`.

    Returns:
        The rank of every module that keeps one; equal input gives equal ranks.
    """
    ranks = {module: int(module in needed) for module in values}
    left = budget - sum(costs[module] for module in needed)
    units = [
        (-(float(value) ** 2) / costs[module], order, position, module)
        for order, module in enumerate(values)
        for position, value in enumerate(values[module])
    ]
    for _, _, position, module in sorted(units):
        # Only the next value of a module may join: a truncation has no gaps.
        if position == ranks[module] and costs[module] <= left:
            ranks[module] += 1
            left -= costs[module]
    return {module: rank for module, rank in ranks.items() if rank}


def truncate_adapter(
    adapter: AdapterFile, parts: Mapping[str, Spectrum], ranks: Mapping[str, int]
) -> AdapterFile:
    """Keep the largest singular values of every update; modules without a rank drop out.

    Both factors take the root of the singular values and alpha equals the rank, so that the
    scaling is 1 and B A is the truncated update itself.
    """
    factors = {
        f"{module}.{name}": tensor
        for module, rank in ranks.items()
        for name, tensor in _factors(parts[module], rank).items()
    }
    own = {f"{module}.{name}" for module, part in parts.items() for name in part.names}
    others = {name: tensor for name, tensor in adapter.tensors.items() if name not in own}
    rank = Counter(ranks.values()).most_common(1)[0][0]
    return replace(
        adapter,
        rank=rank,
        alpha=float(rank),
        placements=tuple(Placement(module, r, float(r)) for module, r in ranks.items()),
        use_rslora=False,
        tensors=factors | others,
    )


def kept_energy(parts: Mapping[str, Spectrum], ranks: Mapping[str, int]) -> float:
    """Return the share, 0..1, of the squared singular values of all updates that is kept."""
    whole = sum(float(part.values.square().sum()) for part in parts.values())
    retained = sum(float(parts[m].values[:rank].square().sum()) for m, rank in ranks.items())
    return retained / whole if whole else 1.0


def _spectrum(adapter: AdapterFile, placement: Placement) -> Spectrum:
    module = placement.module
    names = _LINEAR if f"{module}.{_LINEAR[0]}" in adapter.tensors else _EMBEDDING
    down, up = (adapter.tensors[f"{module}.{name}"].double() for name in names)
    scaling = lora_scaling(placement.rank, placement.alpha, adapter.use_rslora)
    # Of the two thin factors, so that a table of 50,000 rows costs no matrix of its own size.
    left, left_rest = torch.linalg.qr(up)
    right, right_rest = torch.linalg.qr(down.T)
    turn, values, back = torch.linalg.svd(scaling * left_rest @ right_rest.T, full_matrices=False)
    return Spectrum(left @ turn, values, back @ right.T, names)


def _factors(part: Spectrum, rank: int) -> dict[str, Tensor]:
    root = part.values[:rank].sqrt()
    down = (root[:, None] * part.right[:rank]).float().contiguous()
    up = (part.left[:, :rank] * root).float().contiguous()
    return dict(zip(part.names, (down, up), strict=True))
