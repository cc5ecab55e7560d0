"""ranklet compare: the same recipe with another seed is noise, a sabotaged training is found."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ranklet as package

Command = Callable[..., Any]

FIELDS = (
    "data.test=many.csv",
    "training.epochs=20",
    "training.learning_rate=0.02",
)


@pytest.fixture(scope="module")
def trained(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two seeds of a recipe in `seeds`, and `sabotaged`, the same with permuted training labels."""
    folder = tmp_path_factory.mktemp("compared")
    shutil.copytree(made_once / "encoder", folder / "encoder")
    for name in ("recipe.yaml", "train.csv"):
        shutil.copy(made_once / name, folder)
    header, *lines = (made_once / "train.csv").read_text(encoding="utf-8").splitlines()
    texts, labels = zip(*(line.rsplit(",", 1) for line in lines), strict=True)
    permuted = random.Random(3).sample(labels, len(labels))
    rows = [",".join(row) for row in zip(texts, permuted, strict=True)]
    (folder / "permuted.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    fresh = [line.replace(" a ", " the ") for line in lines] * 2
    (folder / "many.csv").write_text("\n".join([header, *fresh]) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RANKLET_CACHE", str(folder / "cache"))
        patch.setattr("ranklet.workflows.train.write_run_report", lambda *_: None)
        recipe = package.load_recipe("recipe.yaml", FIELDS)
        package.train_seeds(recipe, [0, 1], "seeds")
        sabotaged = package.load_recipe("recipe.yaml", [*FIELDS, "data.train=permuted.csv"])
        package.train(sabotaged, "sabotaged")
        shutil.copytree(made_once / "run", "run")
        yield folder


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def test_runs_that_differ_only_by_seed_are_noise(ranklet: Command, here: Path) -> None:
    answer = ranklet("compare", "seeds/seed-0", "seeds/seed-1")
    assert answer.returncode == 0, answer.stderr
    (line,) = [line for line in answer.stdout.splitlines() if "noise (p = " in line]
    assert "only the seed differs" in line
    assert "real (" not in answer.stdout
    assert "picks the best of several runs by them" in answer.stdout
    found = package.compare(["seeds/seed-0", "seeds/seed-1"])
    assert found.same_recipe
    assert [entry.fields for entry in found.entries] == [{"seed": "0"}, {"seed": "1"}]


def test_a_sabotaged_training_is_found_to_be_worse(ranklet: Command, here: Path) -> None:
    answer = ranklet("compare", "seeds/seed-0", "sabotaged", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    (pair,) = found["pairs"]
    assert (pair["first"], pair["verdict"]) == ("seed-0", "real")
    assert pair["difference"]["accuracy"]["value"] > 0.2
    assert pair["p"] < 0.001
    only_first, only_second = pair["difference"]["only_right"]
    first, second = (
        json.loads(Path(run, "evaluation/test.json").read_text())["accuracy"]
        for run in ("seeds/seed-0", "sabotaged")
    )
    assert (only_first - only_second) / found["rows"] == pytest.approx(first - second)
    assert {entry["fields"]["data.train"].split()[0] for entry in found["entries"]} == {
        "train.csv",
        "permuted.csv",
    }
    assert "training.epochs" not in found["entries"][0]["fields"]


def test_a_folder_of_seeds_is_one_system(ranklet: Command, here: Path) -> None:
    found = package.compare(["seeds", "sabotaged"])
    assert [entry.seeds for entry in found.entries] == [(0, 1), (0,)]
    assert found.runs == ("seeds/seed-0", "seeds/seed-1", "sabotaged")
    assert found.pairs[0].difference.seeds == (2, 1)
    assert found.pairs[0].difference.seed_variance >= 0
    answer = ranklet("compare", "seeds", "sabotaged")
    assert "seeds (2 seeds)" in answer.stdout
    together = package.compare(["seeds/seed-0", "seeds/seed-1", "sabotaged"])
    assert [entry.name for entry in together.entries] == ["seed-0 + seed-1", "sabotaged"]
    assert together.pairs[0].difference == found.pairs[0].difference


def test_validation_rows_are_paired_by_seed(ranklet: Command, here: Path) -> None:
    # Permuted training labels are permuted validation labels too: other rows.
    answer = ranklet("compare", "seeds/seed-0", "sabotaged", "--split", "validation")
    assert answer.returncode == 2
    assert "validation rows are not those of seed-0" in answer.stderr
    answer = ranklet("compare", "seeds", "--split", "validation")
    assert answer.returncode == 2
    assert "have data.validation name a file" in answer.stderr


def test_the_page_needs_nothing_else_and_escapes_names(ranklet: Command, here: Path) -> None:
    hostile = here / "<b>bold"
    if not hostile.exists():
        shutil.copytree(here / "sabotaged", hostile)
    answer = ranklet("compare", "seeds", str(hostile), "--out", "page.html")
    assert answer.returncode == 0, answer.stderr
    page = Path("page.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;bold" in page
    assert "<b>bold" not in page
    assert page.count("<svg") >= 5
    assert "src=" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "picks the best of several runs" in page


def test_what_cannot_be_compared_is_refused_in_one_line(ranklet: Command, here: Path) -> None:
    before = sorted(path.name for path in here.iterdir())
    for arguments, expected in {
        ("seeds/seed-0",): "1 run is named; name at least two",
        ("seeds/seed-0", "run"): "run: its test rows are not those of seed-0: 6 rows against 60",
        ("seeds/seed-0", "seeds/../seeds/seed-0"): "named twice",
        ("seeds/seed-0", "encoder"): "holds no trained classifier",
        ("seeds/seed-0", "nowhere"): "no such folder",
        ("seeds", "seeds/seed-1"): "has the recipe, the data and the seed of seeds/seed-1",
        ("seeds", "sabotaged", "--target", "nowhere.txt"): "nowhere.txt",
        ("seeds", "sabotaged", "--out", "nowhere/page.html"): "create the folder first",
    }.items():
        answer = ranklet("compare", *arguments)
        assert (answer.returncode, answer.stdout) == (2, ""), arguments
        (line,) = answer.stderr.splitlines()
        assert expected in line
    assert sorted(path.name for path in here.iterdir()) == before


def test_other_test_files_are_told_by_their_hash(
    ranklet: Command, here: Path, tmp_path: Path
) -> None:
    for name in ("seeds/seed-0", "sabotaged"):
        shutil.copytree(here / name, tmp_path / Path(name).name)
    certificate = tmp_path / "sabotaged" / "certificate.json"
    content = json.loads(certificate.read_text())
    content["sha256"]["data"]["test"] = "0" * 64
    certificate.write_text(json.dumps(content))
    answer = ranklet("compare", str(tmp_path / "seed-0"), str(tmp_path / "sabotaged"))
    assert answer.returncode == 2
    assert "the files of data.test differ in their SHA-256" in answer.stderr
    predictions = tmp_path / "sabotaged" / "evaluation" / "test_predictions.csv"
    lines = predictions.read_text().splitlines()
    lines[1] = lines[1].replace("Sports", "World", 1)
    predictions.write_text("\n".join(lines) + "\n")
    answer = ranklet("compare", str(tmp_path / "seed-0"), str(tmp_path / "sabotaged"))
    assert "row 0 is labelled 'World', not 'Sports'" in answer.stderr


def test_a_target_without_labels_tells_which_to_expect_most_of(
    ranklet: Command, here: Path
) -> None:
    answer = ranklet("compare", "seeds/seed-0", "sabotaged", "--target", "many.csv", "--json")
    assert answer.returncode == 0, answer.stderr
    estimates = json.loads(answer.stdout)["estimates"]
    assert list(estimates) == ["seed-0", "sabotaged"]
    assert all(0 <= found["accuracy"] <= 1 and found["rows"] == 60 for found in estimates.values())
