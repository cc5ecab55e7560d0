"""The labels of a whole column: how many a cell holds, and what each is called.

Files say the same in many ways: `a|b`, `a, b`, `['a', 'b']`; `1` and `1.0`; `True` and `true`. What
a cell means is decided by all cells of its column, and refused where they do not show it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ranklet.data.hints import listed
from ranklet.data.reading.dialect import SEPARATOR_WORDS
from ranklet.data.reading.label_cells import RawLabel
from ranklet.errors import DataError
from ranklet.labels import SEPARATOR, TRUTHS, Label, is_number, names_of, plain_number

SEPARATORS = (SEPARATOR, ",", ";")
RARE_SEPARATORS = ("+", "/", "&", "#", ":")
LONGEST_LIST = 10_000
ANY_NUMBER = "data.problem_type=multi_label_classification"
# Arrays as NumPy prints them: no comma between the items.
QUOTED_NEIGHBOURS = re.compile(r"""(['"])\s+(?=['"])""")
NUMBER_NEIGHBOURS = re.compile(r"(?<=[0-9])\s+(?=-?[0-9])")
MOST_FRACTIONS, MOST_NUMBERS = 20, 1_000
SHOWN = 3


@dataclass(frozen=True)
class LabelColumn:
    """The labels of a source.

    Attributes:
        labels: One of each text.
        notes: What was read otherwise than it is written, in words.
        spellings: How each label is mostly written.
    """

    labels: tuple[Label, ...]
    notes: tuple[str, ...]
    spellings: Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where labels stand, for messages: source, column, and the line of each."""

    source: str
    column: str
    lines: Sequence[int]

    def error(self, message: str, row: int, settings: tuple[str, ...] = ()) -> DataError:
        """Return what is wrong with a row, and the settings that most likely read it."""
        return DataError(message, self.source, self.lines[row], self.column, settings)


def single_labels(cells: Sequence[RawLabel], place: Place) -> LabelColumn:
    """Return the label of each text.

    Raises:
        DataError: A cell that is empty, or holds several labels.
    """
    written: list[Label] = []
    for row, items in enumerate(_listed(cells)):
        if not isinstance(items, str):
            if len(items) != 1:
                message = f"{len(items)} labels in {_shown(cells[row])}; "
                raise place.error(f"{message}for any number set {ANY_NUMBER}", row, (ANY_NUMBER,))
            items = items[0]
        written.append(items)
    column = _named(written, place)
    return replace(column, notes=(*column.notes, *_joined_notes(column.labels)))


def label_sets(
    cells: Sequence[RawLabel], separator: str | None, has_several: bool, place: Place
) -> LabelColumn:
    """Return the labels of each text, sorted.

    Args:
        cells: What stands in the column; an empty cell or list is a text without a label.
        separator: What stands between labels in a cell; None: as the cells show.
        has_several: Whether some text must have several.
        place: Where they stand.

    Raises:
        DataError: Cells that may be read in two ways, labels that are empty or stand twice, or no
            text with several.
    """
    items = _listed(cells)
    texts = [cell for cell in items if isinstance(cell, str)]
    mark = separator or _separator(texts, has_several, place)
    sets = [cell if isinstance(cell, tuple) else _split(cell, mark) for cell in items]
    column = _named(sets, place)
    distinct = {name for label in column.labels for name in label}
    has_none = not any(len(label) > 1 for label in column.labels)
    # Lists say by themselves that they are such.
    if has_several and texts and len(distinct) > 1 and has_none:
        mark = next((mark for mark in RARE_SEPARATORS if _recur(set(texts), mark)), "comma")
        first = next(cell for cell in cells if cell)
        message = (
            f"no text has two labels, the first is {_shown(first)}; name what "
            f"stands between them, such as data.label_separator={mark}, or set "
            "data.problem_type=single_label_classification"
        )
        raise DataError(message, place.source, None, place.column)
    return column


def refuse_measurements(labels: Sequence[Label], place: Place) -> None:
    """Refuse numbers that measure something, where labels must stand.

    Raises:
        DataError: There are so many different numbers that they are no classes.
    """
    distinct = {name for label in labels for name in names_of(label)}
    if not all(map(is_number, distinct)):
        return
    has_fractions = any("." in name for name in distinct)
    most = MOST_FRACTIONS if has_fractions else MOST_NUMBERS
    if len(distinct) > max(2, min(most, len(labels) // 2)) and len(distinct) > MOST_FRACTIONS:
        message = (
            f"{len(distinct):,} different numbers in {len(labels):,} rows: labels are classes, and "
            "regression is not a thing here; make classes of them, or name another column: "
            "--label COLUMN"
        )
        raise DataError(message, place.source, None, place.column)


def _listed(cells: Sequence[RawLabel]) -> list[RawLabel]:
    """Return lists for cells that hold lists, if all do."""
    read = [_items(cell) if isinstance(cell, str) and cell.strip() else cell for cell in cells]
    return list(cells) if None in read else [cell for cell in read if cell is not None]


def _items(cell: str) -> tuple[str, ...] | None:
    """Return the items of a list as JSON, Python or NumPy write it; None of anything else."""
    text = cell.strip()
    if len(text) > LONGEST_LIST or text[0] + text[-1] not in ("[]", "()", "{}"):
        return None
    text = NUMBER_NEIGHBOURS.sub(", ", QUOTED_NEIGHBOURS.sub(r"\1, ", text))
    text = re.sub(r"\b(true|false)\b(?=\s*[,\]])", lambda word: word[0].title(), text)
    try:
        items = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(items, dict) or not isinstance(items, list | tuple | set):
        return None
    if not all(isinstance(item, str | int | float) for item in items):
        return None
    return tuple(str(item) for item in items)


def _separator(texts: Sequence[str], must_be_certain: bool, place: Place) -> str | None:
    """Return what stands between the labels of a cell, where the cells show it."""
    marks = [mark for mark in SEPARATORS if any(mark in text for text in texts)]
    if not marks or marks[0] == SEPARATORS[0]:
        return marks[0] if marks else None
    mark = marks[0]
    is_certain = len(marks) == 1 and (not must_be_certain or _recur(set(texts), mark))
    if not is_certain:
        row = next(row for row, text in enumerate(texts) if mark in text)
        choices = [f"data.label_separator={SEPARATOR_WORDS[mark]}" for mark in (*marks, "|")]
        message = f"not certain what stands between labels in {_shown(texts[row])}; set "
        raise DataError(message + " or ".join(choices), place.source, None, place.column)
    return mark


def _split(cell: str, mark: str | None) -> tuple[str, ...]:
    if not cell.strip():
        return ()
    return tuple(part.strip() for part in cell.split(mark)) if mark else (cell,)


def _recur(cells: set[str], mark: str) -> bool:
    """Tell whether a part of a cell is a part of another cell too."""
    counts = Counter(part for cell in cells for part in {*map(str.strip, cell.split(mark))})
    parts = [part.strip() for cell in cells if mark in cell for part in cell.split(mark)]
    return any(counts[part] > 1 for part in parts)


def _named(labels: Sequence[Label], place: Place) -> LabelColumn:
    """Call equal labels by one name, and refuse those that are none."""
    written = Counter(name for label in labels for name in names_of(label))
    names = _plain_names(set(written))
    by_count = sorted(written, key=lambda name: (written[name], name))
    for row, label in enumerate(labels):
        plain = [names[name] for name in names_of(label)]
        for position, name in enumerate(plain):
            defect = _defect(name, name in plain[:position], isinstance(label, str))
            if defect:
                raise place.error(defect, row)
    named = tuple(
        names[label] if isinstance(label, str) else tuple(sorted(names[name] for name in label))
        for label in labels
    )
    spellings = {names[name]: name.strip() for name in by_count}
    return LabelColumn(named, tuple(_notes(names)), spellings)


def _plain_names(written: set[str]) -> dict[str, str]:
    """Return the name of each label as it is written."""
    names = {name: name.strip() for name in written}
    if all(map(is_number, names.values())):
        return {name: plain_number(plain) for name, plain in names.items()}
    if all(plain.lower() in TRUTHS for plain in names.values()):
        return {name: plain.title() for name, plain in names.items()}
    return names


def _defect(name: str, stands_twice: bool, is_only: bool) -> str | None:
    if not name and is_only:
        return "empty label; fill it in or delete the row"
    if not name:
        return "empty label; name each, or leave the whole cell or list empty for none"
    if name.splitlines() != [name]:
        return f"label {name!r} must be one line; shorten the cell"
    if SEPARATOR in name and not is_only:
        return f"label {name!r} holds {SEPARATOR}, which separates labels; rename it"
    if stands_twice:
        return f"label {name!r} stands twice; name each once"
    return None


def _notes(names: Mapping[str, str]) -> Iterator[str]:
    renamed = sorted((name, plain) for name, plain in names.items() if name != plain)
    if renamed:
        shown = ", ".join(f"{name!r} is read as {plain!r}" for name, plain in renamed[:SHOWN])
        more = f" and {len(renamed) - SHOWN} more" if len(renamed) > SHOWN else ""
        yield f"labels: {shown}{more}"
    folded: dict[str, list[str]] = {}
    for plain in sorted(set(names.values())):
        folded.setdefault(plain.casefold(), []).append(plain)
    for alike in [alike for alike in folded.values() if len(alike) > 1][:SHOWN]:
        yield f"labels: {listed(alike)} differ in capitals alone and are not the same label"


def _joined_notes(labels: Sequence[Label]) -> Iterator[str]:
    """Say which labels look like several."""
    distinct = {name for label in labels for name in names_of(label)}
    for mark in SEPARATORS:
        joined = sorted(
            name
            for name in distinct
            if mark in name and {part.strip() for part in name.split(mark)} <= distinct
        )
        if joined:
            yield (
                f"labels: {joined[0]!r} looks like several labels and counts as one; for several "
                "set data.problem_type=multi_label_classification"
            )


def _shown(cell: RawLabel) -> str:
    text = repr(cell if isinstance(cell, str) else list(cell))
    return text if len(text) <= 60 else text[:57] + "..."
