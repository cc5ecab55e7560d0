"""Names of modules: which of them a pattern means, and which layers a range means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

LayerSelection = str | Sequence[int | str]
"""Layers by index and range, see `layer_indices`."""

_RANGE = re.compile(r"(\d{1,9})-(\d{0,9})")


def matches(module: str, pattern: str) -> bool:
    """Tell whether a pattern names a module.

    A pattern is the full name or a dotted suffix of it. In place of a layer's number it may have a
    range: `layer.0-5.attention.self.query`. A pattern that ends in a number or a range names every
    module of these layers: `layer.11`, `layer.8-`.
    """
    if module == pattern or module.endswith("." + pattern):
        return True
    parts, wanted = module.split("."), pattern.split(".")
    ends = wanted[-1].isdecimal() or bool(_RANGE.fullmatch(wanted[-1]))
    lengths = range(len(wanted), len(parts) + 1) if ends else (len(parts),)
    return any(
        all(map(_is_part, parts[end - len(wanted) : end], wanted))
        for end in lengths
        if end >= len(wanted)
    )


def layer_of(module: str) -> int | None:
    """Return the layer that a module is in, or None: the first number in its name counts layers."""
    match = re.search(r"\.(\d+)\.", module)
    return int(match.group(1)) if match else None


def layer_indices(layers: LayerSelection, last: int) -> tuple[int, ...]:
    """Write ranges of layers out.

    Args:
        layers: Indices and ranges: `3`, `0-5` (5 included), `8-` (to the last), or one range.
        last: Index of the last layer, where an open range ends; of a range that goes on, one more
            is written out, which whoever needs all of them refuses.
    """
    indices: list[int] = []
    for item in (layers,) if isinstance(layers, str) else layers:
        if isinstance(item, int):
            indices.append(item)
        else:
            begin, _, end = item.partition("-")
            first = int(begin)
            wanted = min(int(end), last + 1) if end else last
            indices += range(first, max(first, wanted) + 1)
    return tuple(dict.fromkeys(indices))


def nearest_names(pattern: str, modules: Iterable[str]) -> str:
    """Say for a message which names or endings of modules were probably meant, or which exist."""
    names = list(modules)
    suffixes = {".".join(name.split(".")[-length:]) for name in names for length in range(1, 4)}
    near = get_close_matches(pattern, sorted(suffixes | set(names)), n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    leaves = sorted({name.rsplit(".", 1)[-1] for name in names})
    return "allowed are full names or their endings, such as " + ", ".join(leaves[:8])


def _is_part(part: str, wanted: str) -> bool:
    bounds = _RANGE.fullmatch(wanted)
    if not bounds or not part.isdecimal():
        return part == wanted
    return int(bounds[1]) <= int(part) and (not bounds[2] or int(part) <= int(bounds[2]))
