"""The earlier systems' recipes: published totals to the digit, published settings, no network."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ranklet.recipe import builtin_names, load_recipe
from ranklet.recipe.builtin import read_builtin
from ranklet.workflows.plan import plan

# Recipe, total, and what its source states of the training. The total of the second system is not
# published: it is that of the placement that stands in for its own.
SYSTEMS: dict[str, tuple[int, dict[str, Any]]] = {
    "ag_news_embeddings": (
        950_384,
        {"epochs": 3, "batch_size": 64, "learning_rate": 1e-4, "warmup_steps": 500},
    ),
    "ag_news_qv_batch128": (
        888_580,
        {"epochs": 4, "batch_size": 128, "learning_rate": 5e-4, "schedule": "cosine"},
    ),
    "ag_news_qv_r10": (
        962_308,
        {"learning_rate": 3.99e-4, "batch_size": 32, "gradient_accumulation_steps": 4},
    ),
    "ag_news_qv_r8": (888_580, {"epochs": 5}),
    "ag_news_distilled": (888_580, {"epochs": 5}),
    "ag_news_qkv_r6": (925_444, {"epochs": 5}),
    "ag_news_qkv_r4": (814_852, {"epochs": 5}),
    "ag_news_few_matrices": (
        796_420,
        {
            "epochs": 5,
            "batch_size": 16,
            "gradient_accumulation_steps": 2,
            "learning_rate": 3e-5,
            "weight_decay": 0.1,
            "schedule": "cosine",
            "warmup_ratio": 0.15,
        },
    ),
    "ag_news_qkv_r4_alpha96": (
        814_852,
        {
            "epochs": 25,
            "batch_size": 48,
            "gradient_accumulation_steps": 2,
            "learning_rate": 1e-4,
            "weight_decay": 0.005,
            "label_smoothing": 0.05,
            "warmup_ratio": 0.15,
        },
    ),
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a plan opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_plan_is_the_published_total_to_the_digit(name: str) -> None:
    total, training = SYSTEMS[name]
    recipe = load_recipe(name)
    assert plan(recipe).total == total
    assert {field: getattr(recipe.training, field) for field in training} == training
    assert f"{total:,} parameters." in read_builtin(name).splitlines()[0]


@pytest.mark.parametrize("name", SYSTEMS)
def test_another_rank_would_be_noticed(name: str) -> None:
    total, _ = SYSTEMS[name]
    recipe = load_recipe(name)
    changed = load_recipe(name, [f"adapter.rank={recipe.adapter.rank + 1}", "budget=2_000_000"])
    assert plan(changed).total != total


def test_every_built_in_recipe_for_ag_news_is_listed_here() -> None:
    ours = {"ag_news", "ag_news_best", "ag_news_search", "default", "quickstart"}
    assert set(builtin_names()) - ours == SYSTEMS.keys()


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_comment_names_source_figures_and_changes(name: str) -> None:
    text = read_builtin(name)
    assert all(word in text for word in ("# Source:", "Published:", "# Changed:", " %"))


@pytest.mark.parametrize("name", [*SYSTEMS, "ag_news_best"])
def test_test_rows_choose_nothing(name: str) -> None:
    data = load_recipe(name).data
    assert isinstance(data.validation, int)
    assert data.duplicates == "drop"


def test_our_best_fits_and_is_today_the_recipe_ag_news() -> None:
    best = load_recipe("ag_news_best")
    assert plan(best).total == 998_404 <= best.budget
    assert best == load_recipe("ag_news")
