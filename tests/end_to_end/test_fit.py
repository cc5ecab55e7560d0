"""A budget in place of ranks, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ranklet as library

Command = Callable[..., Any]

# The tiny encoder is 16 wide: a unit of rank costs 32 on a square matrix, 40 on the others, and the
# head for two labels takes 34.
HEAD, CHEAPEST = 34, 32
ALL = ("--set", "adapter.target_modules=all-linear")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("mode", ["uniform", "by_depth", "measured"])
@pytest.mark.parametrize("budget", [HEAD + CHEAPEST, 300, 1_000, 5_000])
def test_plan_fits_a_budget(workplace: Path, ranklet: Command, mode: str, budget: int) -> None:
    done = ranklet(
        "plan", "recipe.yaml", *ALL, "--set", f"adapter.fit_mode={mode}", "--fit", str(budget),
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["budget"] == budget
    assert plan["total"] <= budget
    # 16 is the largest rank of these matrices: 2 layers of 208 parameters a rank, all full.
    assert plan["remaining"] < CHEAPEST or plan["total"] == HEAD + 2 * 208 * 16


def test_the_frontier_is_a_table_or_json(workplace: Path, ranklet: Command) -> None:
    table = ranklet("plan", "recipe.yaml", *ALL, "--frontier").stdout.splitlines()
    rows = json.loads(ranklet("plan", "recipe.yaml", *ALL, "--frontier", "--json").stdout)
    assert table[0].split() == ["budget", "head", "modules", "ranks", "parameters", "unused"]
    assert len(table) == 1 + len(rows)
    assert rows[0]["budget"] == rows[0]["parameters"] == HEAD + CHEAPEST
    assert rows[-1]["budget"] == 10_000
    fitted = ranklet("plan", "recipe.yaml", *ALL, "--frontier", "--fit", "500", "--json").stdout
    assert json.loads(fitted)[-1]["budget"] == 500


def test_one_line_names_the_smallest_budget_that_works(workplace: Path, ranklet: Command) -> None:
    for command in ("plan", "train"):
        done = ranklet(command, "recipe.yaml", "--set", "adapter.fit=40")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert f"the smallest budget that works is {HEAD + CHEAPEST}" in done.stderr
    assert ranklet("plan", "recipe.yaml", "--frontier", "--fit", "40").returncode == 2
    assert ranklet("plan", "recipe.yaml", "--fit", "0").returncode == 2


@pytest.mark.parametrize("mode", ["uniform", "measured"])
def test_a_training_states_the_ranks_it_was_given(
    workplace: Path, ranklet: Command, mode: str
) -> None:
    done = ranklet(
        "train", "recipe.yaml", "--out", "fitted", *ALL, "--set", "adapter.fit=500",
        "--set", f"adapter.fit_mode={mode}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"fit: {mode}, " in done.stderr
    run = library.Run(workplace / "fitted")
    plan, certificate = read_json(run.plan), read_json(run.certificate)
    assert plan["budget"] == certificate["budget"] == 500
    assert 500 - CHEAPEST < plan["total"] <= 500
    assert {certificate[name] for name in ("planned", "counted", "saved")} == {plan["total"]}

    planned = {row["module"]: row["rank"] for row in plan["rows"] if row["rank"] is not None}
    resolved = library.load_recipe(run.recipe)
    assert resolved.adapter.fit is None
    assert set(resolved.adapter.target_modules) == set(planned)
    assert library.plan(resolved).to_json() == plan
    config = read_json(run.adapter / "adapter_config.json")
    assert {name: config["rank_pattern"].get(name, config["r"]) for name in planned} == planned
    assert set(config["target_modules"]) == set(planned)
    assert config["alpha_pattern"] == {}
    assert library.load(run.folder, precision="float32").predict(["the goal"])

    again = ranklet("train", str(run.recipe), "--out", "again")
    assert again.returncode == 0, again.stderr
    ours, theirs = (
        workplace / out / "adapter" / "adapter_model.safetensors" for out in ("fitted", "again")
    )
    assert ours.read_bytes() == theirs.read_bytes()


def test_measured_is_the_same_for_a_seed(workplace: Path, ranklet: Command) -> None:
    asked = ("plan", "recipe.yaml", *ALL, "--set", "adapter.fit_mode=measured", "--fit", "400")
    assert ranklet(*asked).stdout == ranklet(*asked).stdout


def test_measured_scores_linear_maps_only(workplace: Path, ranklet: Command) -> None:
    done = ranklet(
        "plan", "recipe.yaml", "--fit", "2000", "--set", "adapter.fit_mode=measured",
        "--set", "adapter.target_modules=[query, word_embeddings]",
    )  # fmt: skip
    assert done.returncode == 2
    assert "bert.embeddings.word_embeddings is none" in done.stderr


def test_an_override_takes_the_ranks_out_of_the_file(workplace: Path, ranklet: Command) -> None:
    shown = ranklet("recipes", "show", "recipe.yaml", "--set", "adapter.fit=900").stdout
    assert "fit: 900" in shown
    assert "  rank:" not in shown
    (workplace / "shown.yaml").write_text(shown, encoding="utf-8")
    assert ranklet("recipes", "show", "shown.yaml").stdout == shown
