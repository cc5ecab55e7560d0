"""When a checkpoint is due, and what a training is known by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ranklet.data.duplicates import DuplicateReport
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet
from ranklet.recipe import DataSection, Recipe, TrainingSection, recipe_hash
from ranklet.training.checkpoint_writer import CheckpointWriter
from ranklet.training.checkpoints import Checkpoint, newest_checkpoint
from ranklet.training.steps import Step
from ranklet.workflows._train import resume as continue_run
from ranklet.workflows._train.resume import Beginning, CheckpointSchedule, origin_of
from ranklet.workflows._train.signals import StopRequest


def schedule(folder: Path, every: int | None) -> CheckpointSchedule:
    training = TrainingSection(checkpoint_every=every)
    recipe = Recipe(data=DataSection(train="a.csv"), training=training)
    return CheckpointSchedule(CheckpointWriter(folder, 2), {"data": "abc"}, recipe, StopRequest())


def due(checkpoints: CheckpointSchedule, validated: tuple[int, ...] = (4, 8, 10)) -> list[int]:
    steps = [Step(number, 0.0, (), number in validated) for number in range(1, 11)]
    return [step.number for step in steps if checkpoints.due(step, 10, any_process=bool)]


def test_due_by_steps_and_after_the_last(tmp_path: Path) -> None:
    assert due(schedule(tmp_path, every=3)) == [3, 6, 9, 10]


def test_due_before_validations_and_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 1000.0}
    monkeypatch.setattr(continue_run.time, "monotonic", lambda: clock["now"])
    own = schedule(tmp_path, every=None)
    assert due(own) == [4, 8, 10]
    clock["now"] += 60
    assert due(own) == list(range(1, 11))
    own.keep(Checkpoint(1, {}))
    assert due(own) == [4, 8, 10]


def test_due_after_a_signal(tmp_path: Path) -> None:
    own = schedule(tmp_path, every=1000)
    own.stop.signal = "SIGTERM"
    assert due(own) == list(range(1, 11))


def test_a_checkpoint_carries_its_recipe_with_all_ranks_chosen(tmp_path: Path) -> None:
    own = schedule(tmp_path, every=7)
    with own.writer:
        own.keep(Checkpoint(1, {}))
    read, _ = newest_checkpoint(tmp_path)
    assert read is not None
    recipe = Beginning(read, ()).recipe
    assert recipe is not None
    assert recipe.training.checkpoint_every == 7
    expected = Recipe(data=DataSection(train="a.csv"), training=TrainingSection(checkpoint_every=7))
    assert recipe_hash(recipe) == recipe_hash(expected)


def splits(*texts: str, labels: tuple[int, ...] = (0, 1)) -> Splits:
    split = EncodedSplit(texts, np.array(labels), "a.csv")
    none = DuplicateReport(0, 0, 0, 0, 0, 0, ())
    return Splits(LabelSet(("a", "b")), split, split, None, none, 0)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_an_origin_tells_apart_what_must_not_be_mixed(encoder: Path) -> None:
    def origin(
        seed: int = 0,
        given: Any = None,
        dtype: torch.dtype = torch.float32,
        targets: torch.Tensor | None = None,
        unlabelled: tuple[str, ...] = (),
    ) -> Any:
        recipe = Recipe(data=DataSection(train="a.csv"), seed=seed)
        texts = given or splits("one", "two")
        return origin_of(
            recipe, EncoderSource(str(encoder)), texts, dtype, torch.device("cpu"), targets,
            unlabelled=unlabelled,
        )  # fmt: skip

    def differing(other: dict[str, str]) -> set[str]:
        return {name for name in first if other[name] != first[name]}

    first = origin()
    assert differing(origin()) == set()
    assert {"torch", "numpy", "ranklet", "tokenizers"} <= first.keys()
    assert differing(origin(seed=1)) == {"recipe"}
    assert differing(origin(given=splits("one", "tow"))) == {"data"}
    assert differing(origin(given=splits("onet", "wo"))) == {"data"}
    assert differing(origin(given=splits("one", "two", labels=(1, 0)))) == {"data"}
    assert differing(origin(unlabelled=("three",))) == {"data"}
    assert differing(origin(dtype=torch.bfloat16)) == {"arithmetic"}
    assert differing(origin(targets=torch.eye(2))) == {"teacher"}
    assert origin(targets=torch.eye(2)) != origin(targets=torch.eye(2) / 2)
    (encoder / "model.safetensors").write_text("model.safetensorS")
    assert differing(origin()) == {"encoder"}
