"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math
from typing import Literal

ScheduleName = Literal["cosine", "linear", "constant"]


def learning_rate_factor(
    step: int, *, schedule: ScheduleName, warmup_steps: int, total_steps: int
) -> float:
    """Return the factor of the learning rate at an optimizer step.

    Linear warm-up from 0 (excluded) to 1, then constant, linear to 0, or half a cosine to 0
    (Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5 without restarts).

    Args:
        step: Optimizer step, counted from 1.
        schedule: What follows the warm-up.
        warmup_steps: Steps of warm-up.
        total_steps: Steps of the whole training.
    """
    if step <= warmup_steps:
        return step / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps - 1) / max(1, total_steps - warmup_steps)
    return 1 - progress if schedule == "linear" else (1 + math.cos(math.pi * progress)) / 2
