"""A recipe that chooses from the data: what is said, what is written, and the training on all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ranklet.recipe import load_recipe

Command = Any
RECIPE = """\
encoder: encoder
automatic: true
data: {train: train.csv, test: test.csv}
training: {epochs: 2}
engine: {device: cpu, precision: float32}
"""


@pytest.fixture
def automatic(workplace: Path) -> Path:
    (workplace / "automatic.yaml").write_text(RECIPE, encoding="utf-8")
    return workplace


def adapter(run: str) -> bytes:
    return Path(run, "adapter/adapter_model.safetensors").read_bytes()


def test_choices_are_said_and_written_and_do_it_again(automatic: Path, ranklet: Command) -> None:
    answer = ranklet("train", "automatic.yaml", "--out", "one")
    assert answer.returncode == 0, answer.stderr
    chosen = [line for line in answer.stderr.splitlines() if line.startswith("chosen: ")]
    assert any(line.startswith("chosen: pooling=mean: ") for line in chosen)
    assert not any("training.epochs" in line for line in chosen)
    recipe = load_recipe("one/recipe.yaml")
    assert (recipe.automatic, recipe.head_start, recipe.training.refit) == (False, "probe", True)
    assert recipe.training.epochs == 2
    assert recipe.data.validation == 5  # a fifth of 24 distinct rows
    # Both labels have equally many: neither the metric nor the sampling of uneven ones.
    assert (recipe.training.metric, recipe.training.sampling) == ("accuracy", "shuffled")
    assert ranklet("train", "one/recipe.yaml", "--out", "two").returncode == 0
    assert adapter("one") == adapter("two")


def test_a_refit_learns_from_all_rows_and_says_so(automatic: Path, ranklet: Command) -> None:
    answer = ranklet("train", "automatic.yaml", "--out", "all")
    assert "refit: trains again on all 24 texts" in answer.stderr
    once = ranklet("train", "automatic.yaml", "--set", "training.refit=false", "--out", "part")
    assert "refit" not in once.stderr.replace("training.refit", "")
    assert adapter("all") != adapter("part")
    figures = [Path(run, "evaluation/validation.json").read_text() for run in ("all", "part")]
    assert figures[0] == figures[1]
    assert "trained again on 24 texts, validation" in Path("all/report.html").read_text(
        encoding="utf-8"
    )


def test_what_needs_unseen_texts_refuses_a_refitted_run(automatic: Path, ranklet: Command) -> None:
    assert ranklet("train", "automatic.yaml", "--out", "all").returncode == 0
    answer = ranklet("estimate", "all", "test.csv")
    assert answer.returncode == 2
    assert "trained again on its validation texts too (training.refit); " in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_training_that_is_no_better_leaves_the_probe(automatic: Path, ranklet: Command) -> None:
    answer = ranklet(
        "train", "automatic.yaml", "--set", "training.learning_rate=1e-9",
        "--set", "training.head_learning_rate=1e-9", "--out", "probe",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(Path("probe/environment.json").read_text())["best_step"] == 0
    assert "best of validation: step 0 of " in answer.stderr


def test_no_epochs_leave_the_start_and_learn_it_from_all_rows(
    automatic: Path, ranklet: Command
) -> None:
    few = ("--set", "training.epochs=0", "--set", "training.contrastive_steps=2")
    answer = ranklet("train", "automatic.yaml", *few, "--out", "start")
    assert answer.returncode == 0, answer.stderr
    assert "best of validation: step 0 of 0" in answer.stderr
    assert "refit: trains again on all 24 texts" in answer.stderr
    assert ranklet("predict", "start", "test.csv", "--output", "out.csv").returncode == 0
    answer = ranklet("train", "automatic.yaml", *few, "--set", "automatic=false", "--out", "none")
    assert answer.returncode == 2
    assert "training.epochs: 0 epochs leave a random head; set head_start: probe" in answer.stderr


def test_several_labels_a_text_begin_at_their_probe(automatic: Path, ranklet: Command) -> None:
    answer = ranklet(
        "train", "automatic.yaml", "--set", "data.train=several.csv", "--set", "data.test=null",
        "--set", "data.problem_type=multi_label_classification", "--out", "several",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert "chosen: training.metric=macro_f1" in answer.stderr
    assert "head: starts as the linear probe" in answer.stderr
