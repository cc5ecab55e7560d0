"""Find the largest rank that a budget allows: from shapes alone, without weights or a network."""

# ruff: noqa: T201
from __future__ import annotations

import ranklet

BUDGET = 1_000_000
FIXED = ["encoder=roberta-base", "pooling=cls", "head=dense", f"budget={BUDGET}"]


def planned(modules: str, rank: int) -> ranklet.ParameterPlan:
    """Plan adapters of one rank on some modules, four labels."""
    changes = [f"adapter.target_modules={modules}", f"adapter.rank={rank}"]
    return ranklet.plan(ranklet.load_recipe("ag_news", [*FIXED, *changes]))


if __name__ == "__main__":
    for modules in ("[query, value]", "[query, key, value]", "all-linear"):
        first = planned(modules, rank=1)
        unit = planned(modules, rank=2).total - first.total
        best = planned(modules, rank=1 + first.remaining // unit)
        rank = max(row.rank or 0 for row in best.rows)
        print(f"{modules:<20} rank {rank:>2}: {best.total:>9,} of {BUDGET:,} parameters")
