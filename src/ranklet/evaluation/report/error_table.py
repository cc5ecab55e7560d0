"""The errors of a split as a page shows them: each text with the words that weighed most."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ranklet.errors import RunError
from ranklet.evaluation.importance import Importance, Words
from ranklet.evaluation.predictions import ERROR_COLUMNS

MOST_ERRORS = 500
MOST_CHARACTERS = 1_000
MOST_MARKED_WORDS = 12
# A text and how its words are marked: `for` or `against` the predicted label, 1 weak to 3 strong.
Marked = tuple[str, str]


@dataclass(frozen=True)
class ErrorRow:
    """A text that was predicted wrong.

    Attributes:
        row: Its number in the data, from 0.
        text: The text.
        label: Its true label.
        predicted: The predicted label.
        label_probability: Probability of the true label.
        confidence: Probability of the predicted label.
        is_suspect: Whether the label is more likely to be wrong than the prediction.
        words: Words in the order of the text, each with its importance: above 0 where it speaks for
            the predicted label, below 0 where it speaks against it.
    """

    row: int
    text: str
    label: str
    predicted: str
    label_probability: float
    confidence: float
    is_suspect: bool = False
    words: Words = ()


@dataclass(frozen=True)
class ErrorTable:
    """The errors of a split, those first whose wrong label is the surest.

    Attributes:
        split: Name of the split.
        rows: Those that are shown.
        total: How many there are.
        file: Where all of them stand.
        method: How the importance of words was computed; empty where there is none.
    """

    split: str
    rows: Sequence[ErrorRow]
    total: int
    file: str
    method: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the rows have or were given, by name."""
        return tuple(sorted({name for row in self.rows for name in (row.label, row.predicted)}))


def read_error_table(path: Path, split: str, importance: Importance | None) -> ErrorTable | None:
    """Read the errors of a split.

    Args:
        path: As `write_error_rows` writes it.
        split: Name of the split.
        importance: Of their words, where it was computed.

    Returns:
        The first 500 errors; None where there is no such file.

    Raises:
        RunError: A file is broken.
    """
    if not path.is_file():
        return None
    words = {} if importance is None else importance.rows
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream, strict=True))
        rows = [_error_row(line, words) for line in lines[:MOST_ERRORS]]
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise RunError(f"{path}: holds no errors as `train` writes them ({error})") from error
    method = importance.method if importance is not None and words else ""
    return ErrorTable(split, rows, len(lines), f"{path.parent.name}/{path.name}", method)


def mark_words(row: ErrorRow) -> list[Marked]:
    """Cut a text into parts, and mark its 12 most important words by sign and strength.

    The words are found in the text one after the other; one that is not there is passed over. Of a
    text of more than 1,000 characters the beginning is shown.

    Returns:
        Parts that make up the text, each with `for1` to `for3`, `against1` to `against3`, or "".
    """
    shown = row.text[:MOST_CHARACTERS]
    strongest = max((abs(score) for _, score in row.words), default=0.0)
    ranked = sorted((abs(score) for _, score in row.words), reverse=True)
    least = ranked[:MOST_MARKED_WORDS][-1] if ranked else 0.0
    parts: list[Marked] = []
    written = 0
    place = 0
    for word, score in row.words:
        start = shown.find(word, place)
        if start < 0 or not word:
            continue
        place = start + len(word)
        if score and abs(score) >= least:
            parts += [(shown[written:start], ""), (word, _mark(score / strongest))]
            written = place
    return [part for part in (*parts, (shown[written:], "")) if part[0]]


def _mark(share: float) -> str:
    strength = 1 + (abs(share) >= 1 / 3) + (abs(share) >= 2 / 3)
    return f"{'for' if share > 0 else 'against'}{strength}"


def _error_row(line: Mapping[str, str], words: Mapping[int, Words]) -> ErrorRow:
    *always, suspected = ERROR_COLUMNS
    row, text, label, predicted, share, confidence = (line[name] for name in always)
    return ErrorRow(
        row=int(row),
        text=text,
        label=label,
        predicted=predicted,
        label_probability=float(share),
        confidence=float(confidence),
        is_suspect=bool(int(line[suspected])),
        words=words.get(int(row), ()),
    )
