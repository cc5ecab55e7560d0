"""JSON lines: one object on each line, read strictly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from ranklet.data.hints import first_line
from ranklet.data.reading.lines import read_lines, without_last_blanks
from ranklet.data.reading.row import REPEATED, Row, typed_row
from ranklet.errors import DataError

KINDS = {list: "an array", str: "a text", int: "a number", float: "a number", bool: "a boolean"}


def read_json_lines(file: BinaryIO, source: str, encoding: str | None = None) -> Iterator[Row]:
    """Yield one row per line, streaming.

    Values of columns that nobody reads may be of any type; see `Row.kinds`.

    Raises:
        DataError: A line that is no JSON object or is nested too deeply; a blank line between rows.
    """
    lines = read_lines(file, source, encoding)
    for line, text in without_last_blanks(lines, lambda text: not text.strip(), source):
        yield typed_row(line, _parse(text, source, line))


def _parse(text: str, source: str, line: int) -> dict[str, object]:
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        message = f"not valid JSON at character {error.pos + 1}: {error.msg}"
        raise DataError(f"{message}; write one object per line", source, line) from error
    except RecursionError as error:
        raise DataError("JSON nested too deeply; write a flat object", source, line) from error
    except ValueError as error:
        raise DataError(first_line(error), source, line) from error
    if not isinstance(value, dict):
        kind = KINDS.get(type(value), "null")
        raise DataError(f"found {kind}; write one JSON object per line", source, line)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        values |= {key: REPEATED for key, count in counts.items() if count > 1}
    return values
