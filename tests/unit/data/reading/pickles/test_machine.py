"""Hostile and damaged pickles: nothing runs, nothing changes the reader, nothing swells."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import random
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from ranklet.data.reading.pickles.read import read_pickle
from ranklet.errors import DataError

FIXTURES = Path(__file__).parents[4] / "fixtures" / "pickles"
FRAME = (FIXTURES / "pandas-2.3.3-protocol-5.pkl").read_bytes()
MUTATED = int(os.environ.get("RANKLET_MUTATED_PICKLES", "500"))  # 10,000 take half a minute
MEGABYTES = 200
OPCODES = [ord(opcode.code) for opcode in pickletools.opcodes]


@dataclass(frozen=True)
class Name:
    """What a pickle imports: `module:attribute`."""

    path: str


@dataclass(frozen=True)
class Call:
    """What a pickle calls, and the state that it sets on the result."""

    called: object
    arguments: tuple[object, ...] = ()
    state: object = None


def name(path: str) -> Name:
    return Name(path)


def call(path: str, *arguments: object, state: object = None) -> Call:
    return Call(Name(path), arguments, state)


def opcodes(value: object) -> bytes:
    """Return the opcodes that make a value; bytearrays are opcodes already."""
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, Name):
        return b"".join(map(opcodes, value.path.split(":"))) + b"\x93"
    if isinstance(value, Call):
        made = opcodes(value.called) + opcodes(value.arguments) + b"R"
        return made if value.state is None else made + opcodes(value.state) + b"b"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(opcodes, value)) + b"e"
    if isinstance(value, dict):
        pairs = (opcodes(key) + opcodes(item) for key, item in value.items())
        return b"}(" + b"".join(pairs) + b"u"
    return pickle.dumps(value, 3)[2:-1].replace(b"q\0", b"")


def whole(value: object) -> bytes:
    return b"\x80\x04" + opcodes(value) + b"."


def raw(*parts: bytes) -> bytearray:
    return bytearray(b"".join(parts))


def calls(canary: str) -> dict[str, bytes]:
    """Return pickles that make a file, each by another way; unpickling runs them."""
    command, code = f"touch {canary}", f"open({canary!r}, 'w').close()"
    imported = call("importlib:import_module", "os")
    line = command.encode()
    values: dict[str, object] = {
        "os.system": call("os:system", command),
        "posix.system": call("posix:system", command),
        "eval": call("builtins:eval", code),
        "exec": call("builtins:exec", code),
        "Popen": call("subprocess:call", ["touch", canary]),
        "mkdir": call("os:mkdir", canary),
        "dotted name": call("glob:os.system", command),
        "resolve_name": Call(call("pkgutil:resolve_name", "os:system"), (command,)),
        "importlib, getattr": Call(call("builtins:getattr", imported, "system"), (command,)),
        "operator": Call(call("operator:methodcaller", "system", command), (imported,)),
        "partial": Call(call("functools:partial", name("os:system"), command)),
        "map": call("builtins:list", call("builtins:map", name("os:system"), [command])),
        "marshal": Call(
            call("types:FunctionType", call("marshal:loads", marshalled(code)), {}, "x")
        ),
        "in a cell": [{"text": "a", "label": call("os:system", command)}],
        "in a state": call("collections:OrderedDict", state={"a": call("os:system", command)}),
        "GLOBAL": raw(b"cos\nsystem\n(V", line, b"\ntR"),
        "INST": raw(b"(V", line, b"\nios\nsystem\n"),
        "OBJ": raw(b"(cos\nsystem\nV", line, b"\no"),
    }
    return {key: whole(value) for key, value in values.items()}


def marshalled(code: str) -> bytes:
    import marshal

    return marshal.dumps(compile(f"__import__('builtins').{code}", "x", "eval"))


def mapped_dataset() -> Call:
    state = {"path": "/etc/passwd", "replays": []}
    mapped = call("datasets.table:MemoryMappedTable", state=state)
    return call("datasets.arrow_dataset:Dataset", state={"_data": mapped, "_indices": None})


def tricks() -> dict[str, bytes]:
    """Return pickles that reach for the reader itself, or for what lies outside of the file."""
    changed = opcodes((None, {"__defaults__": ("x",), "__doc__": "x"})) + b"b"
    frame = call("pandas:DataFrame")
    built = (
        "numpy:ndarray numpy._core.multiarray:_reconstruct pandas:DataFrame _codecs:encode"
        " builtins:slice builtins:bytearray pandas._libs.internals:_unpickle_block"
    )
    values: dict[str, object] = {
        f"BUILD on {path}": raw(opcodes(name(path)), changed) for path in built.split()
    }
    values |= {
        "BUILD on a list": raw(b"]", changed),
        "BUILD twice": raw(opcodes(frame), changed, changed),
        "items of a name": raw(opcodes(name("pandas:DataFrame")), b"NNs"),
        "appended to a call": raw(opcodes(frame), b"Na"),
        "call of a call": Call(frame),
        "call of a text": Call("x"),
        "NEWOBJ_EX": raw(opcodes(name("pandas:DataFrame")), b")}\x92"),
        "EXT1": raw(b"\x82\x01"),
        "EXT4": raw(b"\x84\x01\x02\x03\x04"),
        "persistent id": raw(b"Pan id\n"),
        "persistent id on the stack": raw(b"Van id\nQ"),
        "buffer out of band": raw(b"\x97"),
        "array without data": frame_of(call("pandas.arrays:StringArray", state={}), range_of(1)),
        "mapped file": mapped_dataset(),
        "getattr of a class": call("builtins:getattr", name("pandas:DataFrame"), "from_dict"),
        "beginning of a name": call("datasets.arrow_dataset:Dataset.from_file", "/etc/passwd"),
        "name across the dot": raw(b"cpandas.core\nframe.DataFrame\n)R"),
        "neighbour of a name": call("pandas:read_pickle", "/etc/passwd"),
        "class without its name": raw(b"csubprocess\nPopen\n)\x81"),
        "names by what are none": raw(b"K\x01K\x02\x93"),
        "empty stack": raw(b"R"),
        "never remembered": raw(b"h\x07"),
    }
    return {key: whole(value) for key, value in values.items()}


def dtype(code: str) -> Call:
    order = "|" if code[0] in "OSb" else "<"
    return call("numpy:dtype", code, False, True, state=(3, order, None, None, None, -1, -1, 0))


def scalar(code: str, data: bytes) -> Call:
    return call("numpy._core.multiarray:scalar", dtype(code), data)


def array(data: object, code: str, shape: tuple[object, ...]) -> Call:
    start = (name("numpy:ndarray"), (0,), b"b")
    state = (1, shape, dtype(code), False, data)
    return call("numpy._core.multiarray:_reconstruct", *start, state=state)


def arrow(alias: object, length: int, *buffers: object) -> Call:
    kind = call("pyarrow.lib:type_for_alias", alias)
    return call("pyarrow.lib:_restore_array", (kind, length, 0, 0, list(buffers), [], None))


def block(values: object, first: int, end: int) -> Call:
    places = call("builtins:slice", first, end, 1)
    return call("pandas._libs.internals:_unpickle_block", values, places, 2)


def frame_of(values: object, names: object, *more: Call) -> Call:
    blocks = (block(values, 0, 1), *more)
    manager = call("pandas.core.internals.managers:BlockManager", blocks, [names, names])
    return call("pandas:DataFrame", state={"_mgr": manager})


def index_of(values: object, kind: str = "Index") -> Call:
    return call("pandas.core.indexes.base:_new_Index", name(f"pandas:{kind}"), {"data": values})


def range_of(stop: int) -> Call:
    parts = {"start": 0, "stop": stop, "step": 1}
    return call("pandas.core.indexes.base:_new_Index", name("pandas:RangeIndex"), parts)


def arrow_frame(values: object) -> Call:
    column = call("pandas.arrays:ArrowStringArray", state={"_pa_array": values})
    return frame_of(column, range_of(1))


def doubled(first: object, before: bytes, after: bytes, times: int = 60) -> bytearray:
    """Return a value with two references to a value with two references, and so on."""
    content = opcodes(first) + b"\x94"
    for index in range(times):
        content = before + content + b"h" + bytes([index]) + after + b"\x94"
    return raw(content)


def repeated(value: object, times: int = 100_000) -> bytearray:
    return raw(b"](", opcodes(value), b"\x94", b"h\0" * times, b"e")


def bombs() -> dict[str, bytes]:
    """Return short pickles that stand for gigabytes or for hours."""
    huge, offsets = struct.pack("<Q", 2**48), struct.pack
    chunks = opcodes(name("pyarrow.lib:chunked_array")) + b"]("
    nested = opcodes(name("builtins:bytearray")) * 20_000
    empty = call("pyarrow.lib:chunked_array", [])
    wide = {f"column {number}": "" for number in range(300)}
    values: dict[str, object] = {
        "LONG_BINPUT": raw(b"Nr", struct.pack("<I", 2**31 - 1)),
        "PUT": raw(b"Np99999999999999\n"),
        "BYTEARRAY8": raw(b"\x96", huge),
        "BINBYTES8": raw(b"\x8e", huge),
        "BINUNICODE8": raw(b"\x8d", huge),
        "BINUNICODE": raw(b"X", struct.pack("<I", 2**32 - 1)),
        "LONG4": raw(b"\x8b", struct.pack("<i", 2**31 - 1)),
        "digits": raw(b"I", b"9" * 100_000, b"\n"),
        "bytearray(10**12)": call("builtins:bytearray", 10**12),
        "bytearray in an array": array(call("builtins:bytearray", 10**12), "b1", (10**12,)),
        "DUP": raw(b"]", b"2a" * 1_000),
        "marks": raw(b"(" * 100_000),
        "nested lists": raw(b"]" * 100_000, b"a" * 99_999),
        "nested tuples": raw(b")", b"\x85" * 100_000),
        "nested calls": raw(opcodes(name("pandas:DataFrame")), b")R", b"\x85" * 100_000),
        "nested cells": [("a", raw(b"]" * 50_000, b"a" * 49_999))],
        "nested bytes": array(raw(nested, b"C\0", b"\x85R" * 20_000), "b1", (1,)),
        "cells doubled": [("a", doubled([], b"](", b"e"))],
        "names doubled": frame_of(
            array([1], "O8", (1, 1)), index_of(array([doubled((), b"(", b"t")], "O8", (1,)))
        ),
        "types doubled": arrow_frame(arrow(doubled((), b"(", b"t"), 1, None, b"12345678")),
        "cyclic cells": [("a", raw(b"]\x94h\0a"))],
        "range of names": frame_of(array(b"a", "b1", (1, 1)), range_of(10**12)),
        "range beyond C": frame_of(array(b"a", "b1", (1, 1)), range_of(10**30)),
        "rows without columns": array(b"", "i8", (10**10, 0)),
        "columns without rows": array(b"", "i8", (0, 10**10)),
        "negative shape": array(b"\0" * 8, "i8", (-1, -1)),
        "stated shape": array(b"\0", "b1", (10**12,)),
        "stated shape of objects": array(["a"], "O8", (10**12,)),
        "texts of no size": array(b"\0", "U0", (10**12,)),
        "texts of any size": array(b"\0", "U999999999", (1,)),
        "texts beyond Unicode": array(b"\xff" * 8, "U2", (1,)),
        "structured": array(b"\0" * 16, "f8,f8", (1,)),
        "nulls": arrow_frame(arrow("null", 10**12, None)),
        "texts that overlap": arrow_frame(
            arrow("string", 3, None, offsets("<4i", 0, 4, 0, 4), b"abcd")
        ),
        "texts beyond the data": arrow_frame(
            arrow("string", 1, None, offsets("<2i", 0, 99), b"abcd")
        ),
        "fewer offsets than texts": arrow_frame(arrow("string", 9, None, offsets("<i", 0), b"")),
        "chunks doubled": arrow_frame(doubled(empty, chunks, b"e\x85R")),
        "one text, many rows": repeated("a" * 100_000, 20_000),
        "one wide row, many times": repeated(wide, 3_000),
        "one scalar, many times": repeated(scalar("U90000", b"a\0\0\0" * 90_000)),
    }
    return {key: whole(value) for key, value in values.items()}


BOMBS = bombs()


def attacks(canary: Path) -> dict[str, bytes]:
    return {**calls(str(canary)), **tricks(), **BOMBS}


def outcome(content: bytes) -> str:
    """Return what became of a pickle; any other exception than ours is raised."""
    try:
        return f"{len(list(read_pickle(io.BytesIO(content), 'a.pkl')))} rows"
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("attack", attacks(Path("canary")))
def test_an_attack_is_refused_in_one_line_and_changes_nothing(attack: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    message = outcome(attacks(canary)[attack])
    assert message.startswith("a.pkl: the pickle ")
    assert len(message) < 400
    assert "\n" not in message
    assert not canary.exists()
    assert outcome(FRAME) == "4 rows"


@pytest.mark.parametrize("attack", calls("canary"))
def test_the_attack_would_run_where_it_is_unpickled(attack: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with contextlib.suppress(Exception):  # some fail once they have run
        pickle.loads(calls(str(canary))[attack])
    assert canary.exists()


def test_attacks_are_refused_in_little_memory(tmp_path: Path) -> None:
    contents = attacks(tmp_path / "canary")
    for number, content in enumerate(contents.values()):
        (tmp_path / f"{number}.pkl").write_bytes(content)
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from ranklet.data.reading.pickles.read import read_pickle\n"
        "from ranklet.errors import DataError\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {MEGABYTES} * 2**20,) * 2)\n"
        "refused = 0\n"
        "for path in Path(sys.argv[1]).glob('*.pkl'):\n"
        "    try: list(read_pickle(path.open('rb'), path.name))\n"
        "    except DataError: refused += 1\n"
        "print(refused)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr) == (f"{len(contents)}\n", "")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            frame_of(array(b"", "i8", (1, 0)), index_of(None, "MultiIndex")),
            "in several levels; flat",
        ),
        ({"train": frame_of(None, None)}, "holds several tables: 'train'; write one of them"),
        (call("datasets.dataset_dict:DatasetDict"), "a DatasetDict with the splits"),
        (mapped_dataset(), "no rows, only the path of a file on the machine that wrote it"),
        (mapped_dataset(), 'ds.to_parquet("train.parquet")'),
        (call("pandas:Index"), "holds a Index, no table"),
    ],
)
def test_a_table_that_is_refused_says_how_to_write_it(value: object, said: str) -> None:
    assert said in outcome(whole(value))


def test_columns_that_cannot_be_read_are_refused_by_their_own_name() -> None:
    names = array(["text", "n", "x", "x", "when"], "O8", (5,))
    numbers = block(array([1] * 6, "O8", (3, 2)), 1, 4)
    period = block(call("pandas.arrays:PeriodArray"), 4, 5)
    frame = frame_of(array(["a", "b"], "O8", (1, 2)), index_of(names), numbers, period)
    row, _ = read_pickle(io.BytesIO(whole(frame)), "a.pkl")
    assert row.cells == {"text": "a", "n": "1"}
    assert row.kinds == {
        "n": "an integer",
        "x": "one of several columns of that name",
        "when": "a pandas PeriodArray",
    }


def mutated(content: bytes, generator: random.Random) -> bytes:
    """Return a pickle with a few bytes changed, left out, put in, moved or repeated."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 1, 1, 2, 5, 20))):
        start = generator.randrange(len(data))
        end = start + generator.randrange(1, 30)
        change = generator.randrange(6)
        if change == 0:
            data[start] = generator.randrange(256)
        elif change == 1:
            del data[start:end]
        elif change == 2:
            data[start:start] = bytes(generator.choices(OPCODES, k=generator.randrange(1, 4)))
        elif change == 3:
            data[start:end] = data[(other := generator.randrange(len(data))) : other + end - start]
        elif change == 4:
            data[start] ^= 1 << generator.randrange(8)
        else:
            data[start:start] = data[start:end] * generator.randrange(1, 20)
        if len(data) < 2:
            return bytes(data)
    end = len(data) if generator.random() < 0.9 else generator.randrange(len(data))
    return bytes(data[:end])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # odd escapes in texts of Python 2
def test_mutated_pickles_are_read_or_refused() -> None:
    """Any exception but DataError ends the test, any crash the interpreter."""
    contents = [path.read_bytes() for path in sorted(FIXTURES.glob("*.pkl"))]
    generator = random.Random(0)
    outcomes: Counter[str] = Counter()
    for number in range(MUTATED):
        message = outcome(mutated(contents[number % len(contents)], generator))
        assert "\n" not in message
        outcomes["read" if message.endswith(" rows") else "refused"] += 1
    assert min(outcomes["read"], outcomes["refused"]) > MUTATED / 100
