"""Files as people bring them: each trains as it is, or after the setting that its refusal names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROWS = [
    (f"the {word} {row}", label)
    for row in range(4)
    for word, label in (("goal", "Sports"), ("treaty", "World"))
]


def table(separator: str = ",", header: str = "text,label", end: str = "\n") -> str:
    lines = [header.replace(",", separator), *(separator.join(row) for row in ROWS)]
    return end.join(lines) + end


AS_IT_IS = {
    "plain": ("a.csv", table()),
    "windows line ends": ("a.csv", table(end="\r\n")),
    "tabs": ("a.tsv", table("\t")),
}


@pytest.mark.parametrize(("name", "content"), AS_IT_IS.values(), ids=AS_IT_IS)
def test_trains_as_it_is(
    workplace: Path, trains: Callable[..., object], name: str, content: str
) -> None:
    (workplace / name).write_text(content, encoding="utf-8")
    trains(name)


WITH_A_SETTING: dict[str, tuple[str, str, list[str]]] = {}


@pytest.mark.parametrize(("name", "content", "fixes"), WITH_A_SETTING.values(), ids=WITH_A_SETTING)
def test_trains_with_the_setting_that_its_refusal_names(
    workplace: Path, trains: Callable[..., object], name: str, content: str, fixes: list[str]
) -> None:
    (workplace / name).write_text(content, encoding="utf-8")
    trains(name, *fixes)
