"""Kernels are timed once, remembered, and taken as a run has them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from ranklet.encoder import kernels


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANKLET_KERNELS")
    monkeypatch.setattr(kernels, "_answers", {})


def slow() -> None:
    time.sleep(0.02)


def quick() -> None:
    time.sleep(0.001)


def never() -> tuple[kernels.Kernel, ...]:
    raise AssertionError("timed again")


def test_the_fastest_is_taken_and_remembered_by_the_next_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert kernels.fastest("a", lambda: (slow, quick)) == 1
    assert kernels.fastest("b", lambda: (quick, slow)) == 0
    assert kernels.answered_questions() == {"a": 1, "b": 0}
    monkeypatch.setattr(kernels, "_answers", {})  # as another process begins
    assert kernels.fastest("a", never) == 1
    assert kernels.fastest("b", never) == 0


def test_the_first_stays_unless_another_is_clearly_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, answer in (([1.0, 0.95], 0), ([1.0, 0.85], 1)):
        monkeypatch.setattr(kernels, "_seconds", lambda _, seconds=seconds: seconds)
        assert kernels.fastest(f"{seconds}", lambda: (slow, quick)) == answer


def test_sizes_are_tried_until_the_first_kernel_is_the_slower_one() -> None:
    tried = []

    def both(size: int) -> tuple[kernels.Kernel, kernels.Kernel]:
        tried.append(size)
        return (slow, quick) if size > 64 else (quick, slow)

    assert kernels.faster_up_to("sizes", (32, 64, 128, 256), 7, both) == 64
    assert tried == [32, 64, 128]
    assert kernels.faster_up_to("none", (128, 256), 7, both) == 0


def test_nothing_is_timed_where_kernels_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKLET_KERNELS", "fixed")
    assert kernels.fastest("a", never) == 0
    assert kernels.faster_up_to("b", (1, 2), 7, lambda size: never()) == 7


def test_what_a_run_says_is_taken_untimed() -> None:
    kernels.take_answers({"a": 1})
    assert kernels.fastest("a", never) == 1


def test_random_numbers_do_not_depend_on_the_timing() -> None:
    def drawing() -> None:
        torch.randn(3)

    torch.manual_seed(0)
    expected = torch.randn(2)
    torch.manual_seed(0)
    kernels.fastest("a", lambda: (drawing, drawing))
    assert torch.equal(torch.randn(2), expected)


def test_damaged_answers_are_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels.fastest("a", lambda: (slow, quick))
    (file,) = (tmp_path / "cache" / "kernels").glob("*.json")
    file.write_bytes(b"{}" + file.read_bytes()[2:])
    monkeypatch.setattr(kernels, "_answers", {})
    assert kernels.fastest("a", lambda: (quick, slow)) == 0


def test_a_machine_without_a_place_to_remember_measures_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert kernels.fastest("a", lambda: (slow, quick)) == 1
