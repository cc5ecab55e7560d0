"""Text that others wrote, made harmless where it is shown: labels, texts, names of files.

A terminal obeys control characters (an escape can write to the clipboard, colour or delete what
stands there), and a reader of a page or table is misled by those that turn the direction of text.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Controls but tab and newline, half characters, and what turns the direction of text.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# What a spreadsheet takes a cell for a formula by (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def printable(line: str) -> str:
    """Return a line for a terminal: whatever is no visible character becomes a question mark."""
    return "".join(character if character.isprintable() else "?" for character in line)


def without_controls(text: str) -> str:
    """Return text for a page or a table: control characters become U+FFFD, newlines stay."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def to_json(content: Any, indent: int | None = None) -> str:
    """Return JSON in which whatever is not printable is escaped, so that nothing is lost."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    return "".join(
        character if character.isprintable() or character == "\n" else _escaped(character)
        for character in text
    )


def as_cell(value: object, escape_formulas: bool) -> object:
    """Return the value of a table's cell without control characters.

    Args:
        value: Numbers stay as they are.
        escape_formulas: Put an apostrophe before text that a spreadsheet would compute.
    """
    if not isinstance(value, str):
        return value
    text = without_controls(value)
    return f"'{text}" if escape_formulas and text.startswith(_FORMULA_STARTS) else text


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]
