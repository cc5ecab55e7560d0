"""NumPy arrays in a pickle, and the cells of a table in Python's own types."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ranklet.data.reading.pickles.machine import Global, Instance, RefusedPickleError

CELLS_PER_BYTE = 8
FREE_CELLS = 100_000
CHARACTERS_PER_CELL = 256
BYTES_PER_CELL = 8
MAX_DIMENSIONS = 2

PLAIN_DTYPES = re.compile(r"[biufOSU]\d*|[mM]8")
ARRAYS = ("_reconstruct", "_frombuffer")
MISSING = ("NA", "_nat_unpickle", "__nat_unpickle")


class Allowance:
    """How many cells a file may still stand for.

    A pickle can name one value any number of times, in two bytes each. So the cells are counted,
    long texts for more than one, against the length of the file.
    """

    def __init__(self, length: int) -> None:
        self.left = FREE_CELLS + CELLS_PER_BYTE * length

    def take(self, cells: int) -> None:
        """Count cells that are about to be made.

        Raises:
            RefusedPickleError: The file is too short for as many.
        """
        self.left -= cells
        if cells < 0 or self.left < 0:
            raise RefusedPickleError("stands for far more cells than a file of its size can hold")


def weight(values: Iterable[object]) -> int:
    """Return as how many cells values count."""
    return sum(
        1 + len(value) // CHARACTERS_PER_CELL if isinstance(value, str) else 1 for value in values
    )


def is_array(value: object) -> bool:
    """Tell whether a value is a NumPy array."""
    return isinstance(value, Instance) and value.kind in ARRAYS


def as_bytes(value: Any, allowance: Allowance) -> bytes | bytearray:
    """Return bytes, which protocol 2 writes as a text and pyarrow as a buffer."""
    if isinstance(value, bytes | bytearray):
        allowance.take(len(value) // BYTES_PER_CELL)
        return value
    if value.kind == "encode" and value.arguments[1] == "latin1":
        return as_bytes(bytes(value.arguments[0], "latin1"), allowance)
    if value.kind in ("bytes", "bytearray", "py_buffer"):
        return as_bytes(value.arguments[0], allowance) if value.arguments else b""
    raise RefusedPickleError(f"has a {value.kind} where bytes must stand")


def as_text(value: Any) -> str:
    """Return what must be a text: anything else could be endlessly long as one."""
    if not isinstance(value, str):
        raise RefusedPickleError(f"has a {type(value).__name__} where a name must stand")
    return value


def to_array(value: Any, allowance: Allowance) -> np.ndarray[Any, Any]:
    """Return a NumPy array of one or two dimensions; of objects, with what the pickle has for them.

    Raises:
        RefusedPickleError: Another number of dimensions, structured or of a foreign type.
    """
    if value.kind == "_frombuffer":
        data, dtype, shape, order = value.arguments
    else:
        _, shape, dtype, is_fortran, data = value.state
        order = "F" if is_fortran else "C"
    if not 1 <= len(shape) <= MAX_DIMENSIONS:
        raise RefusedPickleError(f"has an array of {len(shape)} dimensions; 1 or 2 are read")
    count = math.prod(shape)
    allowance.take(count + max(shape))
    kind = to_dtype(dtype)
    if kind.hasobject:
        array = np.fromiter(data, dtype=object, count=len(data))
        order = "C"  # whatever is stated of it
    else:
        array = _from_buffer(data, kind, allowance)
    if min(shape) < 0 or len(array) != count:
        raise RefusedPickleError(f"has an array of {len(array)} values where {count} are stated")
    return array.reshape(shape, order=order)


def _from_buffer(data: Any, dtype: np.dtype[Any], allowance: Allowance) -> np.ndarray[Any, Any]:
    array = np.frombuffer(as_bytes(data, allowance), dtype)
    # Beyond Unicode, CPython raises a SystemError, which says that the interpreter is broken.
    if dtype.kind == "U" and array.view(f"{dtype.byteorder}u4").max(initial=0) > sys.maxunicode:
        raise RefusedPickleError("has an array of texts that are none")
    return array


def to_dtype(value: Any) -> np.dtype[Any]:
    """Return the type of an array.

    Raises:
        RefusedPickleError: Structured, or no plain type.
    """
    code, order = value.arguments[0], value.state[1]
    if not PLAIN_DTYPES.fullmatch(code) or order not in ("<", ">", "|", "="):
        raise RefusedPickleError(f"has an array of type {code[:20]!r}; save its columns by name")
    if code[0] in "mM":
        code += "[us]"  # times are no text, in whatever unit
    dtype: np.dtype[Any] = np.dtype(order + code)
    if not dtype.itemsize:
        raise RefusedPickleError("has an array of values without a size")
    return dtype


def cells(array: np.ndarray[Any, Any], allowance: Allowance) -> list[Any]:
    """Return an array of one dimension as a list; what is missing is None."""
    if array.dtype.kind == "O":
        return [plain(value, allowance) for value in array.tolist()]
    if array.dtype.kind == "f":
        return [None if math.isnan(value) else value for value in array.tolist()]
    if array.dtype.kind in "mM":
        return list(array)
    values: list[Any] = array.tolist()
    return values


def plain(value: Any, allowance: Allowance) -> Any:
    """Return the value of a cell in Python's own types; what is none of those as it is."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list | tuple):
        allowance.take(weight(value))
        return [plain(item, allowance) for item in value]
    if isinstance(value, Global | Instance) and value.kind in MISSING:
        return None
    if not isinstance(value, Instance):
        return value
    if value.kind == "scalar":
        dtype, data = value.arguments
        (only,) = cells(_from_buffer(data, to_dtype(dtype), allowance), allowance)
        return only
    if value.kind in ARRAYS:
        return [plain(item, allowance) for item in to_array(value, allowance).tolist()]
    if value.kind == "set":
        return plain(value.arguments[0], allowance)
    return value
