"""Recipes in and out of YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from ranklet.errors import RecipeError
from ranklet.recipe import load_recipe


@pytest.mark.parametrize(
    ("path", "where", "problem"),
    [
        (Path("a\0b.yaml"), "a?b.yaml", "cannot be read"),
        (Path("none.yaml/x"), "none.yaml/x", "no such file"),
    ],
)
def test_a_path_that_only_python_can_name(path: Path, where: str, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    (issue,) = caught.value.issues
    assert issue.where == where
    assert problem in issue.problem
