"""TensorBoard's events of a run are the records of its metrics.jsonl."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ranklet as library
from ranklet.run.observer import Observer, together

Command = Callable[..., Any]


def test_events_are_the_records_by_step(ranklet: Command, workplace: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    done = ranklet("train", "recipe.yaml", "--out", "mine", "--track", "tensorboard")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in Path("mine/metrics.jsonl").read_text().splitlines()]
    events = accumulator.EventAccumulator("mine/tensorboard").Reload()
    for kind in ("train", "validation"):
        expected = {r["step"]: r["loss"] for r in records if r["kind"] == kind}
        found = {event.step: event.value for event in events.Scalars(f"{kind}/loss")}
        assert found == pytest.approx(expected)
    assert {"train/learning_rate", "train/grad_norm", "validation/macro_f1"} <= set(
        events.Tags()["scalars"]
    )
    figures = json.loads(Path("mine/evaluation/test.json").read_text())
    (event,) = events.Scalars("evaluation/test_accuracy")
    assert event.value == pytest.approx(figures["accuracy"])
    assert ranklet("verify", "mine").returncode == 0


def test_without_the_extra_nothing_is_begun(
    ranklet: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    refused = ranklet("train", "recipe.yaml", "--out", "mine", "--track", "tensorboard")
    assert refused.returncode == 2
    assert 'pip install "ranklet[track]"' in refused.stderr
    assert not Path("mine").exists()


def test_several_observers_are_told_the_same(workplace: Path) -> None:
    told: list[list[Any]] = [[], []]
    observers = [
        Observer(report=one.append, start=one.append, record=one.append, finish=one.append)
        for one in told
    ]
    run = library.train(library.load_recipe("recipe.yaml"), "mine", observer=together(observers))
    first, second = told
    assert first == second
    assert first[-1] == run
    assert any(isinstance(entry, dict) and entry["kind"] == "validation" for entry in first)
