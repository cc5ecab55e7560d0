"""A list of exceptions holds no name that needs none: it only gets shorter."""

from __future__ import annotations

from test_functions import FUNCTIONS, LONG, MOST_BODY_LINES, MOST_PARAMETERS, WIDE
from test_verbs import FURTHER_READERS, readers_of_recipes


def test_what_has_become_narrow_and_short_is_no_exception() -> None:
    assert WIDE - {f.full_name for f in FUNCTIONS if f.parameters > MOST_PARAMETERS} == set()
    assert LONG - {f.full_name for f in FUNCTIONS if f.body_lines > MOST_BODY_LINES} == set()


def test_what_reads_no_recipe_is_no_exception() -> None:
    assert FURTHER_READERS - readers_of_recipes() == set()
