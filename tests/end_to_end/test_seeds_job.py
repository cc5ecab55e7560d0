"""Several seeds in one command: one run each, one summary, continued where it stopped."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_each_seed_has_its_run_and_all_have_one_summary(ranklet: Command, workplace: Path) -> None:
    done = ranklet("train", "recipe.yaml", "--out", "three", "--seeds", "0..2")
    assert done.returncode == 0, done.stderr
    summary = json.loads(Path("three/seeds.json").read_text())
    assert summary["seeds"] == [0, 1, 2]
    values = []
    for seed in (0, 1, 2):
        run = Path(f"three/seed-{seed}")
        assert f"seed: {seed}\n" in (run / "recipe.yaml").read_text() or seed == 0
        values.append(json.loads((run / "evaluation" / "test.json").read_text())["accuracy"])
    found = summary["figures"]["test"]["accuracy"]
    assert found["values"] == values
    assert found["mean"] == statistics.fmean(values)
    assert f"{found['mean']:.4f}" in done.stdout
    hashes = {
        Path(f"three/seed-{n}/adapter/adapter_model.safetensors").read_bytes() for n in range(3)
    }
    assert len(hashes) == 3


def test_finished_seeds_are_kept_and_missing_ones_trained(
    ranklet: Command, workplace: Path
) -> None:
    command = ("train", "recipe.yaml", "--out", "two", "--seeds", "3,5")
    assert ranklet(*command).returncode == 0
    kept, lost = Path("two/seed-3/report.html"), Path("two/seed-5")
    before = kept.stat().st_mtime_ns
    trained = (lost / "adapter" / "adapter_model.safetensors").read_bytes()
    shutil.rmtree(lost)
    assert ranklet(*command).returncode == 0
    assert kept.stat().st_mtime_ns == before
    assert (lost / "adapter" / "adapter_model.safetensors").read_bytes() == trained


def test_bad_seeds_and_other_recipes_are_refused(ranklet: Command, workplace: Path) -> None:
    for seeds, expected in {
        "1,1": "each once",
        "4..2": "at least one",
        "a": "neither 0..4 nor 0,3,7",
        "-1": "neither 0..4 nor 0,3,7",
        "": "neither 0..4 nor 0,3,7",
    }.items():
        refused = ranklet("train", "recipe.yaml", "--out", "none", f"--seeds={seeds}")
        assert refused.returncode == 2, seeds
        assert expected in refused.stderr
        assert not Path("none").exists()
    refused = ranklet("train", "recipe.yaml", "--out", "run", "--seeds", "0..1")
    assert refused.returncode == 2
    assert "finished run" in refused.stderr
    assert ranklet("train", "recipe.yaml", "--out", "one", "--seeds", "0").returncode == 0
    other = ("--set", "adapter.rank=1")
    refused = ranklet("train", "recipe.yaml", "--out", "one", "--seeds", "0", *other)
    assert refused.returncode == 2
    assert "another recipe" in refused.stderr


def test_the_folder_of_a_single_run_takes_no_seeds(ranklet: Command, workplace: Path) -> None:
    Path("run/certificate.json").unlink()
    before = sorted(map(str, Path("run").rglob("*")))
    refused = ranklet("train", "run/recipe.yaml", "--out", "run", "--seeds", "0")
    assert refused.returncode == 2
    assert "run: holds files that are not an unfinished run's" in refused.stderr
    assert sorted(map(str, Path("run").rglob("*"))) == before
