"""What the columns of a file are called, and whether its first line is a header at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ranklet.data.reading.row import ColumnError, require_columns
from ranklet.errors import DataError

POSITION = re.compile(r"column([1-9]\d*)")
LONGEST_NAME = 60
MOST_WORDS = 5


def named_columns(header: Sequence[str]) -> dict[str, int]:
    """Return where each column stands, counted from 0.

    One without a name of its own is called by its position: `column1` is the first.
    """
    names = [name.strip() for name in header]
    counts = Counter(names)
    return {
        name if name and counts[name] == 1 else f"column{place + 1}": place
        for place, name in enumerate(names)
    }


def wanted_columns(
    header: Sequence[str], wanted: Sequence[str], source: str, line: int
) -> Mapping[str, int]:
    """Return where the columns that are read stand, counted from 0.

    Raises:
        ColumnError: One is missing, or several have its name.
    """
    columns = named_columns(header)
    names = [name.strip() for name in header]
    for name in wanted:
        position = POSITION.fullmatch(name)
        if name not in columns and position and int(position[1]) <= len(header):
            columns[name] = int(position[1]) - 1
        elif name not in columns and name in names:
            places = [f"column{place + 1}" for place, own in enumerate(names) if own == name]
            problem = f"{len(places)} columns are called {name!r}"
            raise ColumnError(problem, [name], places, source, line)
    require_columns(wanted, list(columns), source, line)
    return {name: columns[name] for name in wanted}


def looks_like_row(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether a first line holds cells: a label that comes again below it, or a text."""
    return has_label(header, rows) or any(
        len(name) > LONGEST_NAME or len(name.split()) > MOST_WORDS for name in header
    )


def has_label(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether a name in a first line comes again below it, in its column."""
    if [name.strip() for name in header] == [str(place) for place in range(len(header))]:
        return False  # the names that pandas gives columns without any
    others = [row for row in rows if list(row) != list(header)]
    return any(
        name.strip() and name in column
        for name, column in zip(header, _columns(header, others), strict=True)
    )


def without_header(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    wanted: Sequence[str],
    source: str,
    line: int,
) -> DataError:
    """Say that a first line looks like a row, and the setting that reads it as one."""
    columns = [(name, *column) for name, column in zip(header, _columns(header, rows), strict=True)]
    *texts, label = wanted if len(wanted) > 1 else (*wanted, "")
    by_length = sorted(range(len(columns)), key=lambda at: -sum(map(len, columns[at])))
    names = dict(zip(by_length, texts, strict=False))
    left = [place for place in range(len(columns)) if place not in names]
    if label and left:
        names[min(left, key=lambda at: (len(set(columns[at])), -at))] = label
    listed = ", ".join(names.get(place, f"column{place + 1}") for place in range(len(columns)))
    setting = f"data.columns=[{listed}]"
    return DataError(
        f"looks like a row; if it is one, set {setting}, else name the columns: "
        "--text COLUMN --label COLUMN",
        source,
        line,
        settings=(setting,),
    )


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the cells below each name, of the rows that have one for each."""
    whole = [row for row in rows if len(row) == len(header)]
    return [tuple(row[place] for row in whole) for place in range(len(header))]
