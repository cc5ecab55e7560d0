"""What processes behind the first do: they take work until there is none, and write nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch

from ranklet.errors import TrainingStoppedError
from ranklet.labels import LabelSet
from ranklet.recipe import Recipe
from ranklet.training.checkpoints import Checkpoint
from ranklet.training.steps import Step
from ranklet.workflows._train import other_processes
from ranklet.workflows._train.other_processes import (
    NoCheckpoints,
    NoRecords,
    TrainingInputs,
    follow_first,
)
from ranklet.workflows._train.signals import StopRequest

STEP = Step(7, 1.0, (), validate=False)


def test_records_are_let_go() -> None:
    records = NoRecords()
    records.append({"step": 1})
    assert records.state_dict() == {}
    records.load_state_dict({"records": 3})
    assert records.state_dict() == {}


def test_a_signal_to_any_process_ends_this_one_after_the_step() -> None:
    checkpoints = NoCheckpoints(StopRequest())
    assert not checkpoints.due(STEP, 9, lambda flag: flag)
    assert checkpoints.due(STEP, 9, lambda flag: True)
    assert checkpoints.stop.signal == "a signal to another process"
    with pytest.raises(TrainingStoppedError, match="a signal to another process after step 7;"):
        checkpoints.keep(Checkpoint(7, {}))


def test_a_signal_of_its_own_is_told_to_the_others() -> None:
    stop, flags = StopRequest(), []
    stop.signal = "SIGTERM"

    def any_process(flag: bool) -> bool:
        flags.append(flag)
        return flag

    assert NoCheckpoints(stop).due(STEP, 9, any_process)
    assert (flags, stop.signal) == ([True], "SIGTERM")


class Following:
    """A process that is handed two pieces of work, and writes down what happens meanwhile."""

    def __init__(self, *work: TrainingInputs) -> None:
        self.work: list[TrainingInputs | None] = [*work, None]
        self.events: list[Any] = []

    def next_work(self) -> TrainingInputs | None:
        return self.work.pop(0)

    def apart(self) -> AbstractContextManager[None]:
        @contextmanager
        def block() -> Iterator[None]:
            self.events.append("apart")
            yield
            self.events.append("together")

        return block()

    def take_device(self, device: torch.device) -> torch.device:
        self.events.append(f"takes {device}")
        return device


def inputs(seed: int) -> TrainingInputs:
    recipe = Recipe.model_validate(
        {"data": {"train": "a.csv"}, "seed": seed, "engine": {"device": "cpu"}}
    )
    return TrainingInputs(recipe, LabelSet(("a", "b")), {}, [], None, None, torch.bfloat16)


def test_work_is_done_with_a_model_of_its_own_until_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, stop = inputs(1), inputs(2), StopRequest()
    processes = Following(first, second)

    def build(recipe: Recipe, encoder: str, labels: LabelSet, *where: Any) -> tuple[str, None]:
        assert encoder == f"encoder of {recipe.seed}"
        assert (labels, where) == (first.labels, (torch.bfloat16, torch.device("cpu")))
        processes.events.append("builds")
        return f"model {recipe.seed}", None

    def fit_model(model: str, work: TrainingInputs, among: Any, checkpoints: Any, log: Any) -> None:
        with log as records:
            assert isinstance(records, NoRecords)
        assert (among, checkpoints.stop) == (processes, stop)
        processes.events.append((model, work.recipe.seed))

    monkeypatch.setattr(other_processes, "prepare_memory", lambda: None)
    monkeypatch.setattr(other_processes, "encoder_of", lambda recipe: f"encoder of {recipe.seed}")
    monkeypatch.setattr(other_processes, "build_model", build)
    follow_first(processes, stop, fit_model)  # type: ignore[arg-type]
    prepared = ["apart", "takes cpu", "builds", "together"]
    assert processes.events == [*prepared, ("model 1", 1), *prepared, ("model 2", 2)]
