"""Figures in words, the same on a page and in a terminal: shares, intervals, memory, durations."""

from __future__ import annotations

from collections.abc import Callable

_NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


_EN_DASH = "\N{EN DASH}"


_MANY_ROWS = 1_000  # a thousandth is more than fewer rows than that can tell


def percent(share: float, digits: int = 1) -> str:
    """Write a share, 0..1, as a percentage."""
    return f"{100 * share:.{digits}f}{_NARROW_SPACE}%"


def digits_for(rows: int) -> int:
    """Return how many digits after the point a percentage of so many rows deserves."""
    return 2 if rows >= _MANY_ROWS else 1


def between(interval: tuple[float, float], digits: int = 1) -> str:
    """Write an interval of shares as percentages, without the sign."""
    low, high = interval
    return f"{100 * low:.{digits}f}{_EN_DASH}{100 * high:.{digits}f}"


def or_dash(write: Callable[[float], str], value: float | None) -> str:
    """Write a value, or a dash where there is none."""
    return _EN_DASH if value is None else write(value)


def memory(num_bytes: int | None) -> str:
    """Write an amount of memory in MiB; None is one that the system does not tell."""
    return "unknown" if num_bytes is None else f"{num_bytes / 2**20:,.0f} MiB"


def duration(seconds: float) -> str:
    """Write seconds with the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f}{_NARROW_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_NARROW_SPACE}min {rest}{_NARROW_SPACE}s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,}{_NARROW_SPACE}h {rest}{_NARROW_SPACE}min"
