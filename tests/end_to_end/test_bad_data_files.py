"""Every way a data file can be wrong, through the command line: where, what and how to fix it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HEADER = b"text,label\n"
TRAIN = "train recipe.yaml --out out --set"
PLAN = ("plan", "quickstart", "--set", "data.test=null", "--set")
NAMES = "World, Sports, Business, Sci/Tech"
GOOD = HEADER + b"one,World\n"
QUOTED = b'"a, b",World\n'  # cells are quoted: with plain quotes there are three

BAD_DELIMITED: list[tuple[str, str, bytes, int | None, str]] = [
    ("empty file", "a.csv", b"", None, "the file is empty; its first line must hold"),
    ("blank first line", "a.csv", b"\n" + GOOD, 1, "first line must hold the column names"),
    ("header only", "a.csv", HEADER, None, "no rows"),
    ("only blanks below", "a.csv", HEADER + b"\n\n", None, "no rows"),
    (
        "twice a column",
        "a.csv",
        b"text,label,text\na,b,c\n",
        1,
        "2 columns are called 'text'; name it: --text column1",
    ),
    ("missing text", "a.csv", b"txt,label\na,b\n", 1, "no column 'text'; the columns are 'txt'"),
    ("missing text, near", "a.csv", b"Text,label\na,b\n", 1, "did you mean 'Text'?"),
    ("missing label", "a.csv", b"text,labels\na,b\n", 1, "did you mean 'labels'?"),
    ("too few cells", "a.csv", GOOD + b"two\n", 3, "too few cells: 1 where the header has 2"),
    (
        "too many cells",
        "a.csv",
        GOOD + b"2,World,x\n",
        3,
        "too many cells: 3 where the header has 2",
    ),
    ("ragged after break", "a.csv", HEADER + b'"a\nb",World\nc\n', 4, "too few cells: 1"),
    ("blank between", "a.csv", GOOD + b"\ntwo,World\n", 3, "blank line between rows"),
    ("NUL", "a.csv", GOOD + b"t\0o,World\n", 3, "NUL byte at byte 2"),
    ("Latin-1", "a.csv", GOOD + "café,World\n".encode("latin-1"), 3, "byte 0xE9 at byte 4"),
    ("cut character", "a.csv", GOOD + b"caf\xc3,World\n", 3, "set data.encoding=cp1252"),
    ("surrogate bytes", "a.csv", GOOD + b"\xed\xa0\x80,World\n", 3, "byte 0xED at byte 1"),
    (
        "UTF-16 unmarked",
        "a.csv",
        GOOD.decode().encode("utf-16-le"),
        1,
        "set data.encoding=utf-16-le",
    ),
    ("gzip", "a.csv", b"\x1f\x8b\x08\x00", None, "cannot be unpacked"),
    ("spreadsheet", "a.csv", b"PK\x03\x04\x14", None, "not a sound zip file"),
    ("parquet inside", "a.csv", b"PAR1\x15\x04", None, "not a sound parquet file"),
    ("open quote", "a.csv", GOOD + QUOTED + b'"two,World\nthree,World\n', 4, "never closed"),
    ("behind quote", "a.csv", GOOD + QUOTED + b'"two" or so,World\n', 4, "data.quoting=none"),
    ("quote far away", "a.csv", GOOD + QUOTED + b'"a,W\nb,W\n"c",W\n', 4, "noticed on line 6"),
    ("one row or three", "a.csv", GOOD + b'"a,W\nb,W\nc",W\n', 3, "set data.quoting=none, else"),
    ("CR only", "a.csv", GOOD.replace(b"\n", b"\r"), 1, "save the file with LF"),
    ("CR in a cell", "a.csv", GOOD + b"a\rb,World\n", 3, "carriage return (CR)"),
    ("huge cell", "a.csv", GOOD + b"x" * 1_000_001 + b",World\n", 3, "more than 1,000,000"),
    ("swallowing quote", "a.csv", GOOD + QUOTED + b'"' + b"a,W\n" * 250_001, 4, "quote left open"),
    ("huge line, CR", "a.csv", b"a,b\r" * 4_000_001, 1, "its lines end with CR only"),
    ("ragged tsv", "a.tsv", b"text\tlabel\na\tb\tc\n", 2, "too many cells: 3"),
    ("empty label", "a.csv", GOOD + b"two,\n", 3, "column 'label': empty label"),
    ("blank label", "a.csv", GOOD + b"two, \n", 3, "empty label"),
    ("two-line label", "a.csv", GOOD + b'two,"a\nb"\n', 3, "label 'a\\nb' must be one line"),
]


def line(**values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


ROW = line(text="one", label="World")
BAD_LINES: list[tuple[str, str, bytes, int | None, str]] = [
    ("empty", "a.jsonl", b"", None, "no rows"),
    ("array file", "a.jsonl", b'[{"text": "a"}]\n', 1, "no column 'label'; the columns are 'text'"),
    ("text line", "a.jsonl", ROW + b'"a"\n', 2, "found a text; write one JSON object per line"),
    ("null line", "a.jsonl", ROW + b"null\n", 2, "found null"),
    ("number line", "a.jsonl", ROW + b"1\n", 2, "found a number"),
    ("broken", "a.jsonl", ROW + b'{"text": "a",\n', 2, "not valid JSON at character"),
    ("pretty-printed", "a.jsonl", b'{\n  "text": "a"\n}\n', 1, "write one object per line"),
    ("CR only", "a.jsonl", ROW.strip() + b"\r" + ROW, 1, "Extra data"),
    ("same key", "a.jsonl", b'{"text": "a", "text": "b"}\n', 1, "a key that stands twice where"),
    ("NaN", "a.jsonl", b'{"text": "a", "label": NaN}\n', 1, "found a null where a label must"),
    ("infinity", "a.jsonl", b'{"text": "a", "label": -Infinity}\n', 1, "found an infinity where"),
    ("deep", "a.jsonl", b"[" * 100_000 + b"\n", None, "nested too deeply"),
    ("endless integer", "a.jsonl", b'{"label": ' + b"1" * 5000 + b"}\n", 1, "4300 digits"),
    ("number as text", "a.jsonl", line(text=5, label="a"), 1, "found an integer where a text"),
    ("list as text", "a.jsonl", line(text=["a"], label="a"), 1, "found a list where a text"),
    ("object as text", "a.jsonl", line(text={}, label="a"), 1, "found an object where a text"),
    ("null label", "a.jsonl", line(text="a", label=None), 1, "found a null where a label"),
    ("list label", "a.jsonl", line(text="a", label=["a", "b"]), 1, "2 labels in"),
    ("lone surrogate", "a.jsonl", line(text="\ud83d", label="a"), 1, "a lone surrogate"),
    ("NUL escape", "a.jsonl", line(text="a\0b", label="a"), 1, "a text with a NUL character"),
    ("huge text", "a.jsonl", line(text="x" * 1_000_001, label="a"), 1, "1,000,001 characters"),
    ("missing key", "a.jsonl", ROW + line(txt="a", label="b"), 2, "did you mean 'txt'?"),
    ("missing label", "a.jsonl", ROW + line(text="a"), 2, "no column 'label'; the columns are"),
    ("blank between", "a.jsonl", ROW + b" \n" + ROW, 2, "blank line between rows"),
    ("undecodable", "a.jsonl", ROW + b"\xff\n", 2, "byte 0xFF at byte 1"),
    ("text file", "a.txt", b"one\ntwo\n", 1, "no column 'label'; the columns are 'text'"),
    ("empty text file", "a.txt", b"", None, "no rows"),
    ("blank text file", "a.txt", b"\n\n", None, "no rows"),
    ("CR text file", "a.txt", b"one\rtwo\r", 1, "save the file with LF"),
    ("huge text line", "a.txt", b"x" * 1_000_001, 1, "at most 1,000,000"),
    ("NUL in text file", "a.txt", b"t\0wo", 1, "NUL byte at byte 2"),
    ("suffix", "a.docx", b"PK", None, "allowed are .csv, .tsv, .txt, .jsonl"),
    ("compressed", "a.csv.gz", b"\x1f\x8b", None, "cannot be unpacked"),
    ("unknown suffix", "a.docx", b"text\n", None, "unknown suffix '.docx'"),
    ("no suffix", "data", b"text\n", 1, "set data.separator and data.columns"),
]


@pytest.fixture
def is_unreadable(problem_of: Any) -> Callable[[Path, int | None, str], None]:
    """Plan a training on a file, whose labels have to be counted; check what is said about it."""

    def check(path: Path, at: int | None, hint: str) -> None:
        place = str(path) if at is None else f"{path}:{at}"
        assert hint in problem_of(place, "", *PLAN, f"data.train={json.dumps(str(path))}")

    return check


@pytest.mark.parametrize(
    ("name", "content", "at", "hint"),
    [pytest.param(*case[1:], id=case[0]) for case in BAD_DELIMITED + BAD_LINES],
)
def test_a_bad_file_is_refused_in_one_line(
    name: str, content: bytes, at: int | None, hint: str, tmp_path: Path, is_unreadable: Any
) -> None:
    (tmp_path / name).write_bytes(content)
    is_unreadable(tmp_path / name, at, hint)


def table(**columns: Any) -> Callable[[Path], object]:
    return lambda path: pq.write_table(pa.table(columns), path)


def two_columns_of_one_name(path: Path) -> None:
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "text", "label"]), path)


def not_unicode(path: Path) -> None:
    offsets = pa.array([0, 2], pa.int32()).buffers()[1]
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    pq.write_table(pa.table({"text": text, "label": ["a"]}), path)


def cut_short(path: Path) -> None:
    table(text=["a" * 100] * 500, label=["b"] * 500)(path)
    path.write_bytes(path.read_bytes()[:-30])


def overwritten(path: Path) -> None:
    pq.write_table(
        pa.table({"text": [f"text {row}" for row in range(5000)], "label": ["b"] * 5000}), path
    )
    content = bytearray(path.read_bytes())
    content[10:2000] = b"\x55" * 1990
    path.write_bytes(content)


SEVERAL = "data.problem_type=multi_label_classification"
BAD_SETS: list[tuple[str, str, bytes, int | None, str]] = [
    ("twice", "a.csv", GOOD + b"two,a|b|a\n", 3, "label 'a' stands twice; name each once"),
    ("empty between", "a.csv", GOOD + b"two,a||b\n", 3, "empty label; name each, or leave"),
    ("only a bar", "a.csv", GOOD + b"two,|\n", 3, "empty label; name each"),
    ("one label", "a.csv", GOOD + b"two,\n", None, "there is no label but 'World'"),
    ("no label", "a.csv", HEADER + b"two,\n", None, "no row has a label"),
    ("twice, list", "a.jsonl", line(text="a", label=["b", "b"]), 1, "label 'b' stands twice"),
    ("bar in a list", "a.jsonl", line(text="a", label=["b|c"]), 1, "label 'b|c' holds |"),
    ("null", "a.jsonl", line(text="a", label=None), 1, "found a null where a label must"),
    ("object", "a.jsonl", line(text="a", label={}), 1, "found an object where a label"),
    ("null inside", "a.jsonl", line(text="a", label=["b", None]), 1, "found a null in a list"),
    ("list inside", "a.jsonl", line(text="a", label=[["b"]]), 1, "found a list in a list"),
    ("missing", "a.jsonl", line(text="a"), 1, "no column 'label'"),
]


@pytest.mark.parametrize(
    ("name", "content", "at", "hint"), [pytest.param(*case[1:], id=case[0]) for case in BAD_SETS]
)
def test_a_bad_set_of_labels_is_refused_in_one_line(
    name: str, content: bytes, at: int | None, hint: str, tmp_path: Path, problem_of: Any
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    place = str(path) if at is None else f"{path}:{at}"
    train = f"data.train={json.dumps(str(path))}"
    assert hint in problem_of(place, "", *PLAN, train, "--set", SEVERAL)


BAD_PARQUET: list[tuple[str, Callable[[Path], object], int | None, str]] = [
    ("empty", lambda path: path.write_bytes(b""), None, "not a sound parquet file"),
    ("csv inside", lambda path: path.write_bytes(GOOD), None, "not a sound parquet file"),
    ("cut short", cut_short, None, "write or fetch it again"),
    ("overwritten", overwritten, None, "not a sound parquet file"),
    (
        "no rows",
        table(text=pa.array([], pa.string()), label=pa.array([], pa.string())),
        None,
        "no rows",
    ),
    ("one name", two_columns_of_one_name, None, "2 columns are called 'text'; rename"),
    ("not UTF-8", not_unicode, None, "not UTF-8"),
    ("missing text", table(txt=["a"], label=["b"]), None, "did you mean 'txt'?"),
    ("missing label", table(text=["a"]), None, "no column 'label'"),
    ("null label", table(text=["a", "b"], label=[1, None]), 2, "found a null where a label"),
    ("integer text", table(text=[1], label=["b"]), 1, "found an integer where a text"),
    ("binary text", table(text=[b"a"], label=["b"]), 1, "found a binary where a text"),
    ("list text", table(text=[["a"]], label=["b"]), 1, "where a text must stand"),
    ("list label", table(text=["a"], label=[["b", "c"]]), 1, "2 labels in ['b', 'c']"),
    ("empty label", table(text=["a", "b"], label=["b", ""]), 2, "empty label"),
]


@pytest.mark.parametrize(
    ("write", "at", "hint"), [pytest.param(*case[1:], id=case[0]) for case in BAD_PARQUET]
)
def test_a_bad_parquet_file_is_refused_in_one_line(
    write: Callable[[Path], object], at: int | None, hint: str, tmp_path: Path, is_unreadable: Any
) -> None:
    path = tmp_path / "a.parquet"
    write(path)
    is_unreadable(path, at, hint)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("trian.csv", "no such file; near names in that folder: 'train.csv'"),
        ("zzz.parquet", "no such file; that folder holds 'train.csv'"),
        ("none/train.csv", "no such file; there is no folder"),
        ("folder", "is a folder; name a file in it"),
    ],
)
def test_a_missing_file_names_its_neighbours(
    source: str, hint: str, tmp_path: Path, is_unreadable: Any
) -> None:
    (tmp_path / "train.csv").write_bytes(GOOD)
    (tmp_path / "folder").mkdir()
    is_unreadable(tmp_path / source, None, hint)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("newsbite", "no such data; .. did you mean 'newsbites'?"),
        (
            "nothing",
            "no such data; give a file (.csv, .tsv, .txt, .jsonl, .ndjson, .json, .parquet, "
            ".arrow, .feather, .xlsx, .pkl, .pickle, compressed or not), a folder, a hub data set "
            "(owner/name)",
        ),
        ("https://host/x y", "no such data"),
        ("a/b/c", "no such data"),
    ],
)
def test_an_unknown_source_lists_what_is_allowed(source: str, hint: str, is_refused: Any) -> None:
    is_refused(f"{TRAIN} 'data.train={source}'", f"{source}: {hint}")


@pytest.mark.parametrize(
    ("rows", "names", "hint"),
    [
        ("a,0\nb,4", NAMES, "a.csv:3: label '4' is .. an integer from 0 to 3"),
        ("a,0\nb,-1", NAMES, "a.csv:3: label '-1' is not one of 'World', 'Sports'"),
        ("a,0\nb,01", NAMES, "a.csv:3: label '01'"),
        ("a,World\nb,Sport", NAMES, "a.csv:3: label .. did you mean 'Sports'?"),
        ("a,World\nb,1", NAMES, "a.csv:3: label '1'"),
        ("a,1\nb,0", "1, 2, 3, 4", "a.csv:3: label '0'"),
    ],
)
def test_labels_outside_the_names_are_refused(
    rows: str, names: str, hint: str, bench: Any, is_refused: Any
) -> None:
    bench.put("a.csv", f"text,label\n{rows}\n")
    named = "[" + ", ".join(json.dumps(name) for name in names.split(", ")) + "]"
    is_refused(f"{TRAIN} data.train=a.csv --set 'data.label_names={named}'", hint)


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, problems_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (line,) = problems_of(*PLAN, "data.train=a.parquet")
    assert 'pip install "ranklet[parquet]"' in line


@pytest.mark.parametrize(("name", "at"), [("a.csv", 2), ("a.jsonl", 1), ("a.txt", 2)])
def test_prediction_input_is_read_as_strictly_as_training_data(
    name: str, at: int, bench: Any, is_refused: Any
) -> None:
    bench.put(name, b"text\n" + b"a\xff\n")
    is_refused(f"predict run {name} --output earlier.csv", f"{name}:{at}: ")
