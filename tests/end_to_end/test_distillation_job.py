"""Teachers through the command line: runs, averages, unlabelled texts, transformers, refusals."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sealed import seal

import ranklet as library

Command = Callable[..., Any]


def settings(*options: str) -> tuple[str, ...]:
    return tuple(word for option in options for word in ("--set", option))


@pytest.fixture
def unlabelled(workplace: Path) -> Path:
    """Texts that are new, a repeated one, one of train and one of test."""
    train = Path("train.csv").read_text().splitlines()[1].rpartition(",")[0].strip('"')
    test = Path("test.csv").read_text().splitlines()[1].rpartition(",")[0].strip('"')
    rows = ["the envoy and the goal a", "the envoy and the goal a", "a border a match", train, test]
    path = workplace / "more.csv"
    path.write_text("text\n" + "\n".join(rows) + "\n")
    return path


def test_a_run_teaches_and_its_answers_are_kept(
    ranklet: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = settings("distillation.teacher=run", "adapter.rank=1", "seed=3")
    first = ranklet("train", "recipe.yaml", "--out", "first", *options)
    assert first.returncode == 0, first.stderr
    assert re.search(r"teacher: run reads [\d,]+ texts\n", first.stderr)
    assert re.search(r"teacher: has the label of [\d.]+% of the labelled texts\n", first.stderr)
    again = ranklet("train", "recipe.yaml", "--out", "again", *options)
    assert "reads" not in again.stderr  # taken from the cache
    one, other = (
        Path(f"{name}/adapter/adapter_model.safetensors").read_bytes()
        for name in ("first", "again")
    )
    assert one == other
    alone = ranklet("train", "recipe.yaml", "--out", "alone", *options[2:])
    assert alone.returncode == 0
    assert Path("alone/adapter/adapter_model.safetensors").read_bytes() != one
    assert ranklet("verify", "first").returncode == 0


def test_unlabelled_texts_are_labelled_once_and_never_those_of_test(
    ranklet: Command, workplace: Path, unlabelled: Path
) -> None:
    options = ("distillation.teacher=[run, run/adapter]", f"data.unlabelled={unlabelled}")
    done = ranklet("train", "recipe.yaml", "--out", "mine", *settings(*options))
    assert done.returncode == 0, done.stderr
    assert "labelled 2 of 2 more" in done.stderr
    rows = json.loads(Path("mine/environment.json").read_text())["rows"]
    before = json.loads(Path("run/environment.json").read_text())["rows"]
    assert rows["train"] == before["train"] + 2
    sure = ranklet(
        "train", "recipe.yaml", "--out", "sure",
        *settings(*options, "distillation.confidence=0.999"),
    )  # fmt: skip
    assert sure.returncode == 0, sure.stderr
    assert "labelled 0 of 2 more" in sure.stderr


def test_a_classifier_of_transformers_teaches(ranklet: Command, workplace: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    config = transformers.BertConfig(
        **json.loads(Path("encoder/config.json").read_text()) | {"num_labels": 2},
        id2label={0: "World", 1: "Sports"}, label2id={"World": 0, "Sports": 1},
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained("teacher")
    library_tokenizer = library.load("run").network.preprocessing
    assert library_tokenizer is not None
    library_tokenizer.tokenizer.save("teacher/tokenizer.json")
    assert tokenizers
    done = ranklet(
        "train", "recipe.yaml", "--out", "mine", *settings("distillation.teacher=teacher")
    )
    assert done.returncode == 0, done.stderr
    assert "teacher: teacher reads" in done.stderr

    # The columns of its answers are in the order of our labels.
    stored = next(Path(library_cache()).glob("teachers/*.npy"))
    logits = np.load(stored)
    text = Path("train.csv").read_text()
    assert logits.shape[1] == 2
    assert logits.shape[0] <= text.count("\n")


def library_cache() -> str:
    from ranklet.cache import default_cache_folder

    return str(default_cache_folder())


def test_columns_follow_the_names_of_the_labels(
    ranklet: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher whose labels stand in another order gives the same lesson."""
    from ranklet.recipe import load_recipe
    from ranklet.workflows._train import teachers as room
    from ranklet.workflows._train.transformers_teacher import Teacher
    from ranklet.workflows.from_recipe.splits import read_splits

    recipe = load_recipe("recipe.yaml", ["distillation.teacher=run"])
    splits = read_splits(recipe.data, recipe.seed)
    names = splits.labels.names

    def lesson(order: list[int]) -> torch.Tensor:
        teacher = Teacher(
            tuple(names[index] for index in order),
            lambda texts: torch.tensor([[0.0, 1.0]]).repeat(len(texts), 1)[:, order],
        )
        monkeypatch.setattr(room, "_own", lambda folder, recipe: teacher)
        monkeypatch.setattr(room, "_keep", lambda path, logits: None)
        found = room.consult_teachers(recipe, splits, (), lambda line: None)
        assert found is not None
        return found.targets

    expected = (torch.tensor([0.0, 1.0]) / 2.0).softmax(-1)
    assert lesson([0, 1])[0].tolist() == pytest.approx(expected.tolist())
    assert lesson([1, 0]).equal(lesson([0, 1]))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["distillation.teacher=nowhere"], "'nowhere' cannot be used"),
        (["distillation.teacher=encoder"], "cannot be used"),
        (["distillation.weight=0.3"], "needs distillation.teacher"),
        (["distillation.teacher=run", "distillation.confidence=0.5"], "unlabelled"),
        (["distillation.teacher=run", "data.unlabelled=none.csv"], "none.csv"),
        (["training.contrastive_steps=2", "data.unlabelled=none.csv"], "none.csv"),
        (["data.unlabelled=train.csv"], "nobody labels them; set distillation.teacher or"),
        (["training.contrastive_learning_rate=1e-3"], "set contrastive_steps or leave it out"),
        (
            ["distillation.teacher=run", "training.r_drop=1.0", "head_dropout=0.1"],
            "leave one of the two out",
        ),
    ],
)
def test_bad_teachers_are_refused(
    ranklet: Command, workplace: Path, options: list[str], problem: str
) -> None:
    refused = ranklet("train", "recipe.yaml", "--out", "mine", *settings(*options))
    assert refused.returncode == 2, refused.stderr
    assert problem in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not Path("mine").exists()


