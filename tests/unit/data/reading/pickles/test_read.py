"""Pickled tables of every version hold what pandas and datasets say they hold."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
import pytest

from ranklet.data.reading.pickles.read import class_names, read_pickle
from ranklet.data.reading.row import Row, typed_row
from ranklet.data.reading.sources import read_examples
from ranklet.errors import DataError

FIXTURES = Path(__file__).parents[4] / "fixtures" / "pickles"
FRAMES = sorted(FIXTURES.glob("pandas-*.pkl"))
DATASETS = sorted(FIXTURES.glob("datasets-*.pkl"))
ENVIRONMENTS = ("p153", "p311", "p311pa")
NO_TEXT = date(2020, 1, 1)


def rows_of(content: bytes) -> list[Row]:
    return list(read_pickle(io.BytesIO(content), "a.pkl"))


def pickled(value: object, protocol: int = 4) -> list[Row]:
    return rows_of(pickle.dumps(value, protocol))


def rows(*values: Mapping[str, object]) -> list[Row]:
    return [typed_row(line, row) for line, row in enumerate(values, start=1)]


def by_row(columns: Mapping[str, Iterable[object]]) -> list[Row]:
    return rows(
        *(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    )


def refusal(content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        rows_of(content)
    message = str(caught.value)
    assert message.startswith("a.pkl: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_a_frame_is_read_whatever_pandas_wrote_it(path: Path) -> None:
    assert rows_of(path.read_bytes()) == by_row(
        {
            "text": ["Öl steigt", 'b, "q"\n', None, "last"],
            "label": [0, 1, 0, 1],
            "score": [0.5, None, 2.0, -1.0],
            "flag": [True, False, True, True],
            "topic": ["x", "y", None, "x"],
            "count": [1, None, 3, 4],
            "note": ["n", None, "m", ""],
            "tags": [["a"], ["b", "c"], [], ["d"]],
            "when": [NO_TEXT] * 4,
        }
    )


@pytest.mark.parametrize("path", DATASETS, ids=lambda path: path.stem)
def test_a_dataset_is_read_in_its_order_whatever_version_wrote_it(path: Path) -> None:
    assert rows_of(path.read_bytes()) == by_row(
        {
            "text": ["Öl steigt", None, "last"],
            "label": [0, 0, 1],
            "score": [None, 2.0, -1.0],
            "topics": [[0, 1], [], [1]],
        }
    )
    names = [
        class_names(io.BytesIO(path.read_bytes()), "a.pkl", name)
        for name in ("label", "topics", "text")
    ]
    assert names == [("neg", "pos"), ("x", "y"), None]


def test_every_fixture_is_there() -> None:
    assert (len(FRAMES), len(DATASETS)) == (6, 5)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_layout_holds_what_pandas_says(shared_folder: Path, environment: str) -> None:
    folder = shared_folder / "pickles"
    if not folder.is_dir():
        pytest.skip("no shared/pickles beside this checkout")
    stated = json.loads((folder / f"{environment}.json").read_text("utf-8"))
    for name, value in stated.items():
        columns = as_columns(name, value)
        for protocol in (2, 3, 4, 5):
            file = f"{environment}__{protocol}__{name.replace(' ', '_').replace('/', '-')}.pkl"
            assert rows_of((folder / file).read_bytes()) == by_row(columns), file


def as_columns(name: str, value: Any) -> dict[str, list[Any]]:
    """Return what a file of `shared/pickles` holds, as columns."""
    if name == "list of dict":
        return {column: [row[column] for row in value] for column in value[0]}
    if isinstance(value, list):
        return {"label" if name == "series int" else "text": value}
    return {column: [NO_TEXT] * 2 if column == "when" else value[column] for column in value}


RECORDS = [{"text": "a", "label": 0}, {"text": "b", "label": 1}]
TEXTS, LABELS = ["a", "b"], [0, 1]


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "value",
    [
        RECORDS,
        tuple(RECORDS),
        [OrderedDict(row) for row in RECORDS],
        [{"text": "a", "label": np.int64(0)}, {"text": np.str_("b"), "label": np.int8(1)}],
        [("a", 0), ("b", 1)],
        [["a", 0], ["b", 1]],
        (TEXTS, LABELS),
        (np.array(TEXTS), np.array(LABELS)),
        {"text": TEXTS, "label": LABELS},
        defaultdict(list, text=TEXTS, label=LABELS),
        {"text": tuple(TEXTS), "label": np.array(LABELS, ">i2")},
        np.array([["a", 0], ["b", 1]], dtype=object),
        np.asfortranarray(np.array([["a", 0], ["b", 1]], dtype=object)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_texts_and_labels_of_python_and_numpy(value: object, protocol: int) -> None:
    assert pickled(value, protocol) == rows(*RECORDS)


def test_texts_alone_and_lists_of_labels() -> None:
    assert pickled(TEXTS) == pickled(np.array(TEXTS)) == rows({"text": "a"}, {"text": "b"})
    assert pickled(["a", None, float("nan")])[1:] == rows({}, {"text": None}, {"text": None})[1:]
    labels = [("a", ["x", "y"]), ("b", {"x"}), ("c", np.array(["y"]))]
    assert [row.lists["label"] for row in pickled(labels)] == [["x", "y"], ["x"], ["y"]]


def test_a_pickle_is_a_source_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "train.pickle"
    path.write_bytes(pickle.dumps(RECORDS))
    read = read_examples(str(path), "train")
    assert (read.texts, read.labels, read.lines) == (("a", "b"), ("0", "1"), (1, 2))


def test_what_cannot_be_read_is_refused_where_it_is_asked_for_alone() -> None:
    (row,) = pickled([{"text": "a", "when": date(2020, 1, 1), "more": {"x": 1}}])
    assert row.cells == {"text": "a"}
    assert row.kinds == {"when": "no text", "more": "an object"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "no column that can be read"),
        (7, "holds a int, no table"),
        ([("a", 1, 2)], "item 1 is neither a dict, a text, nor a pair (text, label)"),
        ({"text": ["a"], "label": [1, 2]}, "columns of different lengths"),
        ({"text": "a"}, "a dict of what are no columns"),
        ({("text", "x"): ["a"]}, "keys that are neither texts nor numbers"),
        (np.zeros((2, 3)), "an array of 3 columns without names"),
        (np.zeros((2, 3, 4)), "an array of 3 dimensions; 1 or 2 are read"),
        (np.array([("a", 1)], dtype=[("t", "U3"), ("l", "i4")]), "an array of type 'V16'"),
        (2**4000, "the opcode LONG4"),
        (pa.table({"a": [1]}), "holds a _reconstruct_table, no table"),
    ],
)
def test_what_is_no_table_is_called_by_its_name(value: object, said: str) -> None:
    assert said in refusal(pickle.dumps(value))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        (b"\n <!DOCTYPE html><html></html>", "is an HTML page"),
        (b"PAR1\x15\x04\x15 PAR1", "is a Parquet file; name it .parquet"),
        (b"PK\x03\x04\x14\x00", "is a zip archive, as torch.save"),
        (zlib.compress(pickle.dumps(RECORDS)), "is compressed with zlib, as joblib does"),
        (b"\x1f\x8b\x08\x00", "compressed with gzip; name it .pkl.gz"),
        (b"text,label\na,b\n", "neither begins nor ends as a pickle"),
        (b"\x80\x04\xff.", "is damaged"),
        (pickle.dumps(RECORDS, 4)[:-5], "is cut off"),
        (pickle.dumps(RECORDS) * 2, "is followed by another"),
        (FRAMES[-1].read_bytes()[:1000], "is cut off"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_what_is_no_pickle_is_called_by_its_name(content: bytes, said: str) -> None:
    assert said in refusal(content)


@pytest.mark.parametrize(
    ("asked_for", "way_out"),
    [
        ("joblib.numpy_pickle NumpyArrayWrapper", 'df.to_csv("train.csv", index=False)'),
        ("torch._utils _rebuild_tensor_v2", 'df.to_csv("train.csv", index=False)'),
        ("sklearn.pipeline Pipeline", 'df.to_csv("train.csv", index=False)'),
        ("datasets.iterable_dataset IterableDataset", 'ds.to_parquet("train.parquet")'),
    ],
)
def test_a_refused_name_is_said_with_the_way_out(asked_for: str, way_out: str) -> None:
    module, name = asked_for.split(" ")
    message = refusal(f"c{module}\n{name}\n.".encode())
    assert f"asks for '{module}.{name}'" in message
    assert way_out in message


def test_a_file_of_joblib_is_refused_by_name(tmp_path: Path) -> None:
    joblib.dump({"text": np.array(TEXTS)}, tmp_path / "a.pkl")
    content = (tmp_path / "a.pkl").read_bytes()
    assert "asks for 'joblib.numpy_pickle.NumpyArrayWrapper'" in refusal(content)


def test_neither_pandas_nor_pyarrow_is_imported() -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from ranklet.data.reading.pickles.read import read_pickle\n"
        f"paths = list(Path({str(FIXTURES)!r}).glob('*.pkl'))\n"
        "assert sum(len(list(read_pickle(path.open('rb'), 'a'))) for path in paths) == 39\n"
        "assert not {'pandas', 'pyarrow', 'datasets', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
