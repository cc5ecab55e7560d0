"""Each mode on the shapes of RoBERTa-base: 12 layers, 6 matrices, 165,888 parameters a rank."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from ranklet.errors import BudgetExceededError, RecipeError
from ranklet.recipe import Recipe
from ranklet.recipe.recipe import recipe_hash
from ranklet.workflows.fit_ranks import fit_ranks, frontier
from ranklet.workflows.plan import plan

UNIT = 1536  # a square matrix of 768
HEAD = 3076  # linear, four classes


def recipe(fit: int | None, head: str = "linear", **adapter: Any) -> Recipe:
    return Recipe(
        encoder="roberta-base",
        head=head,
        data={"train": "ag_news"},
        adapter={"fit": fit, **adapter},
    )


def ranks_by_layer(solved: Recipe) -> dict[int, list[int]]:
    layers: dict[int, list[int]] = defaultdict(list)
    for row in plan(solved).rows:
        if row.rank is not None:
            layers[int(row.module.split(".layer.")[1].split(".")[0])].append(row.rank)
    return layers


@pytest.mark.parametrize("budget", [4_612, 50_000, 333_333, 500_000, 998_404, 1_000_000])
@pytest.mark.parametrize("mode", ["uniform", "by_depth"])
def test_the_budget_is_met(mode: str, budget: int) -> None:
    planned = plan(recipe(budget, fit_mode=mode))
    assert planned.budget == budget
    assert 0 <= planned.remaining < UNIT


def test_uniform_is_the_largest_equal_rank_and_spreads_the_rest() -> None:
    exact = plan(recipe(832_516))
    assert {row.rank for row in exact.rows if row.kind == "lora"} == {5}
    assert exact.total == 832_516
    more = ranks_by_layer(fit_ranks(recipe(832_516 + 5 * UNIT + 1)))
    assert {rank for ranks in more.values() for rank in ranks} == {5, 6}
    assert all(set(ranks) == {5} for layer, ranks in more.items() if layer < 10)


def test_by_depth_is_proportional_to_layer_plus_one() -> None:
    layers = ranks_by_layer(fit_ranks(recipe(1_000_000, fit_mode="by_depth")))
    means = [sum(layers.get(layer, [0])) / 6 for layer in range(12)]
    assert means == sorted(means)
    for layer in range(12):
        # Ranks are whole, so each is within one unit of its share (and the fill of a second).
        assert abs(means[layer] - means[11] * (layer + 1) / 12) <= 1.5


def test_what_comes_out_is_a_recipe_as_anybody_could_have_written() -> None:
    solved = fit_ranks(recipe(300_000, alpha_pattern={"layer.11.output.dense": 3.0}))
    assert solved.adapter.fit is None
    assert solved.budget == 300_000
    again = Recipe.model_validate(solved.model_dump())
    assert again == solved
    assert recipe_hash(again) == recipe_hash(solved)
    assert plan(again).rows == plan(solved).rows
    assert fit_ranks(solved) is solved
    assert solved.adapter.alpha_pattern == {"roberta.encoder.layer.11.output.dense": 3.0}


def test_a_unit_that_costs_more_at_first_is_counted() -> None:
    for bias in ("lora_only", "all"):
        planned = plan(recipe(400_000, bias=bias))
        assert planned.total <= 400_000
        # A first unit brings its bias: 768 or 3,072 numbers.
        assert planned.remaining < UNIT + 3072


def test_targets_and_layers_as_written_are_kept() -> None:
    solved = fit_ranks(recipe(100_000, target_modules=("query", "value"), layers=(10, 11)))
    assert {name.rsplit(".", 1)[-1] for name in solved.adapter.target_modules} == {"query", "value"}
    assert set(ranks_by_layer(solved)) == {10, 11}


def test_embeddings_can_be_fitted() -> None:
    targets = ("query", "word_embeddings")
    planned = plan(recipe(400_000, target_modules=targets, fit_mode="by_depth"))
    assert 0 <= planned.remaining < UNIT


def test_a_budget_that_holds_no_adapter_names_the_smallest_that_does() -> None:
    with pytest.raises(BudgetExceededError, match=r"smallest budget that works is 4,612") as raised:
        fit_ranks(recipe(4_611))
    assert (raised.value.total, raised.value.budget) == (4_612, 4_611)
    assert plan(recipe(4_612)).total == 4_612
    with pytest.raises(BudgetExceededError, match=r"595,204, or set adapter.fit_head: cheapest"):
        fit_ranks(recipe(100_000, head="dense"))


def test_the_cheapest_head_leaves_the_budget_to_the_adapters() -> None:
    solved = fit_ranks(recipe(100_000, head="dense", fit_head="cheapest"))
    heads = [row.parameters for row in plan(solved).rows if row.kind == "head"]
    assert sum(heads) == HEAD


def test_of_heads_that_cost_the_same_the_standard_one_is_taken() -> None:
    minilm = recipe(100_000, fit_head="cheapest").model_copy(update={"encoder": "minilm"})
    assert fit_ranks(minilm).head == "dense"


def test_a_mode_that_reads_weights_is_not_planned_silently() -> None:
    with pytest.raises(RecipeError, match=r"fit_ranks\(recipe\)"):
        plan(recipe(100_000, fit_mode="measured"))


@pytest.mark.parametrize(
    ("adapter", "problem"),
    [
        ({"fit": 100, "rank": 4}, "adapter.rank: is chosen by adapter.fit"),
        ({"fit": 100, "rank_pattern": {"query": 4}}, "adapter.rank_pattern: is chosen"),
        ({"fit": 2_000_000}, "above the budget of 1,000,000"),
        ({"fit_head": "cheapest"}, "cheapest needs adapter.fit"),
        (
            {"fit": 100_000, "layers": "10-", "train_layer_norm": True},
            "adapter.train_layer_norm: trains the norms of adapter.layers",
        ),
    ],
)
def test_contradictions(adapter: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Recipe(data={"train": "ag_news"}, adapter=adapter)


def test_without_targets_a_fit_means_all_linear() -> None:
    assert recipe(100_000).adapter.target_modules == "all-linear"
    assert recipe(None).adapter.target_modules == ("query", "value")
    dumped = recipe(100_000).model_dump()
    assert "rank" not in dumped["adapter"]
    assert Recipe.model_validate(dumped) == recipe(100_000)


def test_the_frontier_rises_to_the_recipes_own_budget() -> None:
    rows = frontier(recipe(300_000))
    assert [row.budget for row in rows] == [
        4_612, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 300_000,
    ]  # fmt: skip
    assert all(0 <= row.unused < UNIT and row.parameters + row.unused == row.budget for row in rows)
    assert [row.parameters for row in rows] == sorted(row.parameters for row in rows)
    assert [row.budget for row in frontier(recipe(300_000), [100, 20_000])] == [20_000]
