"""Learning rates of a whole training against those of transformers and of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from ranklet.training.schedules import learning_rate_factor

transformers = pytest.importorskip("transformers")

TOTAL, WARMUP = 37, 5
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cosine": ({}, {}),
    "linear": ({}, {}),
    "cosine_with_restarts": ({"num_cycles": 3}, {"num_cycles": 3}),
    "polynomial": ({"power": 1.7}, {"power": 1.7, "lr_end": 0.0}),
}


def rates(build: Callable[[torch.optim.Optimizer], LRScheduler]) -> list[float]:
    """Return the learning rate of every step, the peak being 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = build(optimizer)
    found = []
    for _ in range(TOTAL):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return found


def ours(name: Any, warmup: int = WARMUP, **options: Any) -> list[float]:
    return [
        learning_rate_factor(step, schedule=name, warmup_steps=warmup, total_steps=TOTAL, **options)
        for step in range(1, TOTAL + 1)
    ]


def theirs(name: str, **options: Any) -> list[float]:
    return rates(
        lambda optimizer: transformers.get_scheduler(
            name, optimizer, WARMUP, TOTAL, scheduler_specific_kwargs=options
        )
    )


@pytest.mark.parametrize("name", CASES)
def test_the_course_after_the_warm_up_is_that_of_transformers(name: str) -> None:
    options, same = CASES[name]
    assert ours(name, **options)[WARMUP:] == pytest.approx(theirs(name, **same)[WARMUP:], abs=1e-12)
    assert ours(name, WARMUP + 1, **options)[WARMUP:] != pytest.approx(
        theirs(name, **same)[WARMUP:], abs=1e-3
    )


def test_one_cycle_is_that_of_pytorch() -> None:
    def one_cycle(optimizer: torch.optim.Optimizer) -> LRScheduler:
        return OneCycleLR(
            optimizer, 1.0, total_steps=TOTAL + 1, pct_start=WARMUP / (TOTAL + 1),
            cycle_momentum=False,
        )  # fmt: skip

    # PyTorch refuses a step after the last, so its cycle is one longer and ours is asked for it.
    longer = [
        learning_rate_factor(step, schedule="one_cycle", warmup_steps=WARMUP, total_steps=TOTAL + 1)
        for step in range(1, TOTAL + 1)
    ]
    assert longer == pytest.approx(rates(one_cycle), abs=1e-12)
    assert ours("one_cycle") != pytest.approx(rates(one_cycle), abs=1e-3)
