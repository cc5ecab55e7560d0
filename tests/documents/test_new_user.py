"""The way of a new user: the README's words on a file of one's own, as they stand there."""

from __future__ import annotations

import csv
import re
import shlex
import sys
from pathlib import Path

import pytest
from pages import README, section

from ranklet.cli.main import run as run_command_line
from ranklet.data.reading.named_sets import bundled_file

ROWS = 32


def commands() -> list[list[str]]:
    blocks = re.findall(r"```shell\n(.*?)```", section(README, "Your own CSV"), re.DOTALL)
    return [shlex.split(line, comments=True) for line in "".join(blocks).splitlines()]


def test_the_first_command_is_one_line() -> None:
    assert commands()[0] == ["ranklet", "train", "mine.csv"]
    assert {words[1] for words in commands()} == {"train", "predict", "init"}


def test_a_new_user_trains_looks_and_predicts(
    minilm_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with bundled_file("newsbites", "train").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:ROWS]
    for name, columns in (("mine", ("body", "topic")), ("new", ("body",))):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(columns)
            short = ((row["text"].partition(". ")[0], row["label"]) for row in rows)
            table.writerows(cells[: len(columns)] for cells in short)
    monkeypatch.chdir(tmp_path)
    for words in commands():
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            run_command_line()
        assert ended.value.code == 0, capsys.readouterr().err
    printed = capsys.readouterr()
    assert "text: body, label: topic" in printed.err
    assert "next: ranklet predict runs/mine NEW.csv --output labels.csv" in printed.out
    assert (tmp_path / "runs" / "mine" / "report.html").stat().st_size > 100_000
    assert len((tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines()) == ROWS + 1
    assert "label_column: topic" in (tmp_path / "mine.yaml").read_text(encoding="utf-8")
