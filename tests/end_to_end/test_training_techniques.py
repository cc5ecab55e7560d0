"""Optimizers, schedules, losses and averages through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ranklet as library

Command = Callable[..., Any]

TECHNIQUES: dict[str, list[str]] = {
    "muon, one cycle, soup, focal loss, noise": [
        "training.optimizer=muon",
        "training.momentum=0.9",
        "training.schedule=one_cycle",
        "training.warmup_ratio=0.3",
        "training.layer_lr_decay=0.5",
        "training.loraplus_lr_ratio=4",
        "training.soup=3",
        "training.loss=focal",
        "training.focal_gamma=1.5",
        "training.class_weights=balanced",
        "training.gradient_noise=0.01",
    ],
    "sgd, restarts, moving average, R-Drop, dropout": [
        "training.optimizer=sgd",
        "training.learning_rate=0.1",
        "training.schedule=cosine_with_restarts",
        "training.schedule_num_cycles=2",
        "training.ema_decay=0.5",
        "training.r_drop=1.0",
        "training.class_weights={World: 2.0, Sports: 1}",
        "training.label_smoothing=0.1",
        "training.dropout_schedule=linear_increase",
        "adapter.dropout=0.2",
        "head_dropout=0.1",
        "encoder_dropout=0.1",
    ],
}
SHORT = ["training.epochs=4", "training.batch_size=4", "training.evaluate_every=3"]


def settings(*overrides: str) -> list[str]:
    return [part for each in overrides for part in ("--set", each)]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def records(run: library.Run, kind: str) -> list[dict[str, Any]]:
    lines = run.metrics.read_text(encoding="utf-8").splitlines()
    return [record for line in lines if (record := json.loads(line))["kind"] == kind]


@pytest.mark.parametrize("case", TECHNIQUES)
def test_a_training_with_several_techniques(case: str, workplace: Path, ranklet: Command) -> None:
    asked = settings(*SHORT, *TECHNIQUES[case])
    done = ranklet("train", "recipe.yaml", "--out", "first", *asked)
    assert done.returncode == 0, done.stderr
    run = library.Run(workplace / "first")
    losses = [record["loss"] for record in records(run, "train")]
    assert losses[-1] < losses[0]
    assert ranklet("verify", "first").returncode == 0

    about = read_json(run.environment)
    for_best = [
        record
        for record in records(run, "validation")
        if record["step"] == about["best_step"]
        and all(record[name] == value for name, value in about["best_validation"].items())
    ]
    assert for_best
    told = "encoder dropout: from layer 0 up, which now run plainly"
    assert (told in done.stderr) == ("encoder_dropout=0.1" in asked)


def test_the_same_recipe_gives_the_same_adapter(workplace: Path, ranklet: Command) -> None:
    random = ["training.gradient_noise=0.01", "training.r_drop=1.0", "training.optimizer=muon"]
    asked = settings("adapter.dropout=0.2", "encoder_dropout=0.1", *random)
    for out in ("first", "again"):
        done = ranklet("train", "recipe.yaml", "--out", out, *asked)
        assert done.returncode == 0, done.stderr
    ours, theirs = (
        workplace / out / "adapter" / "adapter_model.safetensors" for out in ("first", "again")
    )
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    ("override", "field", "problem"),
    [
        ("training.momentum=0.5", "training.momentum", "adamw does not read it, only optimizer"),
        ("training.optimizer=lion", "training.optimizer", 'got "lion"; allowed: one of adamw'),
        ("training.r_drop=1", "training.r_drop", "none is on; set adapter.dropout or"),
        ("training.soup=4", "training.soup", "has one evaluation to choose from with 1 epoch"),
        ("training.class_weights=equal", "training.class_weights", "one of none, balanced, or map"),
        ("training.class_weights={World: 0}", "training.class_weights.World", "got 0"),
        ("training.class_weights.World=2", "training.class_weights.World", "has nothing below it"),
        ("training.gce_q=0.5", "training.gce_q", "only loss generalized_cross_entropy"),
    ],
)
def test_what_cannot_be_is_one_line(
    override: str, field: str, problem: str, workplace: Path, ranklet: Command
) -> None:
    done = ranklet("train", "recipe.yaml", "--out", "none", "--set", override)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert f" {field}: " in done.stderr
    assert problem in done.stderr
    assert not (workplace / "none").exists()


def test_a_weight_of_an_unknown_label_is_one_line(workplace: Path, ranklet: Command) -> None:
    asked = settings("training.class_weights={Wrold: 2.0}")
    done = ranklet("train", "recipe.yaml", "--out", "none", *asked)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "training.class_weights: 'Wrold' is no label; allowed: Sports, World" in done.stderr
    assert not (workplace / "none").exists()
