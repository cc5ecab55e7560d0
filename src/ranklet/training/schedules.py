"""Schedules: pure functions of the step."""

from __future__ import annotations

import math

from ranklet.vocabulary import DropoutScheduleName, ScheduleName

# Where `one_cycle` begins and ends, as shares of the peak: those of PyTorch's OneCycleLR.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4


def learning_rate_factor(
    step: int,
    *,
    schedule: ScheduleName,
    warmup_steps: int,
    total_steps: int,
    num_cycles: int = 2,
    power: float = 2.0,
) -> float:
    """Return the factor of the learning rate at an optimizer step, counted from 1.

    Linear warm-up from 0 (excluded) to 1, then constant, linear to 0, a power of linear to 0, or
    half a cosine to 0 (Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5), once or several
    times. After the warm-up the values are those of transformers' schedules of these names, with
    `polynomial` down to 0. `one_cycle` (Smith & Topin 2017, arXiv:1708.07120) rises and falls by
    half cosines, as PyTorch's OneCycleLR does, and leaves momentum alone.

    `num_cycles` are the half cosines of `cosine_with_restarts`, all of one length; `power` is the
    exponent of `polynomial`.
    """
    if schedule == "one_cycle":
        return _one_cycle(step, max(1, warmup_steps), total_steps)
    if step <= warmup_steps:
        return step / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps - 1) / max(1, total_steps - warmup_steps)
    if schedule == "linear":
        return 1 - progress
    if schedule == "polynomial":
        return float((1 - progress) ** power)
    if schedule == "cosine_with_restarts":
        progress = progress * num_cycles % 1
    return _half_cosine(1.0, 0.0, progress)


def dropout_factor(step: int, *, schedule: DropoutScheduleName, total_steps: int) -> float:
    """Return the factor of all dropout at an optimizer step, counted from 1.

    `curriculum` is 1 - exp(-10 t / T) (Morerio et al. 2017, arXiv:1703.06229, section 3): it rises
    fast at first. `linear_decrease` spares the end, as in Liu et al. 2023 (arXiv:2303.01500).
    """
    if schedule == "constant":
        return 1.0
    if schedule == "curriculum":
        return 1 - math.exp(-10 * (step - 1) / total_steps)
    progress = (step - 1) / max(1, total_steps - 1)
    return progress if schedule == "linear_increase" else 1 - progress


def _one_cycle(step: int, peak: int, total_steps: int) -> float:
    if step > peak:
        return _half_cosine(1.0, ONE_CYCLE_END, (step - peak) / (total_steps - peak))
    return 1.0 if peak == 1 else _half_cosine(ONE_CYCLE_START, 1.0, (step - 1) / (peak - 1))


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
