"""What several runs that differ by their seed say together."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ranklet.evaluation.intervals import CONFIDENCE
from ranklet.evaluation.result import Evaluation


@dataclass(frozen=True)
class AcrossSeeds:
    """One figure over several seeds.

    Attributes:
        values: The figure of each seed, in the order of the seeds.
        mean: Their mean.
        std: Their standard deviation, with n - 1; None for one seed.
        interval: 95 % interval of the mean over seeds, by Student's t (Student 1908,
            doi:10.1093/biomet/6.1.1); None for one seed. It says how much another set of seeds
            would move the mean, not how much other texts would.
    """

    values: tuple[float, ...]
    mean: float
    std: float | None
    interval: tuple[float, float] | None


def across_seeds(values: Sequence[float]) -> AcrossSeeds:
    """Summarise one figure of several runs, at least one."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return AcrossSeeds(tuple(values), mean, None, None)
    from scipy.stats import t

    std = statistics.stdev(values)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * std / len(values) ** 0.5
    return AcrossSeeds(tuple(values), mean, std, (mean - half, mean + half))


def summarise_seeds(
    evaluations: Sequence[Mapping[str, Evaluation]],
) -> dict[str, dict[str, AcrossSeeds]]:
    """Summarise accuracy, macro F1 and log loss, by split that all seeds have and by figure."""
    first, *others = evaluations
    splits = [split for split in first if all(split in other for other in others)]
    return {
        split: {
            "accuracy": across_seeds([run[split].accuracy.value for run in evaluations]),
            "f1_macro": across_seeds([run[split].f1_macro.value for run in evaluations]),
            "log_loss": across_seeds([run[split].log_loss for run in evaluations]),
        }
        for split in splits
    }
