"""Long texts, sampling and noise through the command line: train, predict, evaluate, verify."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ranklet as library

Command = Callable[..., Any]


def settings(*options: str) -> tuple[str, ...]:
    return tuple(word for option in options for word in ("--set", option))


# Texts of about six tokens; a row has room for four of their own.
WINDOWS = ("data.long_texts=windows", "data.max_length=6", "data.window_overlap=0.5")


def records(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def long_rows(workplace: Path) -> Path:
    """Texts of one to twenty words for prediction."""
    words = ["the", "minister", "a", "treaty", "goal", "match", "coach", "border", "capital"]
    texts = [" ".join((words * 3)[:length]) for length in range(1, 21)]
    path = workplace / "long.csv"
    path.write_text("text\n" + "\n".join(texts) + "\n")
    return path


@pytest.mark.parametrize("aggregation", ["mean", "max", "vote"])
def test_windows_from_training_to_verification(
    aggregation: str, ranklet: Command, workplace: Path, long_rows: Path
) -> None:
    asked = settings(*WINDOWS, f"data.window_aggregation={aggregation}", "training.epochs=2")
    done = ranklet("train", "recipe.yaml", "--out", "mine", *asked)
    assert done.returncode == 0, done.stderr
    told = r"tokens a window, [\d.]+% of the texts split, [\d.]+ windows a text, none truncated\n"
    assert re.search(told, done.stderr)
    about = json.loads(Path("mine/environment.json").read_text())
    before = json.loads(Path("run/environment.json").read_text())
    assert about["rows"] == before["rows"]  # texts, not windows
    assert set(about["truncated"].values()) == {0.0}
    assert about["windows"]["train"]["per_text"] > 1
    assert sum(one["texts"] for one in records("mine") if one["kind"] == "train") > (
        2 * about["rows"]["train"]
    )
    evaluation = json.loads(Path("mine/evaluation/test.json").read_text())
    assert evaluation["rows"] == about["rows"]["test"]

    shutil.copytree("mine/adapter", "elsewhere")
    predict = ("predict", "elsewhere", str(long_rows), "--output", "out.csv")
    assert ranklet(*predict, "--precision", "float32").returncode == 0
    with open("out.csv", newline="") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == 20

    model = library.load("elsewhere", precision="float32")
    assert model.predict([]) == []
    assert model.network.preprocessing is not None
    how = model.network.preprocessing.long_texts
    assert (how.mode, how.overlap, how.aggregation) == ("windows", 0.5, aggregation)
    with long_rows.open() as file:
        texts = [line.strip() for line in file][1:]
    probabilities = model.predict_proba(texts)
    assert [answer["label"] for answer in answers] == model.predict(texts)
    given = [float(answer["probability"]) for answer in answers]
    assert given == pytest.approx(probabilities.max(-1).tolist(), abs=1e-4)
    # By hand: what a text of one row says of each part of the longest text.
    corpus = model.network.corpus(texts[-1:])
    assert corpus.text_starts is not None
    with torch.inference_mode():
        batches = [corpus.batch(np.array([row])) for row in range(len(corpus))]
        alone = [model.network(batch).softmax(-1)[0] for batch in batches]
    if aggregation == "mean":
        expected = torch.stack(alone).mean(0)
        assert probabilities[-1].tolist() == pytest.approx(expected.tolist(), abs=1e-5)

    found = ranklet("evaluate", "mine", "--json", "--precision", "float32")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["accuracy"] == evaluation["accuracy"]
    verified = ranklet("verify", "mine", "--data", "test.csv")
    assert verified.returncode == 0, verified.stdout
    assert "differs" not in verified.stdout
    assert re.search(r"test figure +ok", verified.stdout)


def test_another_reading_in_the_files_is_noticed(ranklet: Command, workplace: Path) -> None:
    done = ranklet("train", "recipe.yaml", "--out", "mine", *settings(*WINDOWS))
    assert done.returncode == 0, done.stderr
    path = Path("mine/adapter/classifier.json")
    held = json.loads(path.read_text())
    held["long_texts"]["mode"] = "head"
    path.write_text(json.dumps(held))
    refused = ranklet("classify", "mine/adapter", "a goal")
    assert refused.returncode == 2
    assert "answers differently from when it was saved" in refused.stderr
    assert ranklet("verify", "mine").returncode == 1
    held["long_texts"]["overlap"] = 1.5
    path.write_text(json.dumps(held))
    refused = ranklet("classify", "mine/adapter", "a goal")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "overlap 1.5 must be at least 0 and below 1" in refused.stderr


def test_windows_go_with_frozen_layers_teachers_and_balance(
    ranklet: Command, workplace: Path
) -> None:
    options = [
        *WINDOWS,
        "adapter.layers=[1]",
        "training.epochs=3",
        "training.sampling=balanced",
        "training.class_weights=balanced",
        "head_start=probe",
        "adapter.fit=5_000",
        "adapter.fit_mode=measured",
        "distillation.teacher=run",
    ]
    done = ranklet("train", "recipe.yaml", "--out", "mine", *settings(*options))
    assert done.returncode == 0, done.stderr
    assert "frozen layers: the lowest 1 run once" in done.stderr
    verified = ranklet("verify", "mine")
    assert verified.returncode == 0, verified.stdout
    taught = settings("distillation.teacher=mine")
    again = ranklet("train", "recipe.yaml", "--out", "student", *taught)
    assert again.returncode == 0, again.stderr


def test_head_and_tail_is_told_and_kept(ranklet: Command, workplace: Path) -> None:
    asked = settings("data.long_texts=head_tail", "data.max_length=6")
    done = ranklet("train", "recipe.yaml", "--out", "mine", *asked)
    assert done.returncode == 0, done.stderr
    assert re.search(r"[\d.]+% of the texts truncated in the middle\n", done.stderr)
    model = library.load("mine/adapter")
    (start, end) = (
        model.network.corpus(["the goal a match minister envoy team"])
        .batch(np.array([0]))
        .token_ids[[1, 4]]
    )
    vocabulary = model.network.preprocessing.tokenizer  # type: ignore[union-attr]
    assert (vocabulary.id_to_token(int(start)), vocabulary.id_to_token(int(end))) == ("the", "team")
    assert ranklet("verify", "mine").returncode == 0


def test_noise_balance_and_curriculum(ranklet: Command, workplace: Path) -> None:
    """The rarest label is said, frozen layers step aside, and the same recipe gives the same."""
    lines = Path("train.csv").read_text().splitlines()
    rare = [line for line in lines if line.endswith("World")][:7]
    kept = [lines[0], *rare, *(line for line in lines if line.endswith("Sports"))]
    Path("few.csv").write_text("\n".join(kept) + "\n")
    options = [
        "data.train=few.csv",
        "data.validation=test.csv",
        "data.test=",
        "training.sampling=balanced",
        "training.curriculum=length",
        "training.epochs=3",
        "adapter.layers=[1]",
        "augmentation.word_swap=0.2",
        "augmentation.case_noise=0.2",
        "augmentation.typo_noise=0.2",
        "augmentation.sentence_truncation=0.2",
        "distillation.teacher=run",
    ]
    for out in ("first", "again"):
        done = ranklet("train", "recipe.yaml", "--out", out, *settings(*options))
        assert done.returncode == 0, done.stderr
    # Three of either label also stand in test.csv.
    told = "sampling: balanced, 16 texts an epoch; each of the 4 of the rarest label, World, "
    told += "comes 2.0 times\n"
    assert told in done.stderr
    because = "run at every step, because augmentation changes the training texts"
    assert because in done.stderr
    one, other = (Path(out, "adapter/adapter_model.safetensors") for out in ("first", "again"))
    assert one.read_bytes() == other.read_bytes()
    quiet = settings(*(each for each in options if not each.startswith("augmentation")))
    assert ranklet("train", "recipe.yaml", "--out", "quiet", *quiet).returncode == 0
    assert Path("quiet/adapter/adapter_model.safetensors").read_bytes() != one.read_bytes()
    steps = [record for record in records("first") if record["kind"] == "train"]
    assert all(0 <= record["padding"] < 1 for record in steps)
    assert [record["texts"] for record in steps[:3]] == [8, 8, 8]


@pytest.mark.parametrize(
    ("options", "field", "problem"),
    [
        (["data.long_texts=tail"], "data.long_texts", "one of head, head_tail, windows"),
        (["data.window_overlap=0.5"], "data.window_overlap", "only long_texts windows"),
        (
            ["data.long_texts=head_tail", "data.window_aggregation=mean"],
            "data.window_aggregation",
            "head_tail does not read it",
        ),
        ([*WINDOWS[:2], "data.window_overlap=1"], "data.window_overlap", "< 1"),
        ([*WINDOWS, "data.max_length=41"], "data.max_length", "is more than encoder"),
        (
            [*WINDOWS, "augmentation.word_swap=0.1"],
            "augmentation.word_swap",
            "alters whole texts, and windows are parts of them",
        ),
        (["augmentation.typo_noise=1.0"], "augmentation.typo_noise", "< 1"),
        (["augmentation.synonyms=0.1"], "augmentation.synonyms", "unknown"),
        (["training.sampling=oversampled"], "training.sampling", "shuffled, square_root, balanced"),
        (["training.curriculum=loss"], "training.curriculum", "one of none, length"),
    ],
)
def test_what_cannot_be_is_one_line(
    options: list[str], field: str, problem: str, ranklet: Command, workplace: Path
) -> None:
    refused = ranklet("train", "recipe.yaml", "--out", "none", *settings(*options))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert f"{field}: " in refused.stderr
    assert problem in refused.stderr
    assert not (workplace / "none").exists()
