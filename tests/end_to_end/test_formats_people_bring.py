"""Formats as people bring them: each trains as it is, or one line says what makes it train.

Texts are invented.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from ranklet import load_recipe
from ranklet.data.reading import compressed
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples, splits_of, stream_texts
from ranklet.errors import DataError, MissingExtraError
from ranklet.workflows.from_recipe.reading_settings import reading_settings

Content = bytes | str
Files = Mapping[str, Content]
Answer = subprocess.CompletedProcess[str]

ROWS = [
    (f"the {word} {row}", label)
    for row in range(4)
    for word, label in (("goal", "Sports"), ("treaty", "World"))
]
TEXTS, LABELS = zip(*ROWS, strict=True)
NUMBERS = [("Sports", "World").index(label) for label in LABELS]
RECORDS = [{"text": text, "label": label} for text, label in ROWS]


def table(separator: str = ",", header: str = "text,label", rows: Iterable[Sequence[str]] = ROWS):
    lines = [header.replace(",", separator), *(separator.join(row) for row in rows)]
    return "\n".join(line for line in lines if line) + "\n"


def lines_of(records: Iterable[object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def zipped(files: Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def book(**sheets: Sequence[Sequence[object]]) -> bytes:
    file, stream = openpyxl.Workbook(), io.BytesIO()
    file.remove(file.active)
    for name, rows in sheets.items():
        sheet = file.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file.save(stream)
    return stream.getvalue()


def arrow_table(labels: Sequence[object] = LABELS, names: Sequence[str] | None = None) -> pa.Table:
    data = pa.table({"text": list(TEXTS), "label": list(labels), "score": [0.5] * len(ROWS)})
    if names is None:
        return data
    features = {"label": {"names": list(names), "_type": "ClassLabel"}}
    info = json.dumps({"info": {"features": features}})
    return data.replace_schema_metadata({"huggingface": info})


def ipc(data: pa.Table, new: Callable[..., pa.RecordBatchWriter]) -> bytes:
    sink = pa.BufferOutputStream()
    with new(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=3)
    return sink.getvalue().to_pybytes()


def parquet(data: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(data, sink)
    return sink.getvalue().to_pybytes()


def saved_dataset(folder: str, labels: Sequence[object] = NUMBERS) -> dict[str, Content]:
    """Return what `Dataset.save_to_disk` writes."""
    stream = ipc(arrow_table(labels, ("Sports", "World")), pa.ipc.new_stream)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": "train"}
    return {
        f"{folder}/data-00000-of-00001.arrow": stream,
        f"{folder}/state.json": json.dumps(state),
        f"{folder}/dataset_info.json": "{}",
    }


def class_folders(folder: str, suffix: str = ".txt", encoding: str = "utf-8") -> dict[str, Content]:
    return {
        f"{folder}/{label}/{number}{suffix}": f"{text}\nsubject: café {number}\n".encode(encoding)
        for number, (text, label) in enumerate(ROWS)
    }


def hub(files: Files) -> dict[str, Content]:
    """Return a data set of the hub, `owner/name`, as it lies in the hub's cache."""
    storage = "hub/hub/datasets--owner--name"
    snapshot = {f"{storage}/snapshots/abc/{name}": content for name, content in files.items()}
    return {f"{storage}/refs/main": "abc", **snapshot}


def prodigy(answer: str, **values: object) -> dict[str, object]:
    return {"_input_hash": 1, "_task_hash": 2, **values, "answer": answer}


def labelling_task(text: str, *choices: str, **annotation: object) -> dict[str, object]:
    value = {"choices": list(choices)}
    result = [{"from_name": "topic", "to_name": "text", "type": "choices", "value": value}]
    annotations = [{"result": result, "was_cancelled": False, **annotation}]
    return {"id": 1, "data": {"text": text}, "annotations": annotations}


PLAIN = table()
PAIRS = [list(row) for row in ROWS]
FASTTEXT = "".join(f"__label__{label} {text}\n" for text, label in ROWS)
MANY = "data.problem_type=multi_label_classification"
BY_COLUMN = {"text": dict(enumerate(TEXTS)), "label": dict(enumerate(LABELS))}
BY_ROW = {str(row): record for row, record in enumerate(RECORDS)}
ROWS_OF_BOOK = [["text", "label", None], *ROWS]
ONE_TEST = table(rows=[("a goal", "Sports"), ("a treaty", "World")])

