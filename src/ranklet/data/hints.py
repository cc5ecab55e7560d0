"""Wording shared by the error messages of the data room."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

MAX_LISTED = 8


def nearest(word: str, allowed: Sequence[str]) -> str:
    """Return `; did you mean 'x'?` for the closest allowed word, or nothing."""
    close = get_close_matches(word, allowed, n=1) or [
        name for name in allowed if name.casefold().strip() == word.casefold().strip()
    ]
    return f"; did you mean {close[0]!r}?" if close else ""


def listed(names: Sequence[str]) -> str:
    """Quote names for a message, shortening a long list."""
    quoted = ", ".join(repr(name) for name in names[:MAX_LISTED])
    rest = len(names) - MAX_LISTED
    return f"{quoted} and {rest} more" if rest > 0 else quoted


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class name when it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