def test_a_teacher_of_other_labels_is_refused(ranklet: Command, workplace: Path) -> None:
    shutil.copytree("run", "other")
    labels = Path("other/adapter/labels.json")
    labels.write_text(json.dumps({"labels": ["Politics", "Sports"]}))
    seal(labels.parent)
    refused = ranklet(
        "train", "recipe.yaml", "--out", "mine", *settings("distillation.teacher=other")
    )
    assert refused.returncode == 2
    assert "has the labels Politics, Sports, the training texts" in refused.stderr
    assert not Path("mine").exists()


def test_a_classifier_labels_texts_for_itself(ranklet: Command, unlabelled: Path) -> None:
    quick = ("training.contrastive_steps=4", "training.max_steps=1")
    alone = ranklet("train", "recipe.yaml", "--out", "alone", *settings(*quick))
    assert alone.returncode == 0, alone.stderr
    start = r"contrastive start: 4 steps, loss [\d.]+ in the first, [\d.]+ in the last\n"
    assert len(re.findall(start, alone.stderr)) == 1
    options = settings(*quick, f"data.unlabelled={unlabelled}")
    adapters = [Path("alone/adapter/adapter_model.safetensors").read_bytes()]
    for out in ("mine", "again"):
        done = ranklet("train", "recipe.yaml", "--out", out, *options)
        assert done.returncode == 0, done.stderr
        assert re.search(r"unlabelled: [12] of 2 texts get the label", done.stderr)
        assert len(re.findall(start, done.stderr)) == 2
        adapters.append(Path(out, "adapter/adapter_model.safetensors").read_bytes())
    assert adapters[0] != adapters[1]
    assert adapters[1] == adapters[2]
    assert ranklet("verify", "mine").returncode == 0