# Name -> what is trained on, the files, and settings that they need in any case.
AS_IT_IS: dict[str, tuple[str, Files, list[str]]] = {
    "json lines": ("a.jsonl", {"a.jsonl": lines_of(RECORDS)}, []),
    "ndjson": ("a.ndjson", {"a.ndjson": lines_of(RECORDS)}, []),
    "json lines named json": ("a.json", {"a.json": lines_of(RECORDS)}, []),
    "json lines named txt": ("a.txt", {"a.txt": lines_of(RECORDS)}, []),
    "array": ("a.json", {"a.json": json.dumps(RECORDS)}, []),
    "indented array": ("a.json", {"a.json": json.dumps(RECORDS, indent=2)}, []),
    "array named jsonl": ("a.jsonl", {"a.jsonl": json.dumps(RECORDS, indent=1)}, []),
    "columns of lists": ("a.json", {"a.json": json.dumps({"text": TEXTS, "label": LABELS})}, []),
    "pandas columns": ("a.json", {"a.json": json.dumps(BY_COLUMN)}, []),
    "pandas index": ("a.json", {"a.json": json.dumps(BY_ROW)}, []),
    "pandas split": (
        "a.json",
        {"a.json": json.dumps({"columns": ["text", "label"], "index": [0], "data": PAIRS})},
        [],
    ),
    "pandas table": ("a.json", {"a.json": json.dumps({"schema": {}, "data": RECORDS})}, []),
    "one list of records": ("a.json", {"a.json": json.dumps({"version": 1, "rows": RECORDS})}, []),
    "splits of pairs": ("a.json", {"a.json": json.dumps({"val": PAIRS, "train": PAIRS})}, []),
    "splits of records": ("a.json", {"a.json": json.dumps({"train": RECORDS, "dev": []})}, []),
    "splits in one long line": (
        "a.json",
        {"a.json": json.dumps({"oos_train": [["x" * 99_999, "oos"]], "train": PAIRS})},
        [],
    ),
    "long json lines named json": (
        "a.json",
        {"a.json": lines_of({"url": "x" * 99_999, **record} for record in RECORDS)},
        [],
    ),
    "array of pairs": ("a.json", {"a.json": json.dumps(PAIRS)}, []),
    "parquet": ("a.parquet", {"a.parquet": parquet(arrow_table())}, []),
    "parquet named csv": ("a.csv", {"a.csv": parquet(arrow_table())}, []),
    "arrow file": ("a.arrow", {"a.arrow": ipc(arrow_table(), pa.ipc.new_file)}, []),
    "arrow stream": ("a.arrow", {"a.arrow": ipc(arrow_table(), pa.ipc.new_stream)}, []),
    "feather": ("a.feather", {"a.feather": ipc(arrow_table(), pa.ipc.new_file)}, []),
    "arrow with class names": (
        "a.arrow",
        {"a.arrow": ipc(arrow_table(NUMBERS, ("Sports", "World")), pa.ipc.new_file)},
        [],
    ),
    "spreadsheet": ("a.xlsx", {"a.xlsx": book(Data=ROWS_OF_BOOK)}, []),
    "spreadsheet with empty sheets": (
        "a.xlsx",
        {"a.xlsx": book(Data=ROWS_OF_BOOK, Sheet2=[], Sheet3=[])},
        [],
    ),
    "spreadsheet without a header": (
        "a.xlsx",
        {"a.xlsx": book(Data=ROWS)},
        ["data.columns=[text, label]"],
    ),
    "a sheet by name": ("a.xlsx#B", {"a.xlsx": book(A=[["x"]], B=ROWS_OF_BOOK)}, []),
    "gz": ("a.csv.gz", {"a.csv.gz": gzip.compress(PLAIN.encode())}, []),
    "bz2": ("a.csv.bz2", {"a.csv.bz2": bz2.compress(PLAIN.encode())}, []),
    "xz": ("a.jsonl.xz", {"a.jsonl.xz": lzma.compress(lines_of(RECORDS).encode())}, []),
    "zst": ("a.jsonl.zst", {"a.jsonl.zst": zstd.compress(lines_of(RECORDS).encode())}, []),
    "gz named csv": ("a.csv", {"a.csv": gzip.compress(PLAIN.encode())}, []),
    "parquet in gz": ("a.parquet.gz", {"a.parquet.gz": gzip.compress(parquet(arrow_table()))}, []),
    "zip of one": ("a.zip", {"a.zip": zipped({"a.csv": PLAIN, "__MACOSX/._a.csv": "x"})}, []),
    "zip, one of several": (
        "a.zip#b/a.csv",
        {"a.zip": zipped({"b/a.csv": PLAIN, "readme.md": "x"})},
        [],
    ),
    "fastText": ("a.txt", {"a.txt": FASTTEXT}, []),
    "fastText named ft": ("a.ft.txt.bz2", {"a.ft.txt.bz2": bz2.compress(FASTTEXT.encode())}, []),
    "fastText of several labels": (
        "a.txt",
        {"a.txt": FASTTEXT.replace("__label__World", "__label__World __label__Sports")},
        [MANY],
    ),
    "folder of classes": ("topics", class_folders("topics"), []),
    "folders of classes by split": (
        "topics",
        {
            **class_folders("topics/train"),
            **class_folders("topics/test"),
            "topics/train/unsup/0.txt": "no class",
            "topics/train/urls_pos.txt": "no text",
            "topics/readme.txt": "read me",
        },
        [],
    ),
    "classes in files without suffix": (
        "news",
        {**class_folders("news/news-bydate-train", ""), **class_folders("news/news-test", "")},
        [],
    ),
    "folder of one file": ("here", {"here/data.csv": PLAIN, "here/readme.md": "x"}, []),
    "folder of split files": (
        "here",
        {"here/train.csv": PLAIN, "here/dev.csv": "", "here/test.csv": ONE_TEST},
        [],
    ),
    "folder of named split files": (
        "here",
        {"here/reviews_train.jsonl": lines_of(RECORDS), "here/reviews_test.jsonl": ""},
        [],
    ),
    "clone of a hub data set": (
        "here",
        {
            "here/data/train-00000-of-00001.parquet": parquet(arrow_table()),
            "here/data/test-00000-of-00001.parquet": b"",
            "here/README.md": "x",
        },
        [],
    ),
    "saved data set": ("saved", saved_dataset("saved"), []),
    "saved data sets": (
        "saved",
        {
            **saved_dataset("saved/train"),
            **saved_dataset("saved/validation"),
            "saved/dataset_dict.json": json.dumps({"splits": ["train", "validation"]}),
        },
        [],
    ),
    "doccano": (
        "a.jsonl",
        {"a.jsonl": lines_of({"id": 1, "text": text, "label": [label]} for text, label in ROWS)},
        [MANY],
    ),
    "doccano with data": (
        "a.jsonl",
        {"a.jsonl": lines_of({"id": 1, "data": text, "label": [label]} for text, label in ROWS)},
        [MANY],
    ),
    "Prodigy": (
        "a.jsonl",
        {"a.jsonl": lines_of(prodigy("accept", text=text, label=label) for text, label in ROWS)},
        [],
    ),
    "Prodigy's choices": (
        "a.jsonl",
        {
            "a.jsonl": lines_of(
                prodigy("accept", text=text, accept=[label], options=[{"id": label, "text": "x"}])
                for text, label in ROWS
            )
        },
        [MANY],
    ),
    "Label Studio": (
        "a.json",
        {"a.json": json.dumps([labelling_task(text, label) for text, label in ROWS])},
        [MANY],
    ),
    "Label Studio in short": ("a.json", {"a.json": json.dumps(RECORDS)}, []),
    "hub, csv": ("owner/name", hub({"train.csv": PLAIN, "test.csv": ONE_TEST}), []),
    "hub, json lines": ("owner/name", hub({"data/train.jsonl": lines_of(RECORDS)}), []),
    "hub, json": ("owner/name", hub({"train.json": json.dumps(RECORDS)}), []),
    "hub, compressed": ("owner/name", hub({"train.csv.gz": gzip.compress(PLAIN.encode())}), []),
    "hub, a configuration": (
        "owner/name#short",
        hub({"short/train.csv": PLAIN, "long/train.csv": PLAIN}),
        [],
    ),
    "hub, a split of any name": ("owner/name#matched", hub({"matched.csv": PLAIN}), []),
    "hub, a split of a configuration": (
        "owner/name#short/extra",
        hub({"short/extra.csv": PLAIN, "long/extra.csv": PLAIN}),
        [],
    ),
    "hub, one file": ("owner/name", hub({"README.md": "x", "reviews.csv": PLAIN}), []),
    "texts and labels in two files": (
        "train_text.txt",
        {
            "train_text.txt": "\n".join(TEXTS),
            "train_labels.txt": "\n".join(map(str, NUMBERS)),
            "mapping.txt": "0\tSports\n1\tWorld\n",
        },
        [],
    ),
}


