"""Files stay small and have good names; a unit test lies where its source lies."""

from __future__ import annotations

from pathlib import Path

from source_code import modules

import ranklet

ROOT = Path(__file__).parents[2]
PACKAGE = Path(ranklet.__file__).parent
MODULES = modules(PACKAGE)
BANNED = ("utils", "helper", "manager", "handler", "common", "misc", "process")
MOST_LINES = 400


def test_files_stay_small() -> None:
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_files_have_good_names() -> None:
    assert [n for n in MODULES if set(BANNED) & set(n.split(".")[-1].split("_"))] == []


def test_every_unit_test_lies_where_its_source_lies() -> None:
    """`test_X.py`, or `test_X_ASPECT.py`, in the folders of X.py, without their underscores."""
    sources = {
        tuple(part.lstrip("_") for part in path.relative_to(PACKAGE).with_suffix("").parts)
        for path in MODULES.values()
    }
    sources |= {source[:-1] for source in sources if source[-1] == "init__"}
    folder = ROOT / "tests" / "unit"
    strangers = []
    for path in sorted(folder.rglob("test_*.py")):
        places, words = path.relative_to(folder).parent.parts, path.stem.split("_")[1:]
        names = ("_".join(words[:count]) for count in range(1, len(words) + 1))
        if not any((*places, name) in sources for name in names):
            strangers.append(str(path.relative_to(ROOT)))
    assert strangers == []
