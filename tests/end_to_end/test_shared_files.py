"""What people share says nothing of whose machine it was made on, and the machine finds its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ranklet as library
from ranklet import hub
from ranklet.errors import WeightsError

HOME = "alice's files"


@pytest.fixture
def run(made_once: Path, tmp_path: Path, ranklet: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of files that are named by whole paths outside the working folder."""
    home = tmp_path / HOME
    shutil.copytree(made_once, home)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    options = {
        "encoder": home / "encoder",
        "data.train": home / "train.csv",
        "data.test": home / "test.csv",
        "distillation.teacher": f'["{home}/run/adapter", "{home}/run"]',
    }
    settings = [word for key, path in options.items() for word in ("--set", f"{key}={path}")]
    out = str(home / "my $run")
    answer = ranklet("train", str(home / "recipe.yaml"), "--out", out, *settings)
    assert answer.returncode == 0, answer.stderr
    return Path(out)


def files_that_name(name: str, folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name for path in files if name.encode() in path.read_bytes()}


def test_only_one_file_names_the_machine(run: Path, ranklet: Any) -> None:
    assert files_that_name("alice", run) == {"local.json"}
    report = (run / "report.html").read_text()
    assert "ranklet train &#39;my $run/recipe.yaml&#39;" in report
    config = json.loads((run / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "./encoder"
    assert (run / "recipe.yaml").read_text().startswith('encoder: "./encoder"\n')
    assert ranklet("verify", str(run)).returncode == 0
    smaller = ranklet("shrink", str(run), "--budget", "400", "--out", str(run.parent / "small"))
    assert smaller.returncode == 0, smaller.stderr
    assert files_that_name("alice", run.parent / "small") == {"local.json"}


def test_the_machine_finds_its_own_files(run: Path, ranklet: Any) -> None:
    for command in (
        ["evaluate", str(run)],
        ["classify", str(run), "the team"],
        ["classify", str(run / "adapter"), "the team"],
        ["train", str(run / "recipe.yaml"), "--out", "again"],
    ):
        answer = ranklet(*command)
        assert answer.returncode == 0, answer.stderr
    first, again = ((folder / "adapter/adapter_model.safetensors").read_bytes()
                    for folder in (run, Path("again")))  # fmt: skip
    assert first == again


def test_a_classifier_saved_elsewhere_finds_its_encoder(run: Path, tmp_path: Path) -> None:
    library.load(run).save(tmp_path / "copy")
    assert files_that_name("alice", tmp_path / "copy") == {"local.json"}
    library.load(tmp_path / "copy")
    (tmp_path / "copy" / "local.json").unlink()
    with pytest.raises(WeightsError, match=r"'\./encoder': no such folder"):
        library.load(tmp_path / "copy")
    library.load(tmp_path / "copy", encoder=str(run.parent / "encoder"))


def test_a_bare_adapter_that_is_cut_finds_its_encoder(run: Path, ranklet: Any) -> None:
    shutil.copytree(run / "adapter", "bare")
    cut = ["shrink", "bare", "--budget", "200", "--out", "cut"]
    answer = ranklet(*cut, "--encoder", str(run.parent / "encoder"))
    assert answer.returncode == 0, answer.stderr
    assert files_that_name("alice", Path("cut")) == {"local.json"}
    assert ranklet("classify", "cut", "the team").returncode == 0


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(hub, "_cached_snapshot", refuse)
    monkeypatch.setattr(hub, "_require_network", refuse)


@pytest.mark.usefixtures("no_hub")
def test_a_relative_encoder_is_found_from_elsewhere_and_never_on_the_hub(
    workplace: Path, ranklet: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = ("--set", "encoder=encoder")
    assert ranklet("train", "recipe.yaml", "--out", "mine", *options).returncode == 0
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    for name in ("mine", "mine/adapter"):
        answer = ranklet("classify", str(workplace / name), "the team")
        assert answer.returncode == 0, answer.stderr
    assert ranklet("evaluate", str(workplace / "mine")).returncode == 0
    shutil.move(workplace / "encoder", tmp_path / "moved")
    answer = ranklet("classify", str(workplace / "mine"), "the team")
    assert answer.returncode == 2
    assert "encoder './encoder': no such folder" in answer.stderr


def test_a_broken_local_file_is_as_good_as_none(workplace: Path, bench: Any, ranklet: Any) -> None:
    for content in ("", "[]", '{"encoder": 3}', '{"encoder": {"./encoder": 3}}', "[" * 10_000):
        bench.put("run/local.json", content)
        assert ranklet("evaluate", "run").returncode == 0


def test_another_folder_of_the_name_does_not_answer(
    workplace: Path, ranklet: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    write_other_encoder: Callable[[Path], None],
) -> None:  # fmt: skip
    """The whole path wins over what lies in the working folder; the sums refuse the other."""
    assert ranklet("train", "recipe.yaml", "--out", "mine").returncode == 0
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    write_other_encoder(place / "encoder")
    assert ranklet("classify", str(workplace / "mine"), "the team").returncode == 0
    (workplace / "mine/local.json").unlink()
    answer = ranklet("classify", str(workplace / "mine"), "the team")
    assert answer.returncode == 2
    assert "encoder './encoder' has not the files that the classifier was trained on" in (
        answer.stderr
    )


@pytest.fixture
def write_other_encoder(made_once: Path) -> Callable[[Path], None]:
    from safetensors.torch import load_file, save_file

    def write(folder: Path) -> None:
        shutil.copytree(made_once / "encoder", folder)
        path = folder / "model.safetensors"
        save_file({name: 2 * tensor for name, tensor in load_file(path).items()}, path)

    return write
