"""Formats as people bring them: each trains as it is, or one line says what makes it train.

Texts are invented.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

Content = bytes | str
Files = Mapping[str, Content]

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
def test_trains_as_it_is(
    workplace: Path, trains: Callable[..., object], source: str, files: Files, given: list[str]
) -> None:
    put(workplace, files)
    answer = trains(source, given=given)
    assert "8 train" not in str(answer) or "labels" in str(answer)
