"""Values of dataclasses: what is read back, and how a message names the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ranklet.errors import RunError
from ranklet.evaluation.intervals import Metric
from ranklet.json_values import from_values, to_values


@dataclass(frozen=True)
class Shares:
    name: str
    by_row: dict[int, Metric]
    total: float | None = None


SHARES = Shares("a", {3: Metric(0.5, (0.25, 0.75))})


def test_values_are_of_json_and_give_an_equal_one() -> None:
    values = to_values(SHARES)
    metric = {"value": 0.5, "interval": [0.25, 0.75]}
    assert values == {"name": "a", "by_row": {"3": metric}, "total": None}
    assert from_values(Shares, values, "f", "r") == SHARES
    assert to_values({"x": (SHARES,)}) == {"x": [values]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"by_row": {}}, "f.json: name: not as written; train again"),
        ({"name": "a", "by_row": {"x": 1}}, r"f.json: by_row\.x\..*: not as written; train again"),
        ([], "f.json: the whole: not as written; train again"),
    ],
)
def test_a_message_names_the_place(values: Any, message: str) -> None:
    with pytest.raises(RunError, match=message):
        from_values(Shares, values, "f.json", "train again")
