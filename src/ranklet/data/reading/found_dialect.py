"""The dialect of a delimited file, found from its beginning, or refused where it is not certain.

A reading is right if it gives every row as many cells as the header line has. Separators are looked
for in the first line alone. Quotes are plain characters where only that gives equal rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ranklet.data.reading.csv_records import Line, RecordError, plain_cells, read_records
from ranklet.data.reading.dialect import SEPARATOR_WORDS, Dialect, setting
from ranklet.errors import DataError
from ranklet.vocabulary import Quoting

BEGINNING_CHARACTERS = 500_000
MARKS: dict[Quoting, str] = {"double": '"', "single": "'"}


@dataclass(frozen=True)
class Beginning:
    """The first lines of a file.

    Attributes:
        lines: Number and text of each.
        is_whole: Whether no line comes after them.
    """

    lines: tuple[Line, ...]
    is_whole: bool


@dataclass(frozen=True)
class Trial:
    """One reading of a beginning.

    Attributes:
        dialect: With separator and quoting.
        header: Names of the columns.
        is_even: Whether every row has a cell for each.
        swallows: Lines of the first row that stands on several lines, each of which would be a row
            of its own if quotes were plain characters; None: there is none.
        is_enclosed: Whether more cells begin and end with a quote than only begin with one.
    """

    dialect: Dialect
    header: tuple[str, ...]
    is_even: bool
    swallows: tuple[int, int] | None
    is_enclosed: bool


def take_beginning(lines: Iterator[Line]) -> tuple[Beginning, Iterator[Line]]:
    """Return the first lines, and all lines again."""
    size, first = 0, list[Line]()
    for line in lines:
        first.append(line)
        size += len(line[1])
        if size > BEGINNING_CHARACTERS:
            break
    return Beginning(tuple(first), size <= BEGINNING_CHARACTERS), chain(first, lines)


def find_dialect(
    beginning: Beginning, stated: Dialect, wanted: Sequence[str], usual: str, source: str
) -> tuple[Dialect, bool]:
    """Find separator and quoting, where they are not stated.

    Args:
        beginning: The first lines.
        stated: What is known of the dialect.
        wanted: Columns that will be read, which tell one separator from another.
        usual: The separator of a file that shows none.
        source: Its name in messages.

    Returns:
        The dialect, and whether its quoting is certain for what comes after the beginning.

    Raises:
        DataError: Two readings are possible.
    """
    first = beginning.lines[0][1] if beginning.lines else ""
    marks = [mark for mark in SEPARATOR_WORDS if mark in first] or [usual]
    trials = [
        trial
        for mark in ([stated.separator] if stated.separator else marks)
        for trial in _trials(beginning, replace(stated, separator=mark))
    ]
    of_separator = _choose_separator(trials, wanted, source)
    return _choose_quoting(of_separator, stated.quoting is not None, first, source)


def fits(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Tell whether a row has the cells of its header, but for empty ones at their ends."""
    least = _named_width(header)
    return least <= len(cells) and not any(map(str.strip, cells[len(header) :]))


def swallowed(lines: Sequence[Line], header: Sequence[str], separator: str) -> bool:
    """Tell whether each of several lines would be a row if quotes were plain characters."""
    return len(lines) > 1 and all(
        fits(plain_cells(text, separator), header) for _, text in lines if text.strip()
    )


def refuse_swallowed(first: int, last: int, source: str) -> DataError:
    """Say that lines are either one row or many."""
    return DataError(
        f"a quote opens here and closes on line {last}; where quotes are plain characters, set "
        "data.quoting=none, else data.quoting=double",
        source,
        first,
    )


def _named_width(header: Sequence[str]) -> int:
    """Return the number of columns up to the last that has a name."""
    return max((place for place, name in enumerate(header, start=1) if name.strip()), default=0)


def _trials(beginning: Beginning, dialect: Dialect) -> Iterator[Trial]:
    if dialect.quoting is not None:
        yield _trial(beginning, dialect)
        return
    yield _trial(beginning, replace(dialect, quoting="double"))
    separator = dialect.separator or ","
    # Without quotes where cells begin, all readings are one.
    if _begins_cells(beginning, MARKS["double"], separator):
        yield _trial(beginning, replace(dialect, quoting="none"))
    if _begins_cells(beginning, MARKS["single"], separator):
        yield _trial(beginning, replace(dialect, quoting="single"))


