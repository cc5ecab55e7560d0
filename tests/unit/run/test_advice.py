"""Why a run stands where it stands, read from its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ranklet.evaluation.baselines import PROBE, WORDS, Baseline
from ranklet.evaluation.data_description import DataDescription, count_lengths
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.problem_metrics import evaluate_probabilities
from ranklet.files import make_folder, write_atomically
from ranklet.json_values import to_values
from ranklet.problem import SingleLabel
from ranklet.recipe import load_recipe, to_yaml
from ranklet.run.advice import standing_of
from ranklet.run.folder import Run, write_json

TRUE = np.array([0] * 50 + [1] * 50)


def run_with(
    folder: Path,
    losses: list[float],
    best: str = PROBE,
    tokens: int = 12,
    truncated: float = 0.0,
    unknown: float = 0.0,
) -> Run:
    """Write what is read of a finished run that predicts two thirds of the texts right."""
    run = Run(folder)
    make_folder(run.evaluation)
    answers = np.eye(2, dtype=np.float32)[np.where(np.arange(100) % 3, TRUE, 1 - TRUE)]
    whole = evaluate_probabilities(SingleLabel(), answers, TRUE, ("a", "b"), "test", 0)
    write_json(run.evaluation_of("test"), to_values(whole))
    figure = Metric(0.95, (0.9, 0.99))
    write_json(run.baselines, to_values({"test": (Baseline(best, figure, figure),)}))
    write_json(run.environment, {"truncated": {"train": truncated}, "unknown": unknown})
    lengths = (count_lengths({"train": [size] * 80}, {}) for size in (9, tokens))
    data = DataDescription(*lengths, ("a", "b"), {"train": 80}, {"train": (40, 40)})
    write_json(run.data, to_values(data))
    recipe = load_recipe("quickstart", ["training.epochs=4", "training.max_steps=null"])
    write_atomically(run.recipe, to_yaml(recipe))
    records = [{"kind": "training", "step": 1, "loss": 9.0}]
    records += [
        {"kind": "validation", "step": step, "loss": loss} for step, loss in enumerate(losses)
    ]
    write_atomically(run.metrics, "".join(json.dumps(record) + "\n" for record in records))
    return run


@pytest.mark.parametrize("losses", [[1.0, 0.8, 0.6], [1.0, 0.9]])
def test_a_loss_that_still_falls_asks_for_more_epochs(losses: list[float], tmp_path: Path) -> None:
    stands, warns = standing_of(run_with(tmp_path, losses))
    assert stands.startswith("below a simple baseline on test by ")
    assert "still falling at the end; --set training.epochs=8" in warns


@pytest.mark.parametrize("losses", [[1.0, 0.6, 0.7], [1.0, 0.6, 0.599], [0.5], []])
def test_a_loss_at_its_end_asks_for_none(losses: list[float], tmp_path: Path) -> None:
    _, warns = standing_of(run_with(tmp_path, losses))
    assert "falling" not in warns


def test_texts_that_the_encoder_hardly_reads(tmp_path: Path) -> None:
    _, split = standing_of(run_with(tmp_path / "split", [], tokens=29))
    assert "splits a word into 3.0 tokens" in split
    _, both = standing_of(run_with(tmp_path / "both", [], tokens=29, truncated=0.6))
    assert "splits" not in both
    _, cut = standing_of(run_with(tmp_path / "cut", [], WORDS, truncated=0.5))
    assert "50% of the training texts were cut at" in cut
    _, unknown = standing_of(run_with(tmp_path / "unknown", [], WORDS, unknown=0.25))
    assert "25% of the tokens are unknown" in unknown


def test_without_baselines_nothing_else_is_read(tmp_path: Path) -> None:
    run = run_with(tmp_path, [])
    run.baselines.unlink()
    run.metrics.unlink()
    assert standing_of(run) == []
