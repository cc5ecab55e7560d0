"""Regular expressions of PEFT's configuration, matched in time linear in the name.

They come with a stranger's adapter, and Python's `re` may search one for longer than anybody lives.
RE2 (Cox 2010, "Regular expression matching in the wild") knows no lookaround and no references
backwards, which are refused; all else means what it means to PEFT.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

# Far above what anybody writes: the longest we saw lists the names of an encoder's modules.
LONGEST_PATTERN = 20_000


def why_no_pattern(pattern: str) -> str | None:
    """Say why a text is no pattern that is matched here; None where it is one."""
    if len(pattern) > LONGEST_PATTERN:
        return f"{len(pattern):,} characters, at most {LONGEST_PATTERN:,} are read"
    try:
        compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        return f"{text}; write names, or what is matched without looking around or back"
    except ValueError:  # half a character
        return "half a character"
    return None


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """Return a pattern with the methods that `re` gives it."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
