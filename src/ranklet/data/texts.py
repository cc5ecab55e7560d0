"""Text: what a classifier reads, one text or a pair of them."""

from __future__ import annotations

from collections.abc import Callable

Text = str | tuple[str, str]
"""One text, or two that are read together, such as a question and an answer."""


def in_one(text: Text) -> str:
    """Return a text as one string: the two of a pair with a space between."""
    return text if isinstance(text, str) else " ".join(text)


def each_part(text: Text, change: Callable[[str], str]) -> Text:
    """Change a text, or both of a pair."""
    return change(text) if isinstance(text, str) else (change(text[0]), change(text[1]))


def is_blank(text: Text) -> bool:
    """Tell whether there is nothing but white space, in both of a pair."""
    return not in_one(text).strip()
