"""What simple classifiers reach on the same rows: what a figure has to be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ranklet.errors import RunError
from ranklet.evaluation.metrics import Metric
from ranklet.files import read_json_object


@dataclass(frozen=True)
class Baseline:
    """Scores of a simple classifier that was trained on the same texts.

    Attributes:
        name: What it is.
        accuracy: Share of the rows that it predicts right.
        f1_macro: Mean of its classes' F1.
    """

    name: str
    accuracy: Metric
    f1_macro: Metric


def read_baselines(path: Path) -> dict[str, tuple[Baseline, ...]]:
    """Read the baselines of every split.

    Raises:
        RunError: The file is missing or broken.
    """
    content = read_json_object(path, RunError)
    try:
        return {split: tuple(map(_baseline, each)) for split, each in content.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: not as written ({error})") from error


def _baseline(content: Mapping[str, Any]) -> Baseline:
    scores = {
        name: Metric(float(content[name]["value"]), tuple(map(float, content[name]["interval"])))
        for name in ("accuracy", "f1_macro")
    }
    return Baseline(name=str(content["name"]), **scores)
