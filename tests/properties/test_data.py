"""What holds for every table, text and split."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ranklet.data.cleaning import clean, filter_by_words
from ranklet.data.duplicates import normal_form, resolve_duplicates
from ranklet.data.examples import Examples, encode_labels
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.rows import Wanted, read_rows
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples, stream_texts
from ranklet.data.splits import split_validation
from ranklet.data.words import count_words
from ranklet.errors import DataError
from ranklet.labels import LabelSet
from ranklet.vocabulary import CleaningStep

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
# Quotes, separators and line ends far more often than chance would bring them.
SPECIAL = st.text(st.sampled_from(list('"",;\t\r\n ab\u2028\ufeffé')), max_size=12)
CELLS = st.one_of(TEXTS, SPECIAL)
NON_EMPTY = CELLS.filter(lambda text: bool(text.strip()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    delimiter=st.sampled_from([",", "\t"]),
    style=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL)]),
    mark=st.sampled_from(["utf-8", "utf-8-sig"]),
    blanks=st.integers(0, 2),
)
def test_written_by_csv_read_as_it_was_with_its_lines(
    folder: Path,
    rows: list[tuple[str, str]],
    delimiter: str,
    style: tuple[str, int],
    mark: str,
    blanks: int,
) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=style[0], quoting=style[1])
    writer.writerow(["text", "label"])
    lines = []
    for row in rows:
        lines.append(sink.getvalue().count("\n") + 1)
        writer.writerow(row)
    path = folder / ("a.csv" if delimiter == "," else "a.tsv")
    path.write_bytes((sink.getvalue() + style[0] * blanks).encode(mark))
    found = list(read_rows(path, Wanted(dialect=Dialect(quoting="double"))))
    assert [(row.cells["text"], row.cells["label"]) for row in found] == rows
    assert [row.line for row in found] == lines


@given(texts=st.lists(CELLS, min_size=1, max_size=8), ascii_only=st.booleans())
def test_json_lines_are_read_as_they_were(folder: Path, texts: list[str], ascii_only: bool) -> None:
    path = folder / "a.jsonl"
    lines = [json.dumps({"text": text}, ensure_ascii=ascii_only) + "\n" for text in texts]
    path.write_bytes("".join(lines).encode())
    assert list(stream_texts(path, ReadingSettings("text"))) == list(enumerate(texts, start=1))


@settings(max_examples=30)
@given(texts=st.lists(CELLS, min_size=1, max_size=8), group=st.integers(1, 3))
def test_parquet_is_read_as_it_was(folder: Path, texts: list[str], group: int) -> None:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"text": texts}), path, row_group_size=group)
    assert list(stream_texts(path, ReadingSettings("text"))) == list(enumerate(texts, start=1))


@given(
    content=st.one_of(st.binary(max_size=80), SPECIAL.map(str.encode)),
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".txt", ".parquet"]),
)
@example(content=b'text,label\n"a', suffix=".csv")
def test_any_bytes_are_read_or_refused_in_one_line(
    folder: Path, content: bytes, suffix: str
) -> None:
    path = folder / f"any{suffix}"
    path.write_bytes(b"text,label\n" + content if suffix == ".csv" else content)
    refusal = ""
    try:
        found = read_examples(str(path), "train", ReadingSettings("text", "label", None))
    except DataError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith(str(path))
        assert len(refusal.splitlines()) == 1
    else:
        assert all(isinstance(text, str) for text in found.texts)
        assert all(found.labels or ())


STEPS = st.lists(st.sampled_from(["html", "ag_news", "whitespace"]), unique=True, max_size=3)
PIECES = ["&", "amp;", "lt;", "gt;", "quot;", "#39;", "#36;", "#38;", "#x26;", "#146;", "<", ">"]
PIECES += ["b", "br/", "/b", "a href='", "'", '"', "\\", " ", "\n", "\u00a0", "<!--", "-->", "x=y"]
MARKUP = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=250)
@given(text=st.one_of(TEXTS, MARKUP), steps=STEPS)
def test_cleaning_a_clean_text_changes_nothing(text: str, steps: list[CleaningStep]) -> None:
    cleaned = clean(text, steps)
    assert clean(cleaned, steps) == cleaned
    assert len(cleaned) <= len(text)
    if "whitespace" in steps:
        assert cleaned == " ".join(cleaned.split())


@given(text=st.text(st.characters(exclude_characters="&<;\\"), max_size=40), steps=STEPS)
def test_cleaning_leaves_a_text_without_markup_alone(text: str, steps: list[CleaningStep]) -> None:
    cleaned = clean(text, steps)
    assert cleaned == (" ".join(text.split()) if "whitespace" in steps else text)


LABELLED = st.lists(st.tuples(NON_EMPTY, st.sampled_from("wxyz")), min_size=1, max_size=40)


def as_examples(rows: list[tuple[str, str]], source: str = "a.csv") -> Examples:
    texts, labels = zip(*rows, strict=True)
    return Examples(texts, labels, tuple(range(2, len(rows) + 2)), source)


@given(rows=LABELLED, low=st.integers(0, 3), span=st.integers(0, 3))
def test_the_word_filter_parts_the_rows(rows: list[tuple[str, str]], low: int, span: int) -> None:
    train = as_examples(rows)
    inside = [low <= count_words(text) <= low + span for text in train.texts]
    if not any(inside):
        with pytest.raises(DataError):
            filter_by_words(train, low, low + span)
        return
    kept, dropped = filter_by_words(train, low, low + span)
    assert kept == train.select([row for row, keep in enumerate(inside) if keep])
    assert dropped == inside.count(False)


@st.composite
def splittable(draw: st.DrawFn) -> tuple[Examples, int]:
    sizes = draw(st.lists(st.integers(2, 25), min_size=2, max_size=5))
    labels = draw(st.permutations([label for label, size in enumerate(sizes) for _ in range(size)]))
    rows = [(f"text {row}", f"label {label}") for row, label in enumerate(labels)]
    return as_examples(rows), draw(st.integers(len(sizes), len(rows) - len(sizes)))


@given(case=splittable(), seed=st.integers(0, 2**32))
def test_a_split_is_disjoint_complete_ordered_and_stratified(
    case: tuple[Examples, int], seed: int
) -> None:
    examples, count = case
    train, validation = split_validation(examples, count, seed)
    assert len(validation) == count
    assert sorted(train.lines + validation.lines) == list(examples.lines)
    assert train.lines == tuple(sorted(train.lines))
    assert validation.lines == tuple(sorted(validation.lines))
    for part in (train, validation):
        assert part == examples.select([line - 2 for line in part.lines])
    whole, taken = Counter(examples.labels), Counter(validation.labels)
    assert set(train.labels or ()) == set(whole)
    if count * 2 <= len(examples):
        for label, size in whole.items():
            assert abs(taken[label] - size * count / len(examples)) < 1


@given(case=splittable(), seed=st.integers(0, 2**32))
def test_a_split_follows_its_seed_and_nothing_else(case: tuple[Examples, int], seed: int) -> None:
    examples, count = case
    _, validation = split_validation(examples, count, seed)
    assert split_validation(examples, count, seed)[1] == validation
    renamed = Examples(
        tuple(text.upper() for text in examples.texts), examples.labels, examples.lines, "b.csv"
    )
    assert split_validation(renamed, count, seed)[1].lines == validation.lines


def test_another_seed_gives_another_split() -> None:
    examples = as_examples([(f"t{row}", "xy"[row % 2]) for row in range(200)])
    chosen = {split_validation(examples, 0.2, seed)[1].lines for seed in range(10)}
    assert len(chosen) == 10


FEW = st.lists(
    st.tuples(
        st.sampled_from(["a", "A!", "b", "B b", "b-b", "bb", "c", "?", "¿"]), st.sampled_from("xy")
    ),
    min_size=1,
    max_size=14,
)


def is_duplicate(one: tuple[str, str], other: tuple[str, str]) -> bool:
    if one[1] == other[1]:
        return normal_form(one[0]) == normal_form(other[0])
    return one[0].split() == other[0].split()


@given(train=FEW, validation=st.none() | FEW, test=st.none() | FEW)
def test_dropping_leaves_every_text_once_and_nothing_held_out(
    train: list[tuple[str, str]],
    validation: list[tuple[str, str]] | None,
    test: list[tuple[str, str]] | None,
) -> None:
    split = as_examples(train)
    others = [as_examples(rows) if rows else None for rows in (validation, test)]
    held_out = [row for rows in (validation, test) for row in rows or ()]
    seen: list[tuple[str, str]] = []
    expected = []
    for row, own in enumerate(train):
        equal = [other for other in seen if is_duplicate(own, other)]
        if not equal and not any(is_duplicate(own, other) for other in held_out):
            expected.append(row)
        if not equal or own[1] == equal[0][1]:
            seen.append(own)
    if not expected:
        with pytest.raises(DataError, match="every row is a duplicate"):
            resolve_duplicates(split, others[0], others[1], "drop")
        return
    kept, report = resolve_duplicates(split, others[0], others[1], "drop")
    assert kept == split.select(expected)
    assert report.dropped == len(split) - len(kept)
    again = resolve_duplicates(kept, others[0], others[1], "drop")[1]
    assert (again.within_train, again.train_validation, again.train_test, again.dropped) == (0,) * 4
    counted = resolve_duplicates(split, others[0], others[1], "keep")
    assert counted[0] == split
    assert counted[1].within_train == report.within_train >= report.conflicting_labels


@given(text=st.text(max_size=40))
def test_the_normal_form_is_its_own_and_ignores_case(text: str) -> None:
    form = normal_form(text)
    assert normal_form(form) == form
    assert form == form.strip()
    if text.isascii():
        assert normal_form(text.upper()) == normal_form(text.lower()) == form


@given(rows=LABELLED)
def test_encoded_labels_name_the_labels_again(rows: list[tuple[str, str]]) -> None:
    examples = as_examples(rows)
    labels = LabelSet(("w", "x", "y", "z"))
    encoded = encode_labels(examples, labels)
    assert tuple(labels.names[index] for index in encoded) == examples.labels


@given(rows=st.lists(st.tuples(CELLS, st.sampled_from("xyz")), min_size=1, max_size=8))
def test_a_pair_and_dicts_of_it_are_the_same(rows: list[tuple[str, str]]) -> None:
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    dicts = [{"text": text, "label": label} for text, label in rows]
    pair, records = (
        read_examples(data, "train", ReadingSettings("text", "label", None, empty="keep"))
        for data in ((texts, labels), dicts)
    )
    assert pair == records
    assert (pair.texts, pair.labels) == (tuple(texts), tuple(labels))
    assert pair.sha256 == records.sha256
