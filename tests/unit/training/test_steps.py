"""The plan of a training: every step before the first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ranklet.training.steps import Indices, training_steps


def test_epochs_after_the_last_step_are_not_asked_for() -> None:
    asked_for: list[int] = []

    def epochs() -> Iterator[list[Indices]]:
        for epoch in range(1_000_000):
            asked_for.append(epoch)
            yield [np.arange(2)] * 3

    steps = training_steps(epochs(), accumulation=1, max_steps=5, evaluate_every=None)
    assert [(step.number, step.validate) for step in steps] == [
        (1, False),
        (2, False),
        (3, True),
        (4, False),
        (5, True),
    ]
    assert asked_for == [0, 1]
