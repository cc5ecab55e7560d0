"""Arrow arrays in a pickle, from their buffers and without pyarrow (Arrow columnar format 1.x)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ranklet.data.reading.pickles.arrays import Allowance, as_bytes, as_text, cells
from ranklet.data.reading.pickles.machine import RefusedPickleError

BITS = (8, 16, 32, 64)
NUMBERS = {
    **{f"int{bits}": f"<i{bits // 8}" for bits in BITS},
    **{f"uint{bits}": f"<u{bits // 8}" for bits in BITS},
    "halffloat": "<f2",
    "float": "<f4",
    "double": "<f8",
}
OFFSETS = {"string": "<i4", "large_string": "<i8", "list_": "<i4", "large_list": "<i8"}


class UnreadableColumnError(ValueError):
    """A column of a type that is neither text nor number; says which."""


def arrow_cells(value: Any, allowance: Allowance) -> list[Any]:
    """Return the values of an array or of one in chunks.

    Raises:
        UnreadableColumnError: It holds neither texts, numbers, booleans nor lists of them.
        RefusedPickleError: Its buffers contradict one another.
    """
    allowance.take(1)
    if value.kind == "chunked_array":
        return [cell for chunk in value.arguments[0] for cell in arrow_cells(chunk, allowance)]
    if value.kind != "_restore_array":
        raise UnreadableColumnError(f"an Arrow {value.kind}")
    return _values(value.arguments[0], allowance)


def _values(parts: tuple[Any, ...], allowance: Allowance) -> list[Any]:
    kind, length, _, offset, buffers, children, _ = parts
    if not 0 <= length < 2**40 or not 0 <= offset < 2**40:
        raise RefusedPickleError("has an Arrow array of a length that cannot be")
    allowance.take(length)
    name = as_text(kind.arguments[0]) if kind.kind == "type_for_alias" else kind.kind
    if not length or name == "null":
        return [None] * length
    if name in OFFSETS:
        starts = _offsets(buffers[1], OFFSETS[name], offset, length, allowance)
        is_text = name in ("string", "large_string")
        data = (
            as_bytes(buffers[2] or b"", allowance) if is_text else _values(children[0], allowance)
        )
        if starts[-1] > len(data):
            raise RefusedPickleError("has an Arrow array that ends beyond its data")
        items: Any = [data[start:end] for start, end in pairwise(starts)]
        if is_text:
            items = [item.decode() for item in items]
    elif name == "bool":
        items = [bool(bit) for bit in _bits(buffers[1], offset, length, allowance)]
    elif name in NUMBERS:
        items = cells(_numbers(NUMBERS[name], buffers[1], offset, length, allowance), allowance)
    else:
        raise UnreadableColumnError(f"an Arrow {name}")
    if buffers[0] is None:
        return list(items)
    valid = _bits(buffers[0], offset, length, allowance)
    return [item if is_valid else None for item, is_valid in zip(items, valid, strict=True)]


def _numbers(
    dtype: str, buffer: Any, offset: int, length: int, allowance: Allowance
) -> np.ndarray[Any, Any]:
    data = as_bytes(buffer, allowance)
    size = np.dtype(dtype).itemsize
    values = np.frombuffer(data, dtype, count=len(data) // size)[offset : offset + length]
    if len(values) != length:
        raise RefusedPickleError("has an Arrow array shorter than it states")
    return values


def _offsets(buffer: Any, dtype: str, offset: int, length: int, allowance: Allowance) -> list[int]:
    """Return where items begin and end; they follow one another, so that none is read twice."""
    starts = _numbers(dtype, buffer, offset, length + 1, allowance)
    if starts[0] < 0 or (starts[1:] < starts[:-1]).any():
        raise RefusedPickleError("has an Arrow array whose items overlap")
    offsets: list[int] = starts.tolist()
    return offsets


def _bits(buffer: Any, offset: int, length: int, allowance: Allowance) -> list[int]:
    first, end = offset // 8, (offset + length + 7) // 8
    packed = _numbers("u1", buffer, first, end - first, allowance)
    bits: list[int] = np.unpackbits(packed, bitorder="little").tolist()
    return bits[offset % 8 :][:length]
