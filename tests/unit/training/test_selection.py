"""Which of two moments validation leaves a training at."""

from __future__ import annotations

import pytest

from ranklet.training.selection import Selection
from ranklet.training.snapshots import Snapshot


def moment(step: int, value: float) -> Snapshot:
    return Snapshot(step, {"accuracy": value, "loss": 1 - value}, {})


# 100 texts at 0.8: one standard error is 0.04.
@pytest.mark.parametrize(
    ("trained", "texts", "kept"),
    [(0.77, 100, 5), (0.75, 100, 0), (0.77, 400, 0), (0.77, None, 0), (0.81, None, 5)],
)
def test_a_start_gives_way_within_one_standard_error(
    trained: float, texts: int | None, kept: int
) -> None:
    selection = Selection(dict, texts=texts)
    best = selection.insert(selection.insert((), moment(0, 0.8)), moment(5, trained))
    assert [snapshot.step for snapshot in best] == [kept]


def test_only_the_start_gives_way() -> None:
    selection = Selection(dict, texts=100)
    best = selection.insert(selection.insert((), moment(5, 0.8)), moment(10, 0.79))
    assert [snapshot.step for snapshot in best] == [5]


def test_a_loss_has_no_standard_error_of_its_own() -> None:
    selection = Selection(dict, metric="loss", texts=100)
    best = selection.insert(selection.insert((), moment(0, 0.8)), moment(5, 0.79))
    assert [snapshot.step for snapshot in best] == [0]
