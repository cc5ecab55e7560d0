"""Whatever stands in a file that somebody brings: it is read, or refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ranklet.data.reading.label_tools import VERDICTS
from ranklet.data.reading.sources import read_examples
from ranklet.errors import DataError

NAMES = st.sampled_from(
    [
        *("text", "label", "data", "columns", "index", "train", "val", "0", "1", "answer"),
        *("accept", "options", "annotations", "result", "type", "value", "choices", "id"),
    ]
)
LEAVES = st.sampled_from([None, True, 0, 1.5, "", "a", "b", *VERDICTS, "choices"])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=25,
)


def reads_or_refuses(path: Path) -> None:
    problem = ""
    try:
        read_examples(str(path), "train")
    except DataError as error:
        problem = str(error)
    assert not problem or (problem.startswith(str(path)) and "\n" not in problem)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(document=DOCUMENTS, indent=st.sampled_from([None, 1]), suffix=st.sampled_from(["", "l"]))
def test_any_json_is_read_or_refused(
    tmp_path: Path, document: object, indent: int | None, suffix: str
) -> None:
    path = tmp_path / f"a.json{suffix}"
    path.write_text(json.dumps(document, indent=indent), encoding="utf-8")
    reads_or_refuses(path)


def rows() -> bytes:
    return b"text,label\n" + b"".join(b"text %d,label %d\n" % (row, row % 2) for row in range(50))


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", rows())
    return stream.getvalue()


def book() -> bytes:
    file, stream = openpyxl.Workbook(), io.BytesIO()
    for line in rows().decode().splitlines():
        file.active.append(line.split(","))
    file.save(stream)
    return stream.getvalue()


def arrow(new: Callable[..., pa.RecordBatchWriter]) -> bytes:
    data = pa.table(
        {"text": [f"text {row}" for row in range(50)], "label": [row % 2 for row in range(50)]}
    )
    sink = pa.BufferOutputStream()
    with new(sink, data.schema) as writer:
        writer.write_table(data)
    return sink.getvalue().to_pybytes()


WRITTEN = {
    "a.csv.gz": lambda: gzip.compress(rows()),
    "a.csv.bz2": lambda: bz2.compress(rows()),
    "a.csv.xz": lambda: lzma.compress(rows()),
    "a.csv.zst": lambda: zstd.compress(rows()),
    "a.zip": zipped,
    "a.xlsx": book,
    "a.arrow": lambda: arrow(pa.ipc.new_file),
    "b.arrow": lambda: arrow(pa.ipc.new_stream),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, name: str) -> None:
    sound, draw, path = WRITTEN[name](), random.Random(name), tmp_path / name
    path.write_bytes(sound)
    assert len(read_examples(str(path), "train")) == 50
    for _ in range(60):
        damaged = bytearray(sound)
        for _ in range(draw.choice([1, 1, 8])):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged[: draw.choice([len(damaged), draw.randrange(1, len(damaged))])])
        reads_or_refuses(path)
