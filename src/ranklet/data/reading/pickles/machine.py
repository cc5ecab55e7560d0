"""What a pickle says, as inert values: its opcodes are read, nothing of it is ever called.

`pickletools.genops` (standard library) decodes the opcodes without running them; the stack below
puts them together. Where `pickle` would import a name and call it, this makes a record of the name
and the arguments.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ranklet.data.reading.pickles.names import ALLOWED

MAX_OPEN_MARKS = 100
MAX_KEY = 2**60  # below it an integer is its own hash, so that keys cannot be made to collide

IN_PANDAS = 'load it where it comes from and write df.to_csv("train.csv", index=False)'
IN_DATASETS = 'load it where it comes from and write ds.to_parquet("train.parquet")'


class RefusedPickleError(ValueError):
    """A pickle that is not read, why, and what to do instead."""

    def __init__(self, problem: str, way_out: str = IN_PANDAS) -> None:
        super().__init__(f"the pickle {problem}; {way_out}")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Global:
    """A name that the pickle would import.

    Attributes:
        kind: The name without its module, which differs between versions of a library.
    """

    kind: str


@dataclass(slots=True, eq=False, repr=False)
class Instance:
    """What the pickle would make by calling a name.

    Attributes:
        kind: `Global.kind` of what would be called.
        arguments: What it would be called with.
        state: What would then be set on it.
        entries: Keys and values that would be put into it, of subclasses of dict.
    """

    kind: str
    arguments: tuple[Any, ...]
    state: Any = None
    entries: dict[Any, Any] = field(default_factory=dict)


def parse(content: bytes) -> Any:
    """Return the value that a pickle describes, its objects as `Instance`.

    Time and memory grow with the length of `content`, whatever it holds: each opcode makes at most
    one small value, and sizes that it states are never believed.

    Raises:
        RefusedPickleError: A name or an opcode that no table needs.
        ValueError: It is no pickle, or ends too early.
    """
    machine = _Machine(len(content))
    end = 0
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name in PUSHED:
            machine.push(argument)
        elif opcode.name == "STOP":
            end = (position or 0) + 1
        else:
            step = STEPS.get(opcode.name)
            if step is None:
                raise RefusedPickleError(f"uses the opcode {opcode.name}, which no table needs")
            step(machine, argument)
    if end != len(content):
        raise RefusedPickleError("is followed by another, as by a second dump or of torch.save")
    return machine.pop()


class _Machine:
    """The stack and the memo of a pickle that is being read."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise RefusedPickleError("takes a value from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        value = self.pop()
        self.push(value)
        return value

    def mark(self) -> None:
        if len(self.outer) == MAX_OPEN_MARKS:
            raise RefusedPickleError(f"is nested more than {MAX_OPEN_MARKS} deep")
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        if not self.outer:
            raise RefusedPickleError("closes what was never opened")
        items, self.stack = self.stack, self.outer.pop()
        return items

    def put(self, index: int) -> None:
        if not 0 <= index <= self.length:
            raise RefusedPickleError(f"remembers a value at {index:,}, beyond its own length")
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise RefusedPickleError("asks for a value that it never gave")
        self.push(self.memo[index])


def _global(module: Any, name: Any) -> Global:
    if not isinstance(module, str) or not isinstance(name, str):
        raise RefusedPickleError("names something by what is no text")
    if "." in name or f"{module}.{name}" not in ALLOWED:
        raise RefusedPickleError(
            f"asks for {f'{module}.{name}'[:100]!r}, which no table needs; nothing was run",
            IN_DATASETS if module.startswith("datasets.") else IN_PANDAS,
        )
    return Global(name)


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(_global(module, name))


def _call(machine: _Machine, _: Any) -> None:
    arguments, called = machine.pop(), machine.pop()
    # pandas 1.3 calls partial(new_block), a time zone getattr(ZoneInfo, "_unpickle").
    if isinstance(called, Instance) and called.kind in ("partial", "getattr"):
        called = called.arguments[0] if called.arguments else None
    if not isinstance(called, Global) or not isinstance(arguments, tuple):
        raise RefusedPickleError("calls something that is no name")
    owner = arguments[0] if arguments else None
    if called.kind == "getattr" and not (isinstance(owner, Global) and owner.kind == "ZoneInfo"):
        raise RefusedPickleError("asks for 'builtins.getattr', which no table needs")
    machine.push(Instance(called.kind, arguments))


def _build(machine: _Machine, _: Any) -> None:
    state, built = machine.pop(), machine.top()
    if not isinstance(built, Instance) or built.state is not None:
        raise RefusedPickleError("sets the state of something that is no new object")
    built.state = state


def _append(machine: _Machine, items: list[Any]) -> None:
    target = machine.top()
    if type(target) is not list:
        raise RefusedPickleError("appends to something that is no list")
    target.extend(items)


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.top()
    _enter(target.entries if isinstance(target, Instance) else target, items)


def _enter(target: Any, items: list[Any]) -> None:
    if type(target) is not dict or len(items) % 2:
        raise RefusedPickleError("sets items of something that is no dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        is_number = isinstance(key, int) and -MAX_KEY < key < MAX_KEY
        # An Instance is its own key; protocol 2 writes bytes as such.
        if not (is_number or key is None or isinstance(key, str | bytes | Instance)):
            raise RefusedPickleError("has a dict with keys that are neither texts nor numbers")
        target[key] = value


def _dict(machine: _Machine, _: Any) -> None:
    entries: dict[Any, Any] = {}
    _enter(entries, machine.since_mark())
    machine.push(entries)


def _constant(make: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(make())


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(items)))

    return step


# Opcodes whose argument is the value. LONG4 is left out: its integers may have any length.
NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT")
TEXTS = ("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8")
OF_PYTHON_2 = ("STRING", "SHORT_BINSTRING", "BINSTRING")
PUSHED = frozenset((*NUMBERS, *TEXTS, *BYTES, *OF_PYTHON_2))
STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_LIST": _constant(list),
    "EMPTY_DICT": _constant(dict),
    "EMPTY_SET": _constant(list),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "DICT": _dict,
    "MARK": lambda machine, _: machine.mark(),
    "APPEND": lambda machine, _: _append(machine, [machine.pop()]),
    "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
    "ADDITEMS": lambda machine, _: _append(machine, machine.since_mark()),
    "SETITEM": lambda machine, _: _set_items(machine, [machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "PUT": lambda machine, index: machine.put(index),
    "BINPUT": lambda machine, index: machine.put(index),
    "LONG_BINPUT": lambda machine, index: machine.put(index),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GET": lambda machine, index: machine.get(index),
    "BINGET": lambda machine, index: machine.get(index),
    "LONG_BINGET": lambda machine, index: machine.get(index),
    "GLOBAL": lambda machine, name: machine.push(_global(*name.split(" ", 1))),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": _build,
}
