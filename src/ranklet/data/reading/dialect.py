"""How a delimited text file is written."""

from __future__ import annotations

from dataclasses import dataclass

from ranklet.vocabulary import Quoting

SEPARATOR_WORDS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
"""Separators that are looked for, and the words that recipes may have for them."""


@dataclass(frozen=True)
class Dialect:
    """How a delimited text file is written; None: as the file itself shows.

    Attributes:
        separator: The character between cells.
        quoting: What stands around cells that hold separators or line ends.
        encoding: Python's name of the encoding.
        columns: Names of the columns of a file without a header line.
    """

    separator: str | None = None
    quoting: Quoting | None = None
    encoding: str | None = None
    columns: tuple[str, ...] | None = None


AS_WRITTEN = Dialect()
"""Whatever the file itself shows."""


def traits(dialect: Dialect) -> tuple[str, ...]:
    """Return in words how a file is written, where it is not by commas, quotes and UTF-8."""
    quoting = {"none": "no quotes", "single": "single quotes"}.get(dialect.quoting or "")
    mark = dialect.separator or ","
    word = SEPARATOR_WORDS.get(mark)
    named = [
        None if mark == "," else f"{word}s" if word else f"separator {mark!r}",
        quoting,
        None if dialect.columns is None else "no header line",
        None if dialect.encoding in (None, "utf-8") else dialect.encoding,
    ]
    return tuple(name for name in named if name is not None)


def setting(separator: str) -> str:
    """Return the setting that names a separator, as it is typed in a shell."""
    return f"data.separator={SEPARATOR_WORDS.get(separator, separator)}"
