"""Where texts and labels stand in a file or a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranklet.data.reading.dialect import Dialect


@dataclass(frozen=True)
class Columns:
    """Where texts and labels stand in a file or a table.

    Attributes:
        text: Column of the text, or several, joined by a space; None: as in the run, else `text`.
        label: Column of the label; None: as in the run, else `label`.
        dialect: How a delimited file is written; None: as in the run, else as the file shows.
    """

    text: str | Sequence[str] | None = None
    label: str | None = None
    dialect: Dialect | None = None


AS_IN_RUN = Columns()
"""The columns of the run; where there is none, `text` and `label`."""
