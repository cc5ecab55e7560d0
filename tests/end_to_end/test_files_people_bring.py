"""Files as people bring them: each trains as it is, or after the setting that its refusal names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROWS = [
    (f"the {word} {row}", label)
    for row in range(4)
    for word, label in (("goal", "Sports"), ("treaty", "World"))
]


def table(
    separator: str = ",",
    header: str = "text,label",
    end: str = "\n",
    rows: Sequence[Sequence[str]] = ROWS,
) -> str:
    lines = [header.replace(",", separator), *(separator.join(row) for row in rows)]
    return end.join(line for line in lines if line) + end


def labelled(labels: Sequence[str], header: str = "text,label") -> str:
    """A table of texts with these labels, four times each."""
    rows = [(f"the goal {row}", label) for row, label in enumerate([*labels] * 4)]
    return table(header=header, rows=rows)


def lines(labels: Sequence[object], **others: object) -> str:
    """JSON lines of texts with these labels, four times each."""
    rows = [
        {"text": f"the goal {row}", "label": label, **others}
        for row, label in enumerate([*labels] * 4)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def in_place_of_goal(word: str, encoding: str) -> bytes:
    return table().replace("goal", word).encode(encoding)


def reordered(*places: int) -> list[list[str]]:
    """The rows with their cells at these places of (text, label, nothing, number)."""
    return [[(*row, "", str(number))[at] for at in places] for number, row in enumerate(ROWS)]


OPEN_QUOTES = [*ROWS, ('"Goal!', "Sports"), ("a treaty", "World"), ('the "team', "Sports")]
ONE_OPEN_QUOTE = [*ROWS[:2], ('"Goal!', "Sports"), *ROWS[2:]]
QUOTED = [*ROWS, ('"the goal, the team"', "Sports"), ('"a ""treaty"""', "World")]
TWO_LINES = [*QUOTED, ('"the goal,\nthe, border"', "Sports")]

