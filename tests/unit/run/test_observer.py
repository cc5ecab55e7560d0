"""Observers: several are told in their order, and TensorBoard's events hold every number."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ranklet.errors import MissingExtraError
from ranklet.run import observer as module
from ranklet.run.folder import Run
from ranklet.run.observer import Observer, tensorboard_events, together


def test_several_observers_are_told_in_their_order() -> None:
    events: list[tuple[str, str, Any]] = []

    def observer(name: str) -> Observer:
        return Observer(
            report=lambda line: events.append((name, "report", line)),
            start=lambda steps: events.append((name, "start", steps)),
            record=lambda record: events.append((name, "record", record)),
            finish=lambda run: events.append((name, "finish", run)),
        )

    run, record = Run(Path("run")), {"kind": "train", "step": 1}
    both = together([observer("first"), Observer(), observer("second")])
    both.report("a line")
    both.start(7)
    both.record(record)
    both.finish(run)
    news = [("report", "a line"), ("start", 7), ("record", record), ("finish", run)]
    assert events == [(name, *new) for new in news for name in ("first", "second")]


class Writer:
    """Stand-in of TensorBoard's writer."""

    written: list[Any]

    def __init__(self, folder: str) -> None:
        self.written.append(folder)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.written.append((name, value, step))

    def close(self) -> None:
        self.written.append("closed")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(Writer, "written", [], raising=False)
    tensorboard = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", tensorboard)
    return Writer.written


def test_every_number_of_a_record_is_a_scalar_at_its_step(
    written: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    run.environment.write_text(json.dumps({"best_step": 5}))
    evaluation = SimpleNamespace(accuracy=SimpleNamespace(value=0.9))
    monkeypatch.setattr(module, "read_evaluations", lambda run: {"test": evaluation})
    with tensorboard_events(run) as observer:
        observer.record({"kind": "train", "step": 1, "loss": 0.5, "learning_rate": 0.1})
        observer.record({"kind": "validation", "step": 1, "loss": 0.25})
        observer.finish(run)
    assert written == [
        str(run.events),
        *(("train/loss", 0.5, 1), ("train/learning_rate", 0.1, 1), ("validation/loss", 0.25, 1)),
        ("evaluation/test_accuracy", 0.9, 5),
        "closed",
    ]


def test_without_a_record_no_events_are_begun(written: list[Any], tmp_path: Path) -> None:
    with tensorboard_events(Run(tmp_path)):
        pass
    assert written == []


def test_events_are_closed_where_the_training_fails(written: list[Any], tmp_path: Path) -> None:
    def fail() -> None:
        with tensorboard_events(Run(tmp_path)) as observer:
            observer.record({"kind": "train", "step": 1, "loss": 0.5})
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    assert written[-1] == "closed"


def test_without_tensorboard_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(MissingExtraError, match=r"TensorBoard's events.*track"),
        tensorboard_events(Run(tmp_path)),
    ):
        pass