def _begins_cells(beginning: Beginning, mark: str, separator: str) -> bool:
    inner = separator + mark
    return any(text.startswith(mark) or inner in text for _, text in beginning.lines)


def _trial(beginning: Beginning, dialect: Dialect) -> Trial:
    separator, quoting = dialect.separator or ",", dialect.quoting or "double"
    header: tuple[str, ...] | None = dialect.columns
    is_even, swallows, enclosed = True, None, 0
    try:
        for cells, lines in read_records(beginning.lines, separator, quoting):
            if header is None:
                header = tuple(cells)
                continue
            is_even = is_even and (not cells or fits(cells, header))
            enclosed += sum(_enclosure(cell) for cell in cells)
            if swallows is None and swallowed(lines, header, separator):
                swallows = lines[0][0], lines[-1][0]
    except RecordError as error:
        is_even = is_even and error.is_unfinished and not beginning.is_whole
    return Trial(dialect, header or (), is_even, swallows, enclosed > 0)


def _enclosure(cell: str) -> int:
    """Return 1 for a cell between quotes, -1 for one that only begins with a quote, else 0."""
    quote = MARKS["double"]
    if not cell.startswith(quote):
        return 0
    return 1 if len(cell) > 1 and cell.endswith(quote) else -1


def _choose_separator(trials: Sequence[Trial], wanted: Sequence[str], source: str) -> list[Trial]:
    """Return the readings with the right separator."""
    tests: list[Callable[[Trial], bool]] = [
        lambda trial: trial.is_even,
        lambda trial: set(wanted) <= set(trial.header),
    ]
    left = list(trials)
    for test in tests:
        left = [trial for trial in left if test(trial)] or left
    marks = list(dict.fromkeys(trial.dialect.separator or "" for trial in left))
    if len(marks) > 1 and any(trial.is_even for trial in left):
        choices = " or ".join(map(setting, marks))
        raise DataError(f"rows are equally long by several separators; set {choices}", source)
    widest = max(left, key=lambda trial: len(trial.header)).dialect.separator
    return [trial for trial in trials if trial.dialect.separator == widest]


def _choose_quoting(
    trials: Sequence[Trial], is_stated: bool, first: str, source: str
) -> tuple[Dialect, bool]:
    """Return the right reading, and whether its quoting is certain."""
    by_quoting = {trial.dialect.quoting: trial for trial in trials}
    if len(trials) == 1:
        return trials[0].dialect, is_stated
    for quoting, mark in MARKS.items():
        if quoting in by_quoting and _is_all_quoted(first, by_quoting[quoting].dialect, mark):
            return by_quoting[quoting].dialect, True
    _refuse_single_or_double(by_quoting, source)
    even = [quoting for quoting, trial in by_quoting.items() if trial.is_even]
    if "none" in even and "double" not in even and by_quoting["none"].is_enclosed:
        return by_quoting["double"].dialect, True  # one row of many is wrong, and will be named
    if "double" not in even:
        return by_quoting[even[0] if even else "double"].dialect, True
    swallows = by_quoting["double"].swallows
    if "none" in even and swallows is not None:
        raise refuse_swallowed(*swallows, source)
    return by_quoting["double"].dialect, "none" in by_quoting and "none" not in even


def _refuse_single_or_double(trials: Mapping[Quoting | None, Trial], source: str) -> None:
    """Refuse a file without a header that has rows of equal length by both kinds of quotes.

    Raises:
        DataError: It is one.
    """
    single, double = trials.get("single"), trials.get("double")
    if single is None or double is None or not (single.is_even and double.is_even):
        return
    if len(single.header) != len(double.header):
        raise DataError(
            "cells begin with '; where texts stand between single quotes, set data.quoting=single, "
            "else data.quoting=double",
            source,
            1,
        )


def _is_all_quoted(first: str, dialect: Dialect, mark: str) -> bool:
    cells = plain_cells(first, dialect.separator or ",")
    return all(len(cell) > 1 and cell[0] == mark == cell[-1] for cell in cells)