AS_IT_IS: dict[str, tuple[str, str, str]] = {
    # name: (file, content, what the line of the data says)
    "plain": ("a.csv", table(), "2 labels\n"),
    "windows line ends": ("a.csv", table(end="\r\n"), "2 labels\n"),
    "tabs": ("a.tsv", table("\t"), "(tabs)"),
    "tabs in a csv": ("a.csv", table("\t"), "(tabs)"),
    "semicolons": ("a.csv", table(";"), "(semicolons)"),
    "bars": ("a.csv", table("|"), "(bars)"),
    "commas in a tsv": ("a.tsv", table(), "2 labels\n"),
    "separator in other texts": (
        "a.csv",
        table(";", rows=[(f"{text}, he said", label) for text, label in ROWS]),
        "(semicolons)",
    ),
    "what Excel writes first": ("a.csv", "sep=;\n" + table(";"), "(semicolons)"),
    "quotes that stay open": ("a.tsv", table("\t", rows=OPEN_QUOTES), "(tabs, no quotes)"),
    "one quote that stays open": ("a.tsv", table("\t", rows=ONE_OPEN_QUOTE), "no quotes"),
    "quotes in a csv that stay open": ("a.csv", table(rows=OPEN_QUOTES), "(no quotes)"),
    "quoted commas": ("a.csv", table(rows=QUOTED), "2 labels\n"),
    "quoted lines": ("a.csv", table(rows=TWO_LINES), "2 labels\n"),
    "all quoted": (
        "a.csv",
        table(header='"text","label"', rows=[[f'"{cell}"' for cell in row] for row in ROWS]),
        "2 labels\n",
    ),
    "single quotes": (
        "a.csv",
        table(header="'text','label'", rows=[(f"'{text}, so'", f"'{of}'") for text, of in ROWS]),
        "(single quotes)",
    ),
    "apostrophes": (
        "a.csv",
        table(rows=[(f"'tis {text}", label) for text, label in ROWS]),
        "2 labels\n",
    ),
    "index of pandas": ("a.csv", table(header=",text,label", rows=reordered(3, 0, 1)), ""),
    "trailing commas": ("a.csv", table(header="text,label,,,", rows=reordered(0, 1, 2, 2, 2)), ""),
    "trailing commas in rows": ("a.csv", table(rows=reordered(0, 1, 2, 2)), ""),
    "trailing commas in the header": ("a.csv", table(header="text,label,,"), ""),
    "blank name": ("a.csv", table(header="text,label, ", rows=reordered(0, 1, 3)), ""),
    "equal names": ("a.csv", table(header="text,label,x,x", rows=reordered(0, 1, 3, 3)), ""),
    "spaces around names": ("a.csv", table(header="text , label"), ""),
    "the header again": ("a.csv", table(rows=[*ROWS, ("a text", "World")]), ""),
    "zeros and ones": ("a.csv", labelled(["0", "1"]), ""),
    "fractions that are integers": ("a.csv", labelled(["1.0", "2.0"]), "'1.0' is read as '1'"),
    "1 and 1.0": ("a.csv", labelled(["1", "1.0", "2"]), "'1.0' is read as '1'"),
    "booleans": ("a.csv", labelled(["True", "False"]), ""),
    "booleans of two programs": ("a.csv", labelled(["True", "TRUE", "false"]), "'TRUE' is read as"),
    "codes": ("a.csv", labelled(["01", "1", "10", "²", "--2"]), "5 labels"),
    "spaces around labels": ("a.csv", labelled(["World ", "World", "Sports"]), "'World ' is read"),
    "capitals": ("a.csv", labelled(["pos", "POS", "neg"]), "'POS', 'pos' differ in capitals alone"),
    "lists of one": ("a.csv", labelled(["['a']", "['b']"]), "2 labels\n"),
    "what looks like several": ("a.csv", labelled(["a|b", "a", "b"]), "'a|b' looks like several"),
    "boolean in json": ("a.jsonl", lines([True, False]), ""),
    "fraction in json": ("a.jsonl", lines([1.0, 2]), ""),
    "list of one in json": ("a.jsonl", lines([["a"], ["b"]]), ""),
    "NaN in another key": ("a.jsonl", lines(["a", "b"], score=float("nan")), ""),
    "lists and objects in other keys": ("a.jsonl", lines(["a", "b"], x=[{"y": None}]), ""),
    "a key twice that nobody reads": (
        "a.jsonl",
        lines(["a", "b"]).replace("}", ', "x": 1, "x": 2}'),
        "",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the page of a run out: it takes as long as all else of a tiny training."""
    monkeypatch.setattr("ranklet.workflows.train.write_run_report", lambda *_: None)


@pytest.mark.parametrize(("name", "content", "said"), AS_IT_IS.values(), ids=AS_IT_IS)
def test_trains_as_it_is(
    workplace: Path, trains: Callable[..., object], name: str, content: str, said: str
) -> None:
    (workplace / name).write_text(content, encoding="utf-8", newline="")
    answer = trains(name, given=["data.validation=5"])
    assert said in answer.stderr


ENCODINGS = {
    "byte order mark": ("utf-8-sig", "2 labels\n"),
    "UTF-16": ("utf-16", "(utf-16)"),
    "UTF-16, big endian": ("utf-16-be", "(utf-16)"),
    "UTF-32": ("utf-32", "(utf-32)"),
}


@pytest.mark.parametrize(("encoding", "said"), ENCODINGS.values(), ids=ENCODINGS)
def test_trains_in_the_encoding_that_its_mark_states(
    workplace: Path, trains: Callable[..., object], encoding: str, said: str
) -> None:
    content = table(rows=[(f"{text} für Gäste", label) for text, label in ROWS])
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (workplace / "a.csv").write_bytes((mark + content).encode(encoding))
    assert said in trains("a.csv").stderr


LIKE_COMMAS = [(f"{text}; so", label) for text, label in ROWS]
SEVERAL = ["data.problem_type=multi_label_classification"]
SWALLOWED = [*ROWS, ('"Goal!', "Sports"), ("a treaty", "World"), ('the team"', "Sports")]

WITH_A_SETTING: dict[str, tuple[str, str | bytes, list[str], list[str]]] = {
    # name: (file, content, what its refusal names, what is given in any case)
    "no header": ("a.csv", table(header=""), ["data.columns=[text, label]"], []),
    "no header, tabs": ("a.tsv", table("\t", header=""), ["data.columns=[text, label]"], []),
    "no header, labels first": (
        "a.csv",
        table(header="", rows=reordered(1, 0)),
        ["data.columns=[label, text]"],
        [],
    ),
    "no header, an id": (
        "a.csv",
        table(header="", rows=reordered(3, 1, 0)),
        ["data.columns=[column1, label, text]"],
        [],
    ),
    "rows one or three": ("a.tsv", table("\t", rows=SWALLOWED), ["data.quoting=none"], []),
    "rows one or three, quoted": (
        "a.tsv",
        table("\t", rows=SWALLOWED),
        ["data.quoting=double"],
        [],
    ),
    "two separators": (
        "a.csv",
        "text;label, so\n" + table(";", "", rows=[(text, f"{of}, so") for text, of in ROWS]),
        ["data.separator=semicolon"],
        ["data.text_column=column1", "data.label_column=column2"],
    ),
    "Windows": ("a.csv", in_place_of_goal("gôal\u2019s", "cp1252"), ["data.encoding=cp1252"], []),
    "Windows, in json": (
        "a.jsonl",
        lines(["a", "b"]).replace("goal", "\u201cgoal\u201d").encode("cp1252"),
        ["data.encoding=cp1252"],
        [],
    ),
    "Cyrillic": ("a.csv", in_place_of_goal("гол и мяч", "cp1251"), ["data.encoding=cp1251"], []),
    "Chinese": ("a.csv", in_place_of_goal("体育", "gb18030"), ["data.encoding=gb18030"], []),
    "UTF-16, no mark": ("a.csv", table().encode("utf-16-le"), ["data.encoding=utf-16-le"], []),
    "UTF-16, big": ("a.csv", table().encode("utf-16-be"), ["data.encoding=utf-16-be"], []),
    "two columns of one name": (
        "a.csv",
        table(header="text,label,label", rows=reordered(0, 1, 3)),
        ["--label column2"],
        [],
    ),
    "lists of labels": ("a.csv", labelled(['"[\'a\', \'b\']"', "['b']"]), SEVERAL, []),
    "lists in json": ("a.jsonl", lines([["a", "b"], ["b"], ["a"]]), SEVERAL, []),
    "plus between labels": (
        "a.csv",
        labelled(["a+b", "a", "b"]),
        ["data.label_separator=+"],
        SEVERAL,
    ),
    "commas in names": (
        "a.csv",
        labelled(['"Sci, Tech"', "World|Sports"]).replace("World|Sports", "World"),
        ["data.label_separator=comma"],
        SEVERAL,
    ),
    "several that are one": (
        "a.csv",
        labelled(["a", "b"]),
        ["data.problem_type=single_label_classification"],
        SEVERAL,
    ),
    "one-hot columns": (
        "a.csv",
        table(header="text,bad,rude", rows=[(text, "1", "01"[len(of) % 2]) for text, of in ROWS]),
        SEVERAL,
        ["data.label_columns=[bad, rude]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "fixes", "given"), WITH_A_SETTING.values(), ids=WITH_A_SETTING
)
def test_trains_with_the_setting_that_its_refusal_names(
    workplace: Path,
    trains: Callable[..., object],
    name: str,
    content: str | bytes,
    fixes: list[str],
    given: list[str],
) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    (workplace / name).write_bytes(raw)
    trains(name, *fixes, given=["data.validation=3", *given])


SEVERAL_LABELS = {
    "bars": ["a|b", "a", "b"],
    "commas": ['"a,b"', "a", "b"],
    "commas and spaces": ['"a, b"', "a", "b"],
    "semicolons": ["a;b", "a", "b"],
    "lists of Python": ["\"['a', 'b']\"", "['a']", "[]"],
    "lists of NumPy": ["['a' 'b']", "['a']", "[]"],
    "lists of JSON": ['"[""a"", ""b""]"', '"[""a""]"', "[]"],
    "none": ["a|b", "", "b"],
}


@pytest.mark.parametrize("labels", SEVERAL_LABELS.values(), ids=SEVERAL_LABELS)
def test_trains_with_several_labels_however_they_are_written(
    workplace: Path, trains: Callable[..., object], labels: list[str]
) -> None:
    (workplace / "a.csv").write_text(labelled(labels))
    assert "2 labels" in trains("a.csv", given=SEVERAL).stderr
