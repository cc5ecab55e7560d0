"""What a source means, and how its labels and texts are read."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranklet.data.examples import Examples, encode_labels
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples, stream_texts
from ranklet.errors import DataError, HubError
from ranklet.labels import LabelSet

NAMES = ("World", "Sports", "Business", "Sci/Tech")


def write_csv(folder: Path, *rows: str, name: str = "a.csv") -> str:
    path = folder / name
    path.write_text("\n".join(("text,label", *rows)) + "\n", encoding="utf-8")
    return str(path)


def labels_of(source: str, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return read_examples(source, "train", ReadingSettings("text", "label", names)).labels


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_gives_the_same_examples(tmp_path: Path, suffix: str) -> None:
    texts, labels = ["NA", 'say "hi",\nthen\tgo', "ünï\u2028code 🎈"], ["null", "None", "0"]
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"label": labels, "text": texts, "other": [1.5, None, 0.0]}), path)
    elif suffix == "jsonl":
        rows = [{"label": a, "text": b, "m": [1]} for a, b in zip(labels, texts, strict=True)]
        path.write_text("".join(json.dumps(row) + "\r\n" for row in rows) + "\n\n")
    else:
        mark = {"csv": ",", "tsv": "\t"}[suffix]
        quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
        lines = [mark.join(pair) for pair in zip(labels, quoted, strict=True)]
        path.write_bytes("\n".join([f"label{mark}text", *lines, "", ""]).encode("utf-8-sig"))
    found = read_examples(str(path), "test", ReadingSettings(dialect=Dialect(quoting="double")))
    lines_by_suffix = {"parquet": (1, 2, 3), "jsonl": (1, 2, 3)}
    expected_lines = lines_by_suffix.get(suffix, (2, 3, 5))
    assert found == Examples(tuple(texts), tuple(labels), expected_lines, str(path))


def test_several_text_columns_are_joined_by_a_space(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,body,label\nOil,rises,Business\n,alone,World\n")
    found = read_examples(str(path), "train", ReadingSettings(["title", "body"], "label", None))
    assert found.texts == ("Oil rises", " alone")


@pytest.mark.parametrize(
    ("rows", "names", "expected"),
    [
        (("a,0", "b,3"), NAMES, ("World", "Sci/Tech")),
        (("a,Sports", "b,World"), NAMES, ("Sports", "World")),
        (("a,0", "b,3"), None, ("0", "3")),
        (("a,1", "b,4"), ("1", "2", "3", "4"), ("1", "4")),
    ],
)
def test_labels_are_names_or_integers(
    tmp_path: Path, rows: tuple[str, ...], names: tuple[str, ...] | None, expected: tuple[str, ...]
) -> None:
    assert labels_of(write_csv(tmp_path, *rows), names) == expected


def class_label_parquet(path: Path, labels: list[int]) -> str:
    feature = {"names": list(NAMES), "_type": "ClassLabel"}
    info = {"info": {"features": {"label": feature, "text": {"_type": "Value"}}}}
    data = pa.table({"text": [f"t{i}" for i in range(len(labels))], "label": labels})
    pq.write_table(data.replace_schema_metadata({"huggingface": json.dumps(info)}), path)
    return str(path)


def test_parquet_class_names_apply_unless_names_are_given(tmp_path: Path) -> None:
    source = class_label_parquet(tmp_path / "a.parquet", [2, 0])
    assert labels_of(source, None) == ("Business", "World")
    assert labels_of(source, ("w", "x", "y", "z")) == ("y", "w")


MULTI = "multi_label_classification"


@pytest.mark.parametrize("in_metadata", ["Sequence", "List", "bare"])
def test_class_names_of_a_column_of_lists(tmp_path: Path, in_metadata: str) -> None:
    item = {"names": list(NAMES), "_type": "ClassLabel"}
    feature = [item] if in_metadata == "bare" else {"feature": item, "_type": in_metadata}
    data = pa.table({"text": ["a", "b", "c"], "label": [[3, 0], [], [1]]})
    info = json.dumps({"info": {"features": {"label": feature}}})
    pq.write_table(data.replace_schema_metadata({"huggingface": info}), tmp_path / "a.parquet")
    found = read_examples(
        str(tmp_path / "a.parquet"), "train", ReadingSettings("text", "label", None, MULTI)
    )
    # In sorted order, whatever that of the integers: equal sets are equal labels.
    assert found.labels == (("Sci/Tech", "World"), (), ("Sports",))
    assert found.label_names == NAMES
    encoded = encode_labels(found, LabelSet(NAMES))
    assert encoded.tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_nothing_is_split_unless_the_recipe_says_so(tmp_path: Path) -> None:
    source = write_csv(tmp_path, "one,b|a", "two,a", "three,")
    found = read_examples(source, "train", ReadingSettings("text", "label", None, MULTI))
    assert found.labels == (("a", "b"), ("a",), ())
    assert labels_of(write_csv(tmp_path, "one,b|a", "two,a"), None) == ("b|a", "a")


def test_a_label_set_outside_the_names_or_the_training_labels_is_refused(tmp_path: Path) -> None:
    source = write_csv(tmp_path, "one,0|3", "two,1|9", "three,2")
    with pytest.raises(DataError, match=r"a\.csv:3: label '9' is not one of"):
        read_examples(source, "train", ReadingSettings("text", "label", NAMES, MULTI))
    found = read_examples(source, "train", ReadingSettings("text", "label", None, MULTI))
    with pytest.raises(DataError, match=r"a\.csv:3: label '9' is not among the training labels"):
        encode_labels(found, LabelSet(("0", "1", "3")))


def test_an_unlabelled_row_of_a_class_label_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.parquet:2: label '-1' is not one of"):
        labels_of(class_label_parquet(tmp_path / "a.parquet", [2, -1]), None)


@pytest.mark.parametrize("metadata", ["{", "[]", '{"info": {"features": {"label": {}}}}', "null"])
def test_odd_parquet_metadata_means_no_class_names(tmp_path: Path, metadata: str) -> None:
    data = pa.table({"text": ["a"], "label": [1]}).replace_schema_metadata(
        {"huggingface": metadata}
    )
    pq.write_table(data, tmp_path / "a.parquet")
    assert labels_of(str(tmp_path / "a.parquet"), None) == ("1",)


def test_dictionary_and_large_string_columns_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    label = pa.array(["x", "y", "x"]).dictionary_encode()
    pq.write_table(
        pa.table({"text": pa.array(["a", "b", "c"], pa.large_string()), "label": label}), path
    )
    assert labels_of(str(path), None) == ("x", "y", "x")


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("", "no such data"),
        ("x" * 5000, "no such data"),
        ("x" * 5000 + ".csv", "no such file"),
        ("nul\0.csv", "no such file"),
    ],
)
def test_an_odd_source_lists_what_is_allowed(source: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        read_examples(source, "train", ReadingSettings("text", "label", None))
    assert hint in str(caught.value)


@pytest.mark.parametrize("source", ["ag_news", "owner/name"])
def test_hub_sources_go_to_the_hub(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    expected = "fancyzhx/ag_news" if source == "ag_news" else source
    with pytest.raises(HubError, match=f"data set '{expected}': the cache .* HF_HUB_OFFLINE"):
        read_examples(source, "train", ReadingSettings("text", "label", None))


def test_labels_are_encoded_in_the_order_of_the_label_set() -> None:
    examples = Examples(("a", "b", "c"), ("y", "x", "y"), (2, 3, 4), "a.csv")
    encoded = encode_labels(examples, LabelSet(("x", "y")))
    assert encoded.dtype == np.int64
    assert encoded.tolist() == [1, 0, 1]


def test_a_label_that_train_lacks_is_named_with_its_line() -> None:
    examples = Examples(("a", "b"), ("World", "world"), (2, 7), "test.csv")
    with pytest.raises(DataError, match=r"^test.csv:7: label 'world' .*; did you mean 'World'\?$"):
        encode_labels(examples, LabelSet(("Sports", "World")))


def test_a_split_without_labels_cannot_be_encoded(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n".replace("\n\n", "\n"))
    found = read_examples(str(tmp_path / "a.txt"), "test", ReadingSettings("headline", None, None))
    assert found == Examples(("one", "two"), None, (1, 2), str(tmp_path / "a.txt"))
    with pytest.raises(DataError, match=r"has no labels; set data\.label_column"):
        encode_labels(found, LabelSet(("x", "y")))


@pytest.mark.parametrize(
    ("name", "content", "column", "expected"),
    [
        ("a.txt", "one\r\n\r\ntwo\n\n\n", "headline", [(1, "one"), (2, ""), (3, "two")]),
        ("a.txt", "no line end", "text", [(1, "no line end")]),
        ("a.csv", "id,text\n1,\n2,b\n", "text", [(2, ""), (3, "b")]),
        ("a.csv", 'title,body\na,"b\nc"\nd,e\n', ["title", "body"], [(2, "a b\nc"), (4, "d e")]),
        ("a.jsonl", '{"text": "a", "label": null}\n', "text", [(1, "a")]),
        ("A.CSV", "text\na\n", "text", [(2, "a")]),
    ],
)
def test_texts_stream_with_their_lines(
    tmp_path: Path,
    name: str,
    content: str,
    column: str | list[str],
    expected: list[tuple[int, str]],
) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert list(stream_texts(tmp_path / name, ReadingSettings(column))) == expected


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "txt"])
def test_streaming_needs_memory_for_a_row_not_for_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    row = json.dumps({"text": "x" * 2000}) if suffix == "jsonl" else "x" * 2000
    path.write_text(("" if suffix != "csv" else "text\n") + f"{row}\n" * 4000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream_texts(path, ReadingSettings("text"))) == 4000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 8_000_000
    assert peak < 1_500_000


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, ranklet.hub, ranklet.data.reading.sources, ranklet.data.cleaning,"
        " ranklet.data.splits, ranklet.data.duplicates\n"
        "heavy = {'torch', 'sklearn', 'pyarrow', 'huggingface_hub', 'numpy', 'pandas'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