def put(workplace: Path, files: Files) -> None:
    for name, content in files.items():
        path = workplace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(("source", "files", "given"), AS_IT_IS.values(), ids=AS_IT_IS)
def test_is_read_as_it_was_written(
    workplace: Path, source: str, files: Files, given: list[str]
) -> None:
    put(workplace, files)
    recipe = load_recipe("recipe.yaml", [f"data.train={source}", *given])
    read = read_examples(source, "train", reading_settings(recipe.data))
    texts = [text.split("\n")[0] for text in read.texts]
    several = {"World": "Sports|World"} if "__label__World __label__" in str(files) else {}
    labels = [label if isinstance(label, str) else "|".join(label) for label in read.labels or ()]
    assert sorted(zip(texts, labels, strict=True)) == sorted(
        (text, several.get(label, label)) for text, label in ROWS
    )


# One of each reader, and of each way to a split.
TRAINED = [
    "json lines",
    "pandas columns",
    "splits of pairs",
    "arrow stream",
    "spreadsheet",
    "zst",
    "zip of one",
    "fastText of several labels",
    "folders of classes by split",
    "folder of split files",
    "saved data sets",
    "Prodigy's choices",
    "Label Studio",
    "hub, a configuration",
    "texts and labels in two files",
]


@pytest.mark.parametrize("name", TRAINED)
def test_trains_as_it_is(workplace: Path, trains: Callable[..., Answer], name: str) -> None:
    source, files, given = AS_IT_IS[name]
    put(workplace, files)
    answer = trains(source, given=given)
    assert "data: 6 train, 2 validation, none test texts, 2 labels" in answer.stderr


