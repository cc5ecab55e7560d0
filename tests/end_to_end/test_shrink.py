"""ranklet shrink: from a run to a smaller run that every verb takes, and PEFT too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ranklet as library
from ranklet.encoder import precision
from ranklet.saved.probes import compute_dtype

TEXTS = ["the team a goal", "the envoy a treaty", "coach"]
HEAD = 16 * 2 + 2
UNIT = 16 + 16
# What the runs were trained in, on every processor.
FLOAT32 = ("--precision", "float32")


@pytest.fixture
def shrunk(workplace: Path, ranklet: Any) -> Any:
    """Shrink a run, or an adapter folder, and return what was printed as JSON."""

    def call(budget: int, out: str, *options: str, model: str = "run") -> Any:
        given = ("--budget", str(budget), "--out", out, "--json", *FLOAT32)
        answer = ranklet("shrink", model, *given, *options)
        assert (answer.returncode, answer.stderr) == (0, "")
        return json.loads(answer.stdout)

    return call


def proba(path: str) -> np.ndarray:
    return library.load(path, precision="float32").predict_proba(TEXTS)


@pytest.fixture(scope="module")
def learnt_once(made_once: Path, train_in: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose adapters matter, trained once."""
    options = ("training.epochs=20", "training.learning_rate=5e-3", "training.batch_size=4",
               "adapter.rank=4", "adapter.use_rslora=true",
               "adapter.target_modules=[query, value, word_embeddings]")  # fmt: skip
    run = tmp_path_factory.mktemp("learnt") / "learnt"
    train_in(made_once, run, *options)
    return run


@pytest.fixture
def learnt(workplace: Path, learnt_once: Path) -> str:
    """A copy of it in the workplace."""
    shutil.copytree(learnt_once, "learnt", ignore=shutil.ignore_patterns("figures", "report.html"))
    return "learnt"


def test_the_same_budget_loses_nothing(learnt: str, shrunk: Any) -> None:
    total = json.loads(Path("learnt/plan.json").read_text())["total"]
    done = shrunk(total, "same", model=learnt)
    assert done["parameters"] == [total, total]
    assert done["kept_energy"] == pytest.approx(1.0)
    assert done["before"]["accuracy"] == done["after"]["accuracy"]
    assert np.abs(proba("same") - proba("learnt")).max() <= 1e-5


@pytest.mark.parametrize("budget", [HEAD + UNIT, HEAD + 7 * UNIT + 5, 400])
def test_a_smaller_run_is_a_run_like_any_other(
    budget: int, learnt: str, shrunk: Any, ranklet: Any
) -> None:
    done = shrunk(budget, "small", model=learnt)
    certificate = json.loads(Path("small/certificate.json").read_text())
    assert certificate["planned"] == certificate["saved"] == done["parameters"][1] <= budget
    assert certificate["budget"] == budget
    assert budget - certificate["planned"] < UNIT
    assert done["modules"][1] <= done["modules"][0]
    assert done["validation"] == "validation texts of the run"
    assert {"accuracy", "log_loss"} <= done["after"].keys()
    checked = ranklet("verify", "small")
    assert checked.returncode == 0, checked.stdout
    assert ranklet("plan", "small/recipe.yaml").returncode == 0
    assert ranklet("evaluate", "small", *FLOAT32).returncode == 0
    Path("in.txt").write_text("\n".join(TEXTS) + "\n")
    predicted = ranklet("predict", "small", "in.txt", "--output", "out.csv", *FLOAT32)
    assert predicted.returncode == 0, predicted.stderr
    again = ranklet("train", "small/recipe.yaml", "--out", "again", "--set", "training.epochs=1")
    assert again.returncode == 0, again.stderr
    assert json.loads(Path("again/certificate.json").read_text())["planned"] <= budget


