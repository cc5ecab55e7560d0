"""How a delimited text file is written."""

from __future__ import annotations

from dataclasses import dataclass

from ranklet.vocabulary import Quoting


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
