"""Which columns of a table hold the texts and the labels, where rows leave no doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranklet.data.hints import listed
from ranklet.data.reading.row import Row
from ranklet.errors import DataError

# What data sets call them, for tables in which several columns look alike.
TEXT_NAMES = ("text", "sentence", "content", "document", "review", "tweet", "message", "question")
LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment", "intent", "topic")
MOST_LABELS = 200
BITS = {"0", "1"}


@dataclass(frozen=True)
class FoundColumns:
    """Where the texts and labels of a table stand.

    Attributes:
        text: Column of the text, or several.
        label: Column of the label.
    """

    text: tuple[str, ...]
    label: str


def find_columns(
    rows: Sequence[Row], source: str, text: Sequence[str] = (), label: str | None = None
) -> FoundColumns:
    """Find the column of the texts and that of the labels.

    A text is a cell of several words that hardly ever occurs twice, a label one of a few that do.
    Where several columns are such, the one with a usual name is taken.

    Args:
        rows: The first rows of a table.
        source: Its name in messages.
        text: Columns of the text, where a person named them.
        label: Column of the label, where a person named it.

    Raises:
        DataError: No column is the one, or several may be; says which option names it.
    """
    columns = list(dict.fromkeys(name for row in rows for name in (*row.cells, *row.kinds)))
    cells = {name: [row.cells.get(name, "") for row in rows] for name in columns}
    lists = {name: [row.lists[name] for row in rows if name in row.lists] for name in columns}
    unread = [name for name in columns if name != label and name.strip()]
    chosen = tuple(text) or (
        _only(
            [name for name in unread if _are_texts(cells[name])],
            TEXT_NAMES,
            "text",
            source,
            columns,
        ),
    )
    others = [name for name in unread if name not in chosen]
    labels = [name for name in others if lists[name] or _are_labels(cells[name])]
    if label is None and len(labels) > 2 and all(set(cells[name]) == BITS for name in labels):
        raise DataError(
            f"columns {listed(labels)} hold 0 and 1; if there is one for each label, set "
            f"data.label_columns=[{', '.join(labels)}] "
            "data.problem_type=multi_label_classification, else name it, such as --label "
            f'"{labels[0]}"',
            source,
        )
    return FoundColumns(chosen, label or _only(labels, LABEL_NAMES, "label", source, columns))


def _only(
    candidates: Sequence[str],
    usual: Sequence[str],
    what: str,
    source: str,
    columns: Sequence[str],
) -> str:
    named = [name for name in candidates if name.strip().lower() in usual]
    best = min(named, key=lambda name: usual.index(name.strip().lower()), default=None)
    if len(candidates) == 1 or best is not None:
        return best or candidates[0]
    seen = f"columns {listed(candidates)} may be" if candidates else "no column seems to be"
    shown = candidates or columns
    example = f'--{what} "{shown[0]}"' if shown else f"--{what} COLUMN"
    of = "" if candidates else f"; the columns are {listed(columns)}"
    if len(columns) == 1:
        message = (
            f"one column, {columns[0]!r}, and none of labels; if its lines hold more, say how: "
        )
        raise DataError(f"{message}set data.separator and data.columns=[text, label]", source)
    raise DataError(f"{seen} the {what}{of}; name it, such as {example}", source)


def _are_texts(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    if not filled or all(_is_number(cell) for cell in filled):
        return False
    # Scripts without spaces write a text in one word.
    words = [max(len(cell.split()), len(cell.encode()) // 12) for cell in filled]
    return sum(words) / len(words) >= 3 and len(set(filled)) > len(filled) / 2


def _are_labels(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    distinct = len(set(filled))
    return 2 <= distinct <= min(MOST_LABELS, len(filled) / 2) and len(filled) == len(cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
