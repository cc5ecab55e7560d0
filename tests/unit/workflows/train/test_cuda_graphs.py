"""Whether a training has its steps captured: on a GPU, where nothing speaks against it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ranklet.recipe import Recipe, load_recipe
from ranklet.training.captured_steps import CapturedGradients
from ranklet.workflows._train import cuda_graphs
from ranklet.workflows._train.cuda_graphs import capture_steps


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the model lies on a GPU that could capture; nothing is computed there."""
    monkeypatch.setattr(cuda_graphs, "module_device", lambda model: torch.device("cuda"))
    monkeypatch.setattr(cuda_graphs, "compute_dtype", lambda model: torch.bfloat16)
    monkeypatch.setattr(cuda_graphs, "reason_not_to_capture", lambda *arguments: None)
    monkeypatch.setattr(cuda_graphs, "cuda_graphs", lambda device: object())


def captured(recipe: Recipe, **what_else: bool) -> tuple[object, list[str]]:
    lines: list[str] = []
    model: Any = SimpleNamespace(
        encoder=None, parameters=lambda: [torch.zeros(1, requires_grad=True), torch.zeros(1)]
    )
    train: Any = SimpleNamespace(lengths=np.array([3, 9, 4]))
    work: Any = object()
    return capture_steps(model, train, recipe, lines.append, **what_else)(work), lines


def changed(*settings: str) -> Recipe:
    return load_recipe("quickstart", settings)


@pytest.mark.usefixtures("gpu")
def test_steps_are_captured_where_nothing_speaks_against_it() -> None:
    work, (line,) = captured(changed())
    assert isinstance(work, CapturedGradients)
    assert line.startswith("steps: captured as CUDA graphs")


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("settings", "what_else", "reason"),
    [
        (
            ["training.dropout_schedule=linear_increase", "adapter.dropout=0.1"],
            {},
            "training.dropout_schedule changes",
        ),
        (["distillation.teacher=x"], {}, "a teacher's answers come with every batch"),
        ([], {"has_noise": True}, "augmentation changes the lengths"),
        ([], {"several_processes": True}, "several processes share a batch"),
    ],
)
def test_what_speaks_against_it_is_said(
    settings: list[str], what_else: dict[str, bool], reason: str
) -> None:
    work, (line,) = captured(changed(*settings), **what_else)
    assert not isinstance(work, CapturedGradients)
    assert reason in line


@pytest.mark.usefixtures("gpu")
def test_who_wants_none_is_told_nothing() -> None:
    work, lines = captured(changed("engine.capture_steps=never"))
    assert not isinstance(work, CapturedGradients)
    assert lines == []
