"""Row: one record of a source, before anybody knows which column is the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ranklet.data.hints import listed, nearest
from ranklet.errors import DataError
from ranklet.labels import SEPARATOR

MAX_CELL_CHARACTERS = 1_000_000
MISSING = "a null"


@dataclass(frozen=True)
class Row:
    """One record.

    Attributes:
        line: Line on which the row starts, counted from 1; for parquet the row number.
        cells: Text of each column; integers of typed formats as decimal text.
        kinds: What the value was in the source, for the columns where it was no usable text
            (`"an integer"`, `"a null"`); only integers are also in `cells`.
        lists: Items of the columns whose value was a list, of any type.
    """

    line: int
    cells: Mapping[str, str]
    kinds: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[object]] = field(default_factory=dict)


def typed_row(line: int, values: Mapping[str, object]) -> Row:
    """Build a row from the typed values of a JSON object or a parquet record."""
    cells: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for column, value in values.items():
        kind = value_kind(value)
        if kind is not None:
            kinds[column] = kind
        if kind is None or kind == "an integer":
            cells[column] = str(value)
    lists = {column: value for column, value in values.items() if isinstance(value, list)}
    return Row(line, cells, kinds, lists)


def value_kind(value: object) -> str | None:
    """Name what a value is, or None where it is a text that can be used."""
    if isinstance(value, str):
        return _text_defect(value)
    if isinstance(value, bool):
        return "a boolean"
    if is_missing(value):
        return MISSING
    names = {int: "an integer", float: "a fraction", list: "a list"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "no text")


def is_missing(value: object) -> bool:
    """Tell whether a value stands for none: None, NaN, and what pandas has in their place."""
    nan = isinstance(value, float) and value != value
    return value is None or nan or type(value).__name__ in ("NAType", "NaTType")


def _text_defect(text: str) -> str | None:
    if len(text) > MAX_CELL_CHARACTERS:
        return f"a text of {len(text):,} characters (at most {MAX_CELL_CHARACTERS:,} are allowed)"
    if "\0" in text:
        return "a text with a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "a text with a lone surrogate, which is no character"
    return None


def read_text(row: Row, column: str, source: str) -> str:
    """Return the text of a column; a missing value is an empty text.

    Raises:
        DataError: The column is missing in this row, or its value is no text.
    """
    kind = row.kinds.get(column)
    if kind == MISSING:
        return ""
    if kind is not None:
        raise DataError(f"found {kind} where a text must stand", source, row.line, column)
    return _present(row, column, source)


def read_label(row: Row, column: str, source: str) -> str:
    """Return the label of a column; integers become decimal text.

    Raises:
        DataError: The column is missing in this row, or its value is no label.
    """
    kind = row.kinds.get(column)
    if kind not in (None, "an integer"):
        allowed = "labels are text or integers"
        if column in row.lists:
            allowed = "several labels a text need data.problem_type: multi_label_classification"
        message = f"found {kind} where a label must stand; {allowed}"
        raise DataError(message, source, row.line, column)
    label = _present(row, column, source)
    defect = _label_defect(label)
    if defect:
        raise DataError(defect, source, row.line, column)
    return label


def read_label_set(row: Row, column: str, source: str) -> tuple[str, ...]:
    """Return the labels of a column, sorted: names with `|` between them, or a list of names.

    An empty cell or list is a text without a label. Integers become decimal text.

    Raises:
        DataError: The column is missing in this row, or its value is no set of labels.
    """
    names = _listed_labels(row, column, source)
    for position, name in enumerate(names):
        defect = _label_defect(name)
        if not name.strip():
            defect = "empty label; name each, or leave the whole cell or list empty for none"
        elif SEPARATOR in name:
            defect = f"label {name!r} holds {SEPARATOR}, which separates labels; rename it"
        elif name in names[:position]:
            defect = f"label {name!r} stands twice; name each once"
        if defect is not None:
            raise DataError(defect, source, row.line, column)
    return tuple(sorted(names))


def _listed_labels(row: Row, column: str, source: str) -> list[str]:
    if column in row.lists:
        items = row.lists[column]
        wrong = [kind for kind in map(value_kind, items) if kind not in (None, "an integer")]
        if not wrong:
            return [str(item) for item in items]
        message = f"found {wrong[0]} in a list of labels; labels are text or integers"
        raise DataError(message, source, row.line, column)
    kind = row.kinds.get(column)
    if kind not in (None, "an integer"):
        message = f"found {kind} where labels must stand; write names with {SEPARATOR} between "
        raise DataError(f"{message}them, or a list of names", source, row.line, column)
    cell = _present(row, column, source)
    return cell.split(SEPARATOR) if cell else []


def require_columns(
    wanted: Sequence[str], columns: Sequence[str], source: str, line: int | None
) -> None:
    """Check that every wanted column is there.

    Raises:
        DataError: One is missing; names those that are there, and the nearest.
    """
    for column in wanted:
        if column not in columns:
            message = (
                f"no column {column!r}; the columns are {listed(columns)}{nearest(column, columns)}"
                " (chosen by data.text_column and data.label_column, or --text-column and"
                " --label-column)"
            )
            raise DataError(message, source, line)


def _present(row: Row, column: str, source: str) -> str:
    others = [name for name in row.kinds if name not in row.cells]
    require_columns([column], [*row.cells, *others], source, row.line)
    return row.cells[column]


def _label_defect(label: str) -> str | None:
    if not label.strip():
        return "empty label; fill it in or delete the row"
    if label != label.strip() or label.splitlines() != [label]:
        return f"label {label!r} must be one line without white space around it; trim the cell"
    return None
