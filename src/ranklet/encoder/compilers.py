"""Which compiler a machine has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from shutil import which


def find_compiler(variable: str, names: Sequence[str]) -> str | None:
    """Return the path of a compiler: the one that an environment variable names, else the first.

    Args:
        variable: Such as CC; what it names is taken, or nothing.
        names: Programs that are looked for where it is not set.
    """
    named = os.environ.get(variable)
    return next((path for name in ([named] if named else names) if (path := which(name))), None)