# Name -> what is trained on, the files, and what its refusal names: a source, or settings.
WITH_A_FIX: dict[str, tuple[str, Files, str, list[str]]] = {
    "several sheets": (
        "a.xlsx",
        {"a.xlsx": book(Data=ROWS_OF_BOOK, Notes=[["read", "me"]])},
        "a.xlsx#Data",
        [],
    ),
    "zip of several": (
        "a.zip",
        {"a.zip": zipped({"a.csv": PLAIN, "b.txt": "x"})},
        "a.zip#a.csv",
        [],
    ),
    "several lists of records": (
        "a.json",
        {"a.json": json.dumps({"done": RECORDS, "open": RECORDS})},
        "a.json#done",
        [],
    ),
    "pairs with the label first": (
        "a.json",
        {"a.json": json.dumps([[label, text] for text, label in ROWS])},
        "a.json",
        ["data.columns=[label, text]"],
    ),
    "configurations": (
        "owner/name",
        hub({"long/train.csv": PLAIN, "short/train.csv": PLAIN}),
        "owner/name#long",
        [],
    ),
    "splits of other names": (
        "owner/name",
        hub({"data/matched-00000-of-00001.parquet": parquet(arrow_table())}),
        "owner/name#matched",
        [],
    ),
    "saved splits of other names": (
        "saved",
        {**saved_dataset("saved/en"), "saved/dataset_dict.json": json.dumps({"splits": ["en"]})},
        "saved#en",
        [],
    ),
}