def test_on_any_processor_a_run_is_used_in_the_precision_of_its_recipe(
    learnt: str, ranklet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_has_fast_bfloat16", lambda device: True)
    done = ranklet("shrink", learnt, "--budget", "400", "--out", "small", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(Path("small/adapter/probes.json").read_text())["dtype"] == "float32"
    machine = json.loads(Path("small/environment.json").read_text())["machine"]
    assert machine["precision"] == "float32"
    checked = ranklet("verify", "small", "--data", "train.csv")
    assert checked.returncode == 0, checked.stdout
    figures = [
        ranklet("evaluate", "small", "--data", "train.csv", "--json", *options).stdout
        for options in ((), FLOAT32)
    ]
    assert figures[0] == figures[1] != ""
    assert dtype_of("small") == torch.float32
    assert dtype_of("small/adapter") == torch.bfloat16  # a bare adapter names none


def dtype_of(path: str) -> torch.dtype:
    return compute_dtype(library.load(path).network)


def test_an_adapter_folder_becomes_an_adapter_folder(shrunk: Any, ranklet: Any) -> None:
    done = shrunk(HEAD + 3 * UNIT, "small", model="run/adapter")
    assert done["parameters"][1] == HEAD + 3 * UNIT
    assert done["after"] is None
    assert "--data" in done["validation"]
    measured = shrunk(HEAD + 3 * UNIT, "again", "--data", "test.csv", model="run/adapter")
    assert measured["after"]["rows"] == 6
    assert ranklet("evaluate", "small", "--data", "test.csv", *FLOAT32).returncode == 0
    assert np.array_equal(proba("small"), proba("again"))


def test_lost_data_only_costs_the_figures(shrunk: Any) -> None:
    Path("train.csv").unlink()
    done = shrunk(300, "small")
    assert done["after"] is None
    assert done["validation"].startswith("not measured: train.csv: is not there as the run run")
    assert shrunk(300, "other", "--data", "test.csv")["after"]["rows"] == 6


def test_changed_data_are_neither_measured_nor_certified(shrunk: Any, ranklet: Any) -> None:
    with Path("train.csv").open("a") as stream:
        stream.write("the coach a player,Sports\n")
    done = shrunk(300, "small")
    assert done["after"] is None
    assert done["validation"] == (
        "not measured: train.csv: is not there as the run run read it, so that its validation "
        "texts cannot be found again; give other data with --data"
    )
    certified = [
        json.loads(Path(run, "certificate.json").read_text())["sha256"]["data"]
        for run in ("run", "small")
    ]
    assert certified[0].keys() == {"train", "test"}
    assert certified[0] == certified[1]
    checks = json.loads(ranklet("verify", "small", "--json").stdout)
    states = {check["name"]: check["state"] for check in checks}
    assert (states["train data"], states["test data"]) == ("differs", "ok")


def test_what_is_printed_for_people(workplace: Path, ranklet: Any) -> None:
    answer = ranklet("shrink", "run", "--budget", "200", "--out", "small")
    assert answer.returncode == 0
    lines = answer.stdout.splitlines()
    assert lines[0] == "parameters: 290 before, 194 after"
    assert [line.split()[0] for line in lines[1:]] == [
        "adapted", "kept", "validation:", "before", "after", "folder:",
    ]  # fmt: skip


def test_what_cannot_be_done_is_refused(workplace: Path, is_refused: Any) -> None:
    is_refused(
        f"shrink run --budget {HEAD + UNIT - 1} --out small",
        f"budget: {HEAD + UNIT - 1} parameters hold no adapter beside the {HEAD} of head and "
        f"biases; the smallest budget that works is {HEAD + UNIT}",
    )
    is_refused("shrink run --budget 200 --out run", "run: holds a finished run; choose another")
    is_refused("shrink nowhere --budget 200 --out small", "nowhere: no such folder")
    is_refused("shrink run --budget 0 --out small", "Invalid value for '--budget'")
    is_refused("shrink run --budget 200 --out small --data no.csv", "no.csv: no such file")


def test_trained_biases_stay(workplace: Path, ranklet: Any, shrunk: Any) -> None:
    for bias in ("lora_only", "all"):
        trained = ranklet("train", "recipe.yaml", "--out", bias, "--set", f"adapter.bias={bias}")
        assert trained.returncode == 0
        total = json.loads(Path(bias, "plan.json").read_text())["total"]
        done = shrunk(total - 2 * UNIT, f"{bias}-small", model=bias)
        assert done["parameters"] == [total, total - 2 * UNIT]
        assert ranklet("verify", f"{bias}-small").returncode == 0


@pytest.mark.parametrize("units", [1, 3])
def test_trained_norms_of_layers_stay_where_no_adapter_is_left(
    units: int, workplace: Path, ranklet: Any, shrunk: Any
) -> None:
    options = ("adapter.train_layer_norm=true", "adapter.layers=[0, 1]",
               "adapter.exclude_modules=[layer.1.attention.self.value]")  # fmt: skip
    settings = [word for option in options for word in ("--set", option)]
    assert ranklet("train", "recipe.yaml", "--out", "normed", *settings).returncode == 0
    norms = 2 * 2 * 2 * 16  # two layers with two norms each, weight and bias
    done = shrunk(HEAD + norms + units * UNIT, "small", model="normed")
    assert done["parameters"][1] == HEAD + norms + units * UNIT
    checked = ranklet("verify", "small")
    assert checked.returncode == 0, checked.stdout
    again = ranklet("train", "small/recipe.yaml", "--out", "again")
    assert again.returncode == 0, again.stderr
    twice = shrunk(HEAD + norms + UNIT, "smaller", model="small")
    assert twice["modules"][1] == 1
