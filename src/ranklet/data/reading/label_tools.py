"""What tools for labelling export: doccano, Prodigy and Label Studio.

Rows that a person rejected, skipped or left without an answer are no examples, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ranklet.data.reading.memory import LABEL, TEXT
from ranklet.data.reading.row import Row, typed_row

VERDICTS = ("accept", "reject", "ignore")
LEFT_OUT = "left out by its labellers"


def without_rejected(
    rows: Iterable[Row], columns: Sequence[str] | None, note: Callable[[str], None]
) -> Iterator[Row]:
    """Yield rows as they are, but those of Prodigy, doccano and Label Studio as plain ones.

    Of Prodigy the chosen options become the label, and rejected and ignored rows are left out.
    doccano's `data` is `text` where it has no such key.

    Args:
        rows: Of JSON.
        columns: Columns that will be used; where `answer` is one of them it is no verdict.
        note: Receives how many rows were left out.
    """
    has_verdicts = not columns or "answer" not in columns
    left_out = 0
    for row in rows:
        verdict = row.cells.get("answer")
        if row.cells.get(LEFT_OUT) or (
            has_verdicts and _is_of_prodigy(row) and verdict != VERDICTS[0]
        ):
            left_out += 1
        elif has_verdicts and _is_of_prodigy(row):
            yield _chosen(row)
        else:
            yield _with_text(row)
    if left_out:
        note(f"{left_out:,} rows that were rejected or have no answer are left out")


def _is_of_prodigy(row: Row) -> bool:
    known = {"_task_hash", "_input_hash", "accept", LABEL} & {*row.cells, *row.kinds}
    return row.cells.get("answer") in VERDICTS and bool(known)


def _chosen(row: Row) -> Row:
    """Return a row of Prodigy with the options that were accepted as its label."""
    if "accept" not in row.lists or LABEL in row.cells:
        return row
    options = row.lists.get("options", ())
    names = {
        option["id"]: option.get("text", option["id"])
        for option in options
        if isinstance(option, dict) and "id" in option
    }
    # Prodigy's labels are the ids of its options; texts are what people read.
    accepted = [item if isinstance(item, str) else names.get(item) for item in row.lists["accept"]]
    return _with_values(row, {LABEL: accepted})


def _with_text(row: Row) -> Row:
    data = row.cells.get("data")
    if data is None or TEXT in row.cells or TEXT in row.kinds or LABEL not in row.lists:
        return row
    return _with_values(row, {TEXT: data})


def _with_values(row: Row, values: dict[str, object]) -> Row:
    more = typed_row(row.line, values)
    return replace(
        row,
        cells={**row.cells, **more.cells},
        kinds={**row.kinds, **more.kinds},
        lists={**row.lists, **more.lists},
    )


def is_labelling_task(record: Any) -> bool:
    """Tell whether an object is a task of Label Studio."""
    return (
        isinstance(record, dict)
        and isinstance(record.get("data"), dict)
        and isinstance(record.get("annotations", record.get("completions")), list)
    )


def labelled_values(task: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a task of Label Studio with its choices, by their name and as `label`.

    A task that was skipped, has no choices, or whose annotations differ, is marked as left out.
    """
    annotations = task.get("annotations", task.get("completions"))
    objects = [item for item in annotations or () if isinstance(item, dict)]
    kept = [item for item in objects if not item.get("was_cancelled")]
    choices = [_choices(item.get("result", ())) for item in kept]
    is_answered = bool(choices) and any(choices[0].values())
    if not is_answered or any(other != choices[0] for other in choices):
        return {**task["data"], LEFT_OUT: "yes"}
    first = next(iter(choices[0].values()))
    return {**task["data"], LABEL: first, **choices[0]}


def _choices(results: Any) -> dict[str, list[Any]]:
    objects = [item for item in results if isinstance(item, dict)] if results else []
    values = {str(item.get("from_name", LABEL)): item.get("value") for item in objects}
    return {
        name: list(value["choices"])
        for name, value in values.items()
        if isinstance(value, dict) and isinstance(value.get("choices"), list)
    }