@pytest.mark.parametrize(("source", "files", "other", "fixes"), WITH_A_FIX.values(), ids=WITH_A_FIX)
def test_trains_with_what_its_refusal_names(
    workplace: Path,
    ranklet: Callable[..., Answer],
    trains: Callable[..., Answer],
    source: str,
    files: Files,
    other: str,
    fixes: list[str],
) -> None:
    put(workplace, files)
    refused = ranklet("train", "recipe.yaml", "--set", f"data.train={source}")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert all(part in refused.stderr for part in (other, *fixes)), refused.stderr
    trains(other, given=fixes)


REFUSED: dict[str, tuple[str, Files, str]] = {
    "old Excel": ("a.xls", {"a.xls": b"\xd0\xcf\x11\xe0 "}, "save it as .xlsx or .csv"),
    "old Excel named xlsx": (
        "a.xlsx",
        {"a.xlsx": b"\xd0\xcf\x11\xe0 "},
        "save it as .xlsx or .csv",
    ),
    "a web page": ("a.csv", {"a.csv": "<!DOCTYPE html>\n<p>sign in"}, "fetch it again"),
    "Git LFS": ("a.csv", {"a.csv": "version https://git-lfs.github.com/spec/v1\n"}, "git lfs pull"),
    "PDF": ("a.pdf", {"a.pdf": "%PDF-1.4"}, "save its table as .csv"),
    "unknown suffix": ("a.docx", {"a.docx": "text"}, "allowed are .csv, .tsv"),
    "tar": ("a.tar.gz", {"a.tar.gz": gzip.compress(b"\0" * 257 + b"ustar")}, "unpack it and name"),
    "cut gz": ("a.csv.gz", {"a.csv.gz": gzip.compress(PLAIN.encode())[:-12]}, "cannot be unpacked"),
    "cut zst": (
        "a.csv.zst",
        {"a.csv.zst": zstd.compress(PLAIN.encode())[:-3]},
        "cannot be unpacked",
    ),
    "cut zip": ("a.zip", {"a.zip": zipped({"a.csv": PLAIN})[:60]}, "not a sound zip file"),
    "cut xz": ("a.csv.xz", {"a.csv.xz": lzma.compress(PLAIN.encode())[:-9]}, "cannot be unpacked"),
    "cut spreadsheet": (
        "a.xlsx",
        {"a.xlsx": zipped({"xl/workbook.xml": "<workbook"})},
        "not a sound .xlsx file",
    ),
    "csv named xlsx": ("a.xlsx", {"a.xlsx": PLAIN}, "not a sound .xlsx file: File is not a zip"),
    "cut arrow": (
        "a.arrow",
        {"a.arrow": ipc(arrow_table(), pa.ipc.new_file)[:-40]},
        "not a sound arrow file",
    ),
    "cut JSON": ("a.json", {"a.json": json.dumps(RECORDS)[:-5]}, "a.json:1: not valid JSON"),
    "deep JSON": ("a.json", {"a.json": "[" * 100_000}, "nested too deeply"),
    "unclear JSON": ("a.json", {"a.json": '{"Sports": ["a"], "World": ["b", "c"]}'}, "an array of"),
    "JSON of scalars": ("a.json", {"a.json": "[1, 2]"}, "a.json:1: found no object"),
    "fastText, a line without": (
        "a.txt",
        {"a.txt": FASTTEXT + "no label\n"},
        "a.txt:9: no __label__",
    ),
    "fewer labels than texts": (
        "train_text.txt",
        {"train_text.txt": "a\nb\n", "train_labels.txt": "0\n"},
        "train_labels.txt: ends before train_text.txt",
    ),
    "empty folder": ("here", {"here/a.md": "x"}, "is a folder; name a file in it (.csv"),
    "several files": ("here", {"here/a.csv": PLAIN, "here/b.csv": PLAIN}, "'a.csv', 'b.csv'"),
    "no training split": ("here", {"here/test.csv": PLAIN}, "has no split 'train'"),
    "a text that is no text": (
        "topics",
        {**class_folders("topics"), "topics/World/1.txt": b"caf\xe9"},
        "topics/World/1.txt:1: byte 0xE9",
    ),
    "a gap in a spreadsheet": (
        "a.xlsx",
        {"a.xlsx": book(Data=[*ROWS_OF_BOOK, [], ["a", "b"]])},
        "a.xlsx:10: blank line",
    ),
    "no such column in a spreadsheet": (
        "a.xlsx",
        {"a.xlsx": book(Data=[["text", "topic"], *ROWS])},
        "no column 'label'; the columns are 'text', 'topic'",
    ),
    "saved paths that lead away": (
        "saved",
        {
            **saved_dataset("saved"),
            "saved/state.json": json.dumps({"_data_files": [{"filename": "../a.arrow"}]}),
        },
        "names no files of its own",
    ),
}


