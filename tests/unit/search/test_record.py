"""The record of a search: what was kept comes back, and a torn line costs that line only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ranklet.errors import RunError
from ranklet.search.record import SearchRecord
from ranklet.search.trial import Trial

FIRST = Trial(0, {"adapter.rank": 8}, {"adapter.rank": 4}, 1000)
SECOND = Trial(1, {"training.learning_rate": 1e-3}, {"training.learning_rate": 1e-3}, 2000)


def opened(path: Path) -> tuple[SearchRecord, list[str]]:
    lines: list[str] = []
    return SearchRecord(path, lines.append), lines


def test_the_last_line_of_a_trial_is_its_state(tmp_path: Path) -> None:
    record, _ = opened(tmp_path / "trials.jsonl")
    record.keep(FIRST)
    record.keep(SECOND)
    done = replace(FIRST, state="finished", values=(0.5, 0.75), steps=12)
    record.keep(done)
    again, lines = opened(tmp_path / "trials.jsonl")
    assert again.trials == record.trials == (done, SECOND)
    assert not lines


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_torn_last_line_is_taken_off_and_said(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "trials.jsonl"
    record, _ = opened(path)
    record.keep(FIRST)
    whole = path.read_bytes()
    record.keep(SECOND)
    path.write_bytes(path.read_bytes()[:-cut])
    again, lines = opened(path)
    assert again.trials == (FIRST,)
    assert "torn" in lines[0]
    assert path.read_bytes() == whole
    again.keep(SECOND)
    assert opened(path)[0].trials == (FIRST, SECOND)


def test_a_broken_line_in_the_middle_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text('{"no": "trial"}\n')
    with pytest.raises(RunError, match=r"trials.jsonl:1: is no trial"):
        opened(path)
