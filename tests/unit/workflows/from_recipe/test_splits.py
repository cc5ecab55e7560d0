"""The order of the labels is the data's own wherever the data states one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ranklet.recipe import DataSection
from ranklet.workflows.from_recipe.splits import read_splits

NEWS = ("World", "Sports", "Business", "Sci/Tech")


def labels_of(train: str, **fields: Any) -> tuple[str, ...]:
    return read_splits(DataSection(train=train, validation=4, **fields), seed=0).labels.names


def write_csv(path: Path, labels: list[str]) -> str:
    rows = [f"text number {number} of {label},{label}" for label in labels for number in range(4)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return str(path)


def test_a_named_set_has_its_official_order() -> None:
    assert labels_of("newsbites") == NEWS


def test_class_names_stored_in_parquet_keep_their_order(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    names = {"info": {"features": {"label": {"names": list(NEWS), "_type": "ClassLabel"}}}}
    table = pyarrow.table({
        "text": [f"row {row}" for row in range(16)],
        "label": [row % 4 for row in range(16)],
    }).replace_schema_metadata({"huggingface": json.dumps(names)})  # fmt: skip
    parquet.write_table(table, tmp_path / "train.parquet")
    assert labels_of(str(tmp_path / "train.parquet")) == NEWS


def test_the_recipe_has_the_last_word(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "train.csv", ["0", "1"])
    assert labels_of(source, label_names=("yes", "no")) == ("yes", "no")


def test_plain_labels_are_sorted_numbers_as_numbers(tmp_path: Path) -> None:
    assert labels_of(write_csv(tmp_path / "a.csv", ["b", "a"])) == ("a", "b")
    assert labels_of(write_csv(tmp_path / "b.csv", ["10", "9", "2"])) == ("2", "9", "10")


def test_validation_comes_out_of_train_and_test_leaves_train(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "train.csv", ["a", "b"])
    rows = Path(source).read_text().splitlines()
    (tmp_path / "test.csv").write_text("\n".join([rows[0], rows[1].upper(), rows[8]]) + "\n")
    text = (tmp_path / "test.csv").read_text().replace(",A", ",a")
    (tmp_path / "test.csv").write_text(text)
    splits = read_splits(
        DataSection(train=source, test=str(tmp_path / "test.csv"), validation=2), 0
    )
    assert splits.duplicates.train_test == 2
    assert splits.test is not None
    found = [*splits.train.texts, *splits.validation.texts]
    assert len(found) == 6
    assert not {text.lower() for text in found} & {text.lower() for text in splits.test.texts}