@pytest.mark.parametrize(("source", "files", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_what_to_do(
    workplace: Path, ranklet: Callable[..., Answer], source: str, files: Files, problem: str
) -> None:
    put(workplace, files)
    answer = ranklet("train", "recipe.yaml", "--set", f"data.train={source}")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1), answer.stderr
    assert problem in answer.stderr


def bomb(pack: Callable[[bytes], bytes]) -> bytes:
    return pack(b"text,label\n" + (b"a" * 9_997 + b",b\n") * 200)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.csv.gz", lambda content: gzip.compress(content, 9)),
        ("a.csv.zst", zstd.compress),
        ("a.zip", lambda content: zipped({"a.csv": content})),
    ],
)
def test_a_bomb_is_refused_in_one_line(
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    pack: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr(compressed, "FREE_BYTES", 1_000_000)
    put(workplace, {name: bomb(pack)})
    with pytest.raises(DataError, match=f"^{name}: unpacks to more than 200 times its size"):
        for _ in stream_texts(name):
            pass


def test_a_sheet_of_two_far_cells_needs_no_memory(workplace: Path) -> None:
    file = openpyxl.Workbook()
    file.active["A1"], file.active["XFD3000"] = "text", "x"
    file.save("far.xlsx")
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"far\.xlsx:2: blank line"):
            list(stream_texts("far.xlsx"))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_cells_of_a_spreadsheet_are_what_its_export_shows(workplace: Path) -> None:
    rows = [["text", "label"], [2012, 1], [datetime(2026, 11, 27), 1.0], ["a", "0"], [0.5, 0]]
    put(workplace, {"a.xlsx": book(Data=rows)})
    read = read_examples("a.xlsx", "train")
    assert read.texts == ("2012", "2026-11-27", "a", "0.5")
    assert read.labels == ("1", "1", "0", "0")
    assert read.lines == (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.jsonl",
            lines_of(
                [prodigy("accept", **record) for record in RECORDS]
                + [prodigy("reject", text="x", label="World"), prodigy("ignore", text="y")]
            ),
        ),
        (
            "a.json",
            json.dumps(
                [labelling_task(text, label) for text, label in ROWS]
                + [labelling_task("x"), labelling_task("y", "World", was_cancelled=True)]
            ),
        ),
    ],
)
def test_rejected_rows_are_left_out_and_counted(
    workplace: Path, trains: Callable[..., Answer], name: str, content: str
) -> None:
    put(workplace, {name: content})
    answer = trains(name)
    assert "2 rows that were rejected or have no answer are left out" in answer.stderr
    assert "data: 6 train, 2 validation" in answer.stderr


def test_answers_that_are_labels_are_no_verdicts(workplace: Path) -> None:
    put(workplace, {"a.jsonl": lines_of({"text": "a", "answer": "reject"} for _ in range(2))})
    settings = ReadingSettings(label_column="answer")
    assert read_examples("a.jsonl", "train", settings).labels == ("reject", "reject")


