"""ranklet verify: a run as it was written is confirmed; whatever is changed in it is noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

CHECKS = (
    "certificate", "recipe", "plan", "adapter", "saved tensors", "metrics", "evaluation",
    "other files", "train data", "test data", "encoder", "reloaded model", "probe logits",
    "test figure",
)  # fmt: skip
QUERY = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight"
TENSORS = "run/adapter/adapter_model.safetensors"


@pytest.fixture
def verified(ranklet: Any) -> Callable[..., dict[str, str]]:
    """Verify the run and return the state of each check; the exit code must fit them."""

    def call(*options: str) -> dict[str, str]:
        answer = ranklet("verify", "run", "--json", *options)
        states = {each["name"]: each["state"] for each in json.loads(answer.stdout)}
        assert answer.returncode == ("differs" in states.values()), answer
        assert answer.stderr == ""
        return states

    return call


def differing(states: dict[str, str]) -> set[str]:
    return {name for name, state in states.items() if state == "differs"}


def test_an_untouched_run_is_confirmed(workplace: Path, verified: Any, ranklet: Any) -> None:
    states = verified("--data", "test.csv")
    assert tuple(states) == CHECKS
    assert set(states.values()) == {"ok"}
    assert verified()["test figure"] == "not checked"
    printed = ranklet("verify", "run", "--data", "test.csv")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert len(printed.stdout.splitlines()) == len(CHECKS)


def test_the_certificate_holds_the_hashes_of_the_encoder(workplace: Path) -> None:
    held = json.loads(Path("run/certificate.json").read_text())["sha256"]
    assert set(held) == {"recipe", "adapter", "encoder", "data", "files", "metrics"}
    assert set(held["encoder"]) == {"config.json", "model.safetensors"}


def edit(path: str, change: Callable[[Any], None]) -> None:
    content = json.loads(Path(path).read_text())
    change(content)
    Path(path).write_text(json.dumps(content))


def set_certified(*keys: str, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def replace_text(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new, 1))


CERTIFICATE = "run/certificate.json"
# What is changed, and the checks that must notice it; others may notice it too.
TAMPERED: dict[str, tuple[Callable[[Any], object], set[str]]] = {
    "adapter, much": (
        lambda bench: bench.tensor(TENSORS, QUERY, lambda t: t + 5),
        {"adapter"},
    ),
    "adapter, a little": (
        lambda bench: bench.tensor(TENSORS, QUERY, lambda t: t * (1 + 1e-6)),
        {"adapter"},
    ),
    "head": (
        lambda bench: bench.tensor(
            TENSORS, "base_model.model.classifier.weight", lambda t: torch.zeros_like(t)
        ),
        {"adapter", "probe logits"},
    ),
    "adapter, cut": (lambda bench: bench.cut(TENSORS), {"adapter", "saved tensors"}),
    "alpha": (
        lambda bench: bench.fields("run/adapter/adapter_config.json", lora_alpha=99),
        {"adapter"},
    ),
    "labels": (
        lambda bench: bench.fields("run/adapter/labels.json", labels=["World", "Sports"]),
        {"adapter"},
    ),
    "probes": (lambda bench: bench.remove("run/adapter/probes.json"), {"adapter", "probe logits"}),
    "recipe, a value": (
        lambda _: replace_text("run/recipe.yaml", "seed: 0", "seed: 1"),
        {"recipe"},
    ),
    "recipe, the placement": (
        lambda _: replace_text("run/recipe.yaml", "rank: 2", "rank: 3"),
        {"recipe", "plan"},
    ),
    "recipe, gone": (lambda bench: bench.remove("run/recipe.yaml"), {"recipe", "plan"}),
    "plan, the total": (lambda bench: bench.fields("run/plan.json", total=1), {"plan"}),
    "plan, a row": (
        lambda _: edit("run/plan.json", lambda plan: plan["rows"].pop()),
        {"plan"},
    ),
    "certificate, all counts": (
        lambda bench: bench.fields(CERTIFICATE, planned=7, counted=7, saved=7),
        {"plan", "saved tensors", "reloaded model"},
    ),
    "certificate, one count": (lambda bench: bench.fields(CERTIFICATE, saved=7), {"certificate"}),
    "certificate, the budget": (
        lambda bench: bench.fields(CERTIFICATE, budget=9_999),
        {"certificate"},
    ),
    "certificate, the recipe's hash": (
        lambda _: edit(CERTIFICATE, set_certified("sha256", "recipe", value="0")),
        {"recipe"},
    ),
    "certificate, the encoder's hash": (
        lambda _: edit(CERTIFICATE, set_certified("sha256", "encoder", "config.json", value="0")),
        {"encoder"},
    ),
    "certificate, cut": (lambda bench: bench.cut(CERTIFICATE), {"certificate"}),
    "metric of test": (
        lambda bench: bench.fields("run/evaluation/test.json", accuracy=0.999),
        {"evaluation", "test figure"},
    ),
    "metric of validation": (
        lambda bench: bench.fields("run/evaluation/validation.json", log_loss=0.001),
        {"evaluation"},
    ),
    "metrics": (
        lambda _: replace_text("run/metrics.jsonl", '"accuracy": 0', '"accuracy": 1'),
        {"metrics"},
    ),
    "best validation": (
        lambda bench: bench.fields("run/environment.json", best_validation={"accuracy": 2.0}),
        {"metrics"},
    ),
    "description of the data": (lambda bench: bench.cut("run/data.json"), {"other files"}),
    "environment": (lambda b: b.fields("run/environment.json", steps=99), {"other files"}),
    "report": (lambda bench: bench.put("run/report.html", "another"), {"other files"}),
    "tokenizer": (lambda bench: bench.cut("run/adapter/tokenizer.json"), {"adapter"}),
    "manifest": (lambda bench: bench.put("run/manifest.json", "{}"), {"other files"}),
    "training data": (lambda bench: bench.cut("train.csv"), {"train data"}),
    "encoder": (
        lambda bench: bench.tensor(
            "encoder/model.safetensors",
            "bert.embeddings.word_embeddings.weight",
            lambda t: t * (1 + 1e-6),
        ),
        {"encoder"},
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_changed_file_is_noticed(name: str, bench: Any, verified: Any) -> None:
    change, noticed = TAMPERED[name]
    change(bench)
    assert noticed <= differing(verified("--data", "test.csv"))


def test_a_metric_changed_together_with_its_hash_is_noticed_with_data(
    bench: Any, verified: Any
) -> None:
    from ranklet.files import sha256_file

    def flip(content: Any) -> None:
        """Exchange the predictions of the three rows of one label in a consistent way."""
        content["confusion"][0].reverse()
        hits = sum(row[index] for index, row in enumerate(content["confusion"]))
        content["accuracy"] = hits / content["rows"]

    def certify(name: str) -> None:
        held = sha256_file(Path("run") / name)
        edit(CERTIFICATE, set_certified("sha256", "files", name, value=held))

    edit("run/evaluation/test.json", flip)
    certify("evaluation/test.json")
    assert differing(verified()) == {"evaluation"}, "the predictions of each row say otherwise"
    rows = Path("run/evaluation/test_predictions.csv")
    header, *lines = rows.read_text().splitlines()
    first = json.loads(Path("run/adapter/labels.json").read_text())["labels"][0]
    flipped = [
        f"{line[:-1]}{1 - int(line[-1])}" if line.split(",")[1] == first else line for line in lines
    ]
    rows.write_text("\n".join([header, *flipped]) + "\n")
    certify("evaluation/test_predictions.csv")
    assert not differing(verified())
    assert differing(verified("--data", "test.csv")) == {"test figure"}


def test_what_is_not_here_is_said_to_be_unchecked(bench: Any, verified: Any) -> None:
    bench.remove("train.csv")
    shutil.move("encoder", "elsewhere")
    states = verified()
    assert states["train data"] == "not checked"
    unreachable = ("plan", "encoder", "reloaded model", "probe logits", "test figure")
    assert {states[name] for name in unreachable} == {"not checked"}
    assert not differing(states)
    again = verified("--encoder", "elsewhere", "--data", "test.csv")
    assert {name for name, state in again.items() if state != "ok"} == {"train data"}


def test_a_run_without_the_newer_hashes_is_still_verified(workplace: Path, verified: Any) -> None:
    def older(content: Any) -> None:
        for name in ("encoder", "files", "metrics"):
            del content["sha256"][name]

    edit(CERTIFICATE, older)
    states = verified("--data", "test.csv")
    unchecked = {name for name, state in states.items() if state == "not checked"}
    assert unchecked == {"encoder", "evaluation", "metrics"}
    assert not differing(states)


def test_what_nobody_vouches_for_is_listed(bench: Any, ranklet: Any) -> None:
    bench.put("run/notes.txt", "mine")
    answer = ranklet("verify", "run")
    assert answer.returncode == 0
    (line,) = (line for line in answer.stdout.splitlines() if line.startswith("other files"))
    assert line.endswith("; not covered: notes.txt")
    bench.remove("run/manifest.json")
    assert "not checked  there is no manifest.json; not" in ranklet("verify", "run").stdout


def test_every_file_of_a_new_run_is_covered(
    made_once: Path, ranklet: Any, monkeypatch: Any
) -> None:
    from ranklet.run.certificate import uncovered_files
    from ranklet.run.folder import Run

    monkeypatch.chdir(made_once)
    assert uncovered_files(Run(Path("run"))) == ["local.json"]
    for path in (Path("run/report.html"), next(Path("run/figures").glob("*.svg"))):
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        answer = ranklet("verify", "run")
        path.write_bytes(before)
        assert answer.returncode == 1
        assert str(path.relative_to("run")) in answer.stdout


def test_what_is_no_run_is_refused_in_one_line(bench: Any, is_refused: Any) -> None:
    is_refused("verify nowhere", "nowhere: no such folder; name the folder of a run")
    is_refused(
        "verify encoder",
        "encoder: holds no run (there is no certificate.json); name the folder of a finished run",
    )
    is_refused("verify run/adapter", "run/adapter: holds no run")
    is_refused("verify run --data nothing.csv", "nothing.csv: no such file")
    bench.remove("run/certificate.json")
    is_refused("verify run", "run: holds .. name the folder of a finished run")
