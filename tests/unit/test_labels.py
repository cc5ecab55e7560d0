"""Names and their order, and the cells that they stand in."""

from __future__ import annotations

import pytest

from ranklet.errors import DataError
from ranklet.labels import LabelSet, as_written, names_of


def test_the_order_does_not_depend_on_the_rows() -> None:
    assert LabelSet.from_values(["b", "a", "b"]).names == ("a", "b")
    assert LabelSet.from_values(["10", "9", "-1"]).names == ("-1", "9", "10")
    assert LabelSet.from_values(["10", "9", "x"]).names == ("10", "9", "x")


def test_an_index_is_the_place_of_a_logit() -> None:
    labels = LabelSet(("b", "a", "c"))
    assert [labels.index(name) for name in ("b", "a", "c")] == [0, 1, 2]
    assert len(labels) == 3


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b", "a"), "duplicate label names in .*; name each once"),
        (("a",), "at least 2 labels, found \\['a'\\]"),
        ((), "at least 2 labels, found \\[\\]"),
    ],
)
def test_what_is_no_set_of_classes_is_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LabelSet(names)


def test_one_label_and_several_are_written_and_named() -> None:
    assert (as_written("a"), names_of("a")) == ("a", ("a",))
    assert (as_written(("a", "b")), names_of(("a", "b"))) == ("a|b", ("a", "b"))
    assert (as_written(()), names_of(())) == ("", ())