@pytest.mark.parametrize(
    ("source", "files", "splits"),
    [
        (
            "here",
            {"here/train.csv": PLAIN, "here/dev.csv": PLAIN, "here/a/test.csv": PLAIN},
            {"train": "here/train.csv", "validation": "here/dev.csv"},
        ),
        ("here", {"here/data.csv": PLAIN}, {"train": "here/data.csv"}),
        (
            "owner/name",
            hub({"train.csv": PLAIN, "dev.csv": PLAIN}),
            {"train": "owner/name", "validation": "owner/name"},
        ),
        ("a.csv", {"a.csv": PLAIN}, {"train": "a.csv"}),
        (
            "a.json",
            {"a.json": json.dumps({"train": PAIRS, "val": PAIRS, "test": PAIRS, "oos": PAIRS})},
            {"train": "a.json#train", "validation": "a.json#val", "test": "a.json#test"},
        ),
        (
            "topics",
            {**class_folders("topics/train"), **class_folders("topics/test")},
            {"train": "topics#train", "test": "topics#test"},
        ),
        ("topics", class_folders("topics"), {"train": "topics#train"}),
        (
            "saved",
            {
                **saved_dataset("saved/train"),
                **saved_dataset("saved/test"),
                "saved/dataset_dict.json": json.dumps({"splits": ["train", "test"]}),
            },
            {"train": "saved#train", "test": "saved#test"},
        ),
        (
            "here",
            {
                f"here/{split}_{kind}.txt": "0\n"
                for split in ("train", "val")
                for kind in ("text", "labels")
            },
            {"train": "here/train_text.txt", "validation": "here/val_text.txt"},
        ),
    ],
)
def test_the_splits_of_a_folder_or_a_file(
    workplace: Path, source: str, files: Files, splits: dict[str, str]
) -> None:
    put(workplace, files)
    assert splits_of(source) == splits
    for split, place in splits.items():
        assert read_examples(place, split).texts == read_examples(source, split).texts


def test_a_run_of_a_folder_is_verified(
    workplace: Path, trains: Callable[..., Answer], ranklet: Callable[..., Answer]
) -> None:
    put(workplace, class_folders("topics"))
    trains("topics", given=["seed=3"])
    (run,) = {path.parent for path in Path("runs").rglob("recipe.yaml")} or {Path("run")}
    assert "train data" in ranklet("verify", str(run)).stdout
    (workplace / "topics/World/1.txt").write_text("another text")
    answer = ranklet("verify", str(run))
    assert "differs" in next(line for line in answer.stdout.splitlines() if "train data" in line)


PREDICTED = ["array", "spreadsheet", "fastText", "zst", "folder of classes", "saved data set"]


@pytest.mark.parametrize("name", PREDICTED)
def test_every_row_is_predicted(workplace: Path, ranklet: Callable[..., Answer], name: str) -> None:
    source, files, _ = AS_IT_IS[name]
    put(workplace, files)
    answer = ranklet("predict", "run", source, "--output", "labels.csv")
    assert answer.returncode == 0, answer.stderr
    assert len((workplace / "labels.csv").read_text().splitlines()) == 1 + len(ROWS)


def test_a_split_to_predict_is_named_not_guessed(
    workplace: Path, ranklet: Callable[..., Answer]
) -> None:
    put(workplace, AS_IT_IS["splits of pairs"][1])
    refused = ranklet("predict", "run", "a.json", "--output", "labels.csv")
    assert (refused.returncode, "name one as a.json#val" in refused.stderr) == (2, True)
    assert ranklet("predict", "run", "a.json#val", "--output", "labels.csv").returncode == 0


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.zip"])
def test_compressed_files_are_streamed(workplace: Path, name: str) -> None:
    content = lines_of({"text": f"{row} " * 1000} for row in range(2000))
    pack = {".gz": gzip.compress, ".zst": zstd.compress}.get(Path(name).suffix)
    packed = zipped({"a.jsonl": content}) if pack is None else pack(content.encode())
    put(workplace, {name: packed})
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream_texts(name)) == 2000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000 < len(content)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("package", "name", "content"),
    [
        ("openpyxl", "a.xlsx", book(Data=ROWS_OF_BOOK)),
        ("backports.zstd", "a.csv.zst", zstd.compress(PLAIN.encode())),
    ],
)
def test_without_its_package_a_format_names_the_extra(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, package: str, name: str, content: bytes
) -> None:
    put(workplace, {name: content})
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r'pip install "ranklet\[formats\]"'):
        read_examples(name, "train")
