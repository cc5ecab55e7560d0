"""`ranklet train FILE` and `ranklet init FILE`: columns found or asked for, and a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ranklet.recipe import load_recipe

ROWS = [
    (f"the {word} of the {place} {row}", label, str(row))
    for row in range(6)
    for word, place, label in (("goal", "match", "Sports"), ("treaty", "border", "World"))
]
TINY = ("--set", "encoder=encoder", "--set", "training.epochs=1", "--set", "data.max_length=16")


def write(folder: Path, header: str) -> None:
    lines = [header, *(",".join(row) for row in ROWS)]
    (folder / "mine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("header", ["text,label,id", "body,topic,nr", "Review,Sentiment,"])
def test_the_columns_are_found_and_said(workplace: Path, ranklet: Any, header: str) -> None:
    write(workplace, header)
    answer = ranklet("train", "mine.csv", *TINY, "--out", "mine")
    text, label, _ = header.split(",")
    assert answer.returncode == 0, answer.stderr
    assert f"text: {text}, label: {label}\n" in answer.stderr
    assert "next: ranklet predict mine NEW.csv --output labels.csv\n" in answer.stdout
    assert "ranklet audit mine.csv --run mine\n" in answer.stdout
    resolved = load_recipe(workplace / "mine" / "recipe.yaml").data
    assert (resolved.text_column, resolved.label_column) == (text, label)


def test_a_run_is_named_after_its_data(workplace: Path, ranklet: Any) -> None:
    write(workplace, "text,label,id")
    assert ranklet("train", "mine.csv", *TINY).returncode == 0
    assert (workplace / "runs" / "mine" / "certificate.json").is_file()


def test_what_is_in_doubt_is_asked_for_in_one_line(workplace: Path, ranklet: Any) -> None:
    lines = ["a,b,c,d", *(f"{text},{label},{label},{text}" for text, label, _ in ROWS)]
    (workplace / "mine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    answer = ranklet("train", "mine.csv", *TINY)
    assert (answer.returncode, answer.stderr) == (
        2,
        "error: mine.csv: columns 'a', 'd' may be the text; name it, such as --text \"a\"\n",
    )
    answer = ranklet("train", "mine.csv", *TINY, "--text", "a", "--text", "d")
    assert answer.stderr == (
        "error: mine.csv: columns 'b', 'c' may be the label; name it, such as --label \"b\"\n"
    )
    answer = ranklet("train", "mine.csv", *TINY, "--text", "a", "--text", "d", "--label", "c")
    assert answer.returncode == 0, answer.stderr


def test_without_a_label_the_columns_are_listed(workplace: Path, ranklet: Any) -> None:
    lines = ["body,nr", *(f"{text},{row}" for row, (text, _, _) in enumerate(ROWS))]
    (workplace / "mine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    answer = ranklet("train", "mine.csv", *TINY)
    assert answer.returncode == 2
    assert "no column seems to be the label; the columns are 'body', 'nr'" in answer.stderr


def test_options_change_a_recipe_too(workplace: Path, ranklet: Any) -> None:
    write(workplace, "body,topic,id")
    (workplace / "other.csv").write_text("body,topic\none goal,Sports\n", encoding="utf-8")
    columns = ("--text", "body", "--label", "topic", "--test", "other.csv")
    answer = ranklet(
        "train", "recipe.yaml", "--set", "data.train=mine.csv", "--set", "data.validation=2",
        *columns, "--out", "other",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    resolved = load_recipe(workplace / "other" / "recipe.yaml").data
    assert (resolved.text_column, resolved.label_column) == ("body", "topic")
    assert resolved.test == "other.csv"


def test_init_writes_the_recipe_that_train_takes(workplace: Path, ranklet: Any) -> None:
    write(workplace, "body,topic,id")
    answer = ranklet("init", "mine.csv", *TINY)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.endswith("recipe: mine.yaml\n")
    written = (workplace / "mine.yaml").read_text(encoding="utf-8")
    assert "# text: body, label: topic\n" in written
    assert "2 labels: Sports 6, World 6\n" in written
    assert "weight_decay" not in written
    assert ranklet("train", "mine.csv", *TINY, "--out", "a").returncode == 0
    assert ranklet("train", "mine.yaml", "--out", "b").returncode == 0
    first, second = (load_recipe(workplace / run / "recipe.yaml") for run in "ab")
    assert first == second


def test_init_writes_over_nothing(workplace: Path, ranklet: Any) -> None:
    write(workplace, "body,topic,id")
    (workplace / "mine.yaml").write_text("seed: 7\n", encoding="utf-8")
    answer = ranklet("init", "mine.csv")
    assert answer.returncode == 2
    assert "mine.yaml: exists already; name another file with --out" in answer.stderr
    assert (workplace / "mine.yaml").read_text(encoding="utf-8") == "seed: 7\n"


def test_lists_of_labels_are_seen(workplace: Path, ranklet: Any) -> None:
    lines = [
        f'{{"text": "{text}", "tags": ["{label}"{extra}]}}'
        for row, (text, label, _) in enumerate(ROWS)
        for extra in [', "late"' if row % 3 else ""]
    ]
    (workplace / "mine.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    answer = ranklet("train", "mine.jsonl", *TINY, "--out", "mine")
    assert answer.returncode == 0, answer.stderr
    resolved = load_recipe(workplace / "mine" / "recipe.yaml").data
    assert resolved.problem_type == "multi_label_classification"


def test_what_a_refusal_advises_is_done_and_said(workplace: Path, ranklet: Any) -> None:
    rows = "".join(f"{label},{text} \x93caf\xe9\x94\n" for text, label, _ in ROWS)
    (workplace / "mine.csv").write_bytes(rows.encode("latin-1"))
    answer = ranklet("train", "mine.csv", *TINY, "--out", "mine")
    assert answer.returncode == 0, answer.stderr
    said = "read with data.encoding=cp1252 data.columns=[label, text], as the file looks\n"
    assert said in answer.stderr
    resolved = load_recipe(workplace / "mine" / "recipe.yaml").data
    assert (resolved.encoding, resolved.columns) == ("cp1252", ("label", "text"))


def test_what_a_refusal_leaves_open_is_refused(workplace: Path, ranklet: Any) -> None:
    rows = "text,label\n" + "".join(f"гол и мяч {row},{label}\n" for _, label, row in ROWS)
    (workplace / "mine.csv").write_bytes(rows.encode("cp1251"))
    answer = ranklet("train", "mine.csv", *TINY)
    assert answer.returncode == 2
    assert "data.encoding=cp1251" in answer.stderr


def test_a_folder_gives_its_splits(workplace: Path, ranklet: Any) -> None:
    folder = workplace / "mine"
    folder.mkdir()
    for name in ("train", "dev", "test"):
        lines = ["text,label", *(f"{text} of {name},{label}" for text, label, _ in ROWS)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    answer = ranklet("train", "mine", *TINY, "--out", "run-of-it")
    assert answer.returncode == 0, answer.stderr
    assert "data: 12 train, 12 validation, 12 test texts, 2 labels" in answer.stderr


def test_the_folder_one_is_in_is_data(
    workplace: Path, ranklet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workplace / "mine"
    folder.mkdir()
    write(folder, "text,label,id")
    monkeypatch.chdir(folder)
    options = ("--set", "encoder=../encoder", "--set", "training.epochs=1", *TINY[4:])
    answer = ranklet("train", ".", *options)
    assert answer.returncode == 0, answer.stderr
    assert (folder / "runs" / "mine" / "certificate.json").is_file()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_columns_are_kept_beside_the_answers(workplace: Path, ranklet: Any, suffix: str) -> None:
    rows = 'id,text,note\n007,the goal,"a, b"\n8,the treaty,=1\n'
    (workplace / "new.csv").write_text(rows, encoding="utf-8")
    command = ("predict", "run", "new.csv", "--output", f"out{suffix}")
    assert ranklet(*command, "--keep", "id", "--keep", "note").returncode == 0
    lines = (workplace / f"out{suffix}").read_text(encoding="utf-8").splitlines()
    if suffix == ".csv":
        assert lines[0] == "id,note,label,probability"
        assert [line.rpartition(",")[0].rpartition(",")[0] for line in lines[1:]] == [
            '007,"a, b"',
            "8,=1",
        ]
    else:
        assert [json.loads(line)["id"] for line in lines] == ["007", "8"]
        assert list(json.loads(lines[0])) == ["id", "note", "label", "probability"]
    for wrong, says in (("name", "no column 'name'"), ("label", "own column 'label'")):
        answer = ranklet(*command, "--keep", wrong)
        assert (answer.returncode, says in answer.stderr) == (2, True), answer.stderr


def test_a_column_for_each_label_is_asked_about_and_trains(workplace: Path, ranklet: Any) -> None:
    lines = ["text,toxic,insult,threat"]
    lines += [
        f"{text},{row % 2},{row // 2 % 2},{row // 3 % 2}" for row, (text, _, _) in enumerate(ROWS)
    ]
    (workplace / "mine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    answer = ranklet("train", "mine.csv", *TINY, "--out", "mine")
    settings = [
        "data.label_columns=[toxic, insult, threat]",
        "data.problem_type=multi_label_classification",
    ]
    assert answer.returncode == 2
    assert " ".join(settings) in answer.stderr
    given = [part for setting in settings for part in ("--set", setting)]
    answer = ranklet("train", "mine.csv", *TINY, *given, "--out", "mine")
    assert answer.returncode == 0, answer.stderr
    assert " 3 labels" in answer.stderr
