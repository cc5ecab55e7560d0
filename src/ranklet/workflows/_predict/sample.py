"""The sample submission of a contest: its header, its ids and the form of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ranklet.data.hints import listed
from ranklet.data.reading.settings import PLAIN
from ranklet.data.reading.sources import first_rows
from ranklet.errors import DataError
from ranklet.vocabulary import LabelForm

SHOWN_IDS = 5
MOST_ROWS = 100_000_000


@dataclass(frozen=True)
class SubmittedLabels:
    """Every spelling that the labels of a classifier have.

    Attributes:
        names: In the order of the logits.
        values: The same as the training file writes them, integers for example.
        several: Whether a text may have any number of them.
    """

    names: tuple[str, ...]
    values: tuple[str, ...]
    several: bool


@dataclass(frozen=True)
class Sample:
    """What a sample submission says.

    Attributes:
        source: Its file, for messages.
        header: Names of its columns, as they are written.
        id_column: The column of the ids.
        ids: The id of each row, as it is written.
        answers: For each other column its cells.
    """

    source: str
    header: tuple[str, ...]
    id_column: str
    ids: tuple[str, ...]
    answers: dict[str, tuple[str, ...]]


def read_sample(source: str, test_columns: Sequence[str]) -> Sample:
    """Read a sample submission.

    The ids stand in the first column, unless the test file has only another one in which no cell
    stands twice.

    Args:
        source: A csv file.
        test_columns: Columns of the test file; empty where it has none.

    Raises:
        DataError: The file cannot be read, has no answer column, an id twice, or another spelling
            of the id column.
    """
    rows = first_rows(source, PLAIN, MOST_ROWS)
    header = tuple(rows[0].cells)
    if len(header) < 2:
        message = f"one column, {header[0]!r}; a sample has a column of ids and one of answers"
        raise DataError(message, source)
    columns = {name: tuple(row.cells[name] for row in rows) for name in header}
    unique = [
        name
        for name, cells in columns.items()
        if name in test_columns and len(set(cells)) == len(cells) > 1
    ]
    id_column = unique[0] if unique and header[0] not in test_columns else header[0]
    near = [name for name in test_columns if name.casefold() == id_column.casefold()]
    if near and id_column not in near:
        message = f"its ids are called {id_column!r}, those of the test file {near[0]!r}"
        raise DataError(f"{message}; take the sample as it was given", source)
    ids = columns.pop(id_column)
    repeated = _repeated(ids)
    if repeated:
        raise DataError(f"{len(repeated)} ids stand twice, such as {_shown(repeated)}", source)
    return Sample(source, header, id_column, ids, columns)


def choose_form(sample: Sample, labels: SubmittedLabels) -> LabelForm:
    """Tell from a sample how labels are written in it.

    Raises:
        DataError: It may be read in several ways, or in none; lists what can be asked for.
    """
    columns = tuple(sample.answers)
    cells = {cell for cells in sample.answers.values() for cell in cells if cell}
    has_fractions = any("." in cell and _is_share(cell) for cell in cells)
    fitting: list[LabelForm] = []
    if len(columns) > 1:
        if set(columns) not in (set(labels.names), set(labels.values)):
            message = f"its answer columns {listed(columns)} are not the labels"
            raise DataError(f"{message} {listed(labels.names)}", sample.source)
        if has_fractions:
            fitting.append("probability")
        elif labels.several:
            fitting.append("indicator")
    elif labels.several or (cells and cells <= set(labels.names)):
        fitting.append("name")
    elif cells and cells <= set(labels.values):
        fitting.append("value")
    elif has_fractions and all(map(_is_share, cells)):
        fitting.append("probability")
    if fitting:
        return fitting[0]
    forms = ("probability", "indicator") if len(columns) > 1 else ("name", "value", "position")
    raise DataError(
        f"its answers are {listed(sorted(cells)[:SHOWN_IDS])}, the labels {listed(labels.names)}, "
        f"in the training file {listed(labels.values)}; say how they are to be written: "
        f"--label-form {' or '.join(forms)}",
        sample.source,
    )


def match_rows(
    sample: Sample, test_ids: Sequence[str] | None, texts: int, rows: str | None
) -> list[tuple[str, int]]:
    """Return the id of each row to write, and which text it is, in the order of the sample.

    Args:
        sample: Names the ids.
        test_ids: Ids of the texts, in their order; None: the file has none, so that the order is
            that of the sample.
        texts: Number of texts.
        rows: `sample` or `test`, whose rows are written where they disagree; None: they must not.

    Raises:
        DataError: The ids of both are not the same, and nobody says which count; an id of the test
            file that stands twice; a row that no text answers.
    """
    if test_ids is None:
        if len(sample.ids) != texts:
            message = (
                f"{len(sample.ids):,} rows, and the test file has {texts:,} texts and no column "
                f"{sample.id_column!r} to match them by"
            )
            raise DataError(message, sample.source)
        return [(name, row) for row, name in enumerate(sample.ids)]
    repeated = _repeated(test_ids)
    if repeated:
        message = f"{len(repeated)} ids of the test file stand twice, such as {_shown(repeated)}"
        raise DataError(f"{message}; make them unique", sample.source)
    place = {name: row for row, name in enumerate(test_ids)}
    known = set(sample.ids)
    missing = [name for name in sample.ids if name not in place]
    surplus = [name for name in test_ids if name not in known]
    if missing:
        raise DataError(
            f"{len(missing):,} of its {len(sample.ids):,} ids have no text in the test file, such "
            f"as {_shown(missing)}; name the test file of this contest",
            sample.source,
        )
    if surplus and rows is None:
        raise DataError(
            f"{len(surplus):,} of the {len(test_ids):,} ids of the test file are missing in it, "
            f"such as {_shown(surplus)}; write its own rows alone with --rows sample, or all of "
            "the test file with --rows test",
            sample.source,
        )
    written = test_ids if rows == "test" else sample.ids
    return [(name, place[name]) for name in written]


def _repeated(ids: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    twice = [name for name in ids if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    return list(dict.fromkeys(twice))


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in islice(ids, SHOWN_IDS))


def _is_share(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= 1
    except ValueError:
        return False
