"""Published totals of RoBERTa-base with 4 classes, to the digit, from shapes alone."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ranklet.budget.plan import check_counted, enforce_budget, rows_by_layer
from ranklet.errors import BudgetExceededError, ParityError
from ranklet.recipe import Recipe
from ranklet.workflows.plan import plan

Q, K, V = "query", "key", "value"
# Sources: DESIGN of the project and the earlier systems' own descriptions.
PUBLISHED: dict[int, dict[str, Any]] = {
    630_532: {"rank": 1, "target_modules": (Q, V)},
    667_396: {"rank": 2, "target_modules": (Q, V)},
    704_260: {"rank": 3, "target_modules": (Q, V)},
    796_420: {
        "rank": 12,
        "target_modules": (
            *(f"layer.0.attention.self.{name}" for name in (Q, K, V)),
            *(f"layer.{layer}.attention.self.query" for layer in (1, 5, 10)),
            *(f"layer.{layer}.output.dense" for layer in (10, 11)),
        ),
    },
    814_852: {"rank": 4, "target_modules": (Q, K, V)},
    888_580: {"rank": 8, "target_modules": (Q, V)},
    916_996: {"rank": 4, "target_modules": (Q, K, V), "bias": "all"},
    925_444: {"rank": 6, "target_modules": (Q, K, V)},
    950_384: {"rank": 4, "target_modules": (Q, V, "word_embeddings", "position_embeddings")},
    962_308: {"rank": 10, "target_modules": (Q, V)},
    999_172: {"rank": 11, "target_modules": (Q, V)},
}


def recipe(adapter: dict[str, Any], **fields: Any) -> Recipe:
    return Recipe(encoder="roberta-base", data={"train": "ag_news"}, adapter=adapter, **fields)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a plan opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize(("total", "adapter"), PUBLISHED.items(), ids=map(str, PUBLISHED))
def test_published_totals(total: int, adapter: dict[str, Any]) -> None:
    assert plan(recipe(adapter)).total == total


def test_head_and_ranks_cost_what_the_design_says() -> None:
    assert plan(recipe({"rank": 2, "target_modules": "all-linear"})).total == 925_444
    linear = plan(recipe({"rank": 6, "target_modules": "all-linear"}, head="linear"))
    assert linear.total == 998_404
    lora_only = plan(recipe({"rank": 1, "target_modules": (Q,), "bias": "lora_only"}))
    assert lora_only.total == 593_668 + 12 * (1536 + 768)


def test_dora_norms_and_exclusions_cost_what_peft_counts() -> None:
    # 24 adapted maps with 768 outputs; 25 norms of 768, each with a bias.
    assert plan(recipe({"rank": 8, "use_dora": True})).total == 888_580 + 24 * 768
    assert plan(recipe({"rank": 8, "train_layer_norm": True})).total == 888_580 + 25 * 2 * 768
    norms_of_two = {"rank": 8, "layers": "10-", "train_layer_norm": True}
    assert plan(recipe(norms_of_two)).total == 593_668 + 4 * 12_288 + 4 * 2 * 768
    biases = plan(recipe({"rank": 4, "target_modules": (Q, K, V), "bias": "all"})).total
    both = recipe({"rank": 4, "target_modules": (Q, K, V), "bias": "all", "train_layer_norm": True})
    assert plan(both).total == biases + 25 * 768
    assert plan(recipe({"exclude_modules": ("layer.0-5",)})).total == 593_668 + 12 * 12_288
    for init in ("pissa", "olora", "eva"):
        assert plan(recipe({"rank": 8, "init": init})).total == 888_580


# Encoder, adapter, head and total: rank x (in + out) of each module by hand, and the head.
OTHER_FAMILIES: list[tuple[str, dict[str, Any], str, int]] = [
    # 12 maps of 768 x 768 at rank 8; pre_classifier 590,592 and classifier 3,076.
    (
        "distilbert-base-uncased",
        {"rank": 8, "target_modules": ("q_lin", "v_lin")},
        "dense",
        741_124,
    ),
    ("distilbert-base-uncased", {"rank": 1, "target_modules": "all-linear"}, "linear", 86_020),
    # 24 maps of 256 x 256 at rank 8; dense 65,792 and out_proj 1,028.
    ("google/electra-small-discriminator", {"rank": 8}, "dense", 165_124),
    ("google/electra-base-discriminator", {"rank": 8}, "dense", 888_580),
    # Wqkv is 768 x 2,304, Wi 768 x 2,304, the two Wo 768 x 768 and 1,152 x 768; 22 layers.
    ("answerdotai/ModernBERT-base", {"rank": 8, "target_modules": ("Wqkv",)}, "dense", 543_748),
    ("answerdotai/ModernBERT-base", {"rank": 1, "target_modules": "all-linear"}, "dense", 214_276),
    ("answerdotai/ModernBERT-large", {"rank": 4, "target_modules": ("Wqkv",)}, "linear", 462_852),
]


@pytest.mark.parametrize(("encoder", "adapter", "head", "total"), OTHER_FAMILIES)
def test_totals_of_other_families(
    encoder: str, adapter: dict[str, Any], head: Any, total: int
) -> None:
    data: Any = {"train": "ag_news"}
    assert plan(Recipe(encoder=encoder, data=data, adapter=adapter, head=head)).total == total


def test_over_budget_names_the_rank_that_fits() -> None:
    over = plan(recipe({"rank": 8, "target_modules": (Q, K, V)}))
    with pytest.raises(BudgetExceededError, match=r"rank 7 .* fits \(980,740\)") as caught:
        enforce_budget(over)
    assert (caught.value.total, caught.value.budget) == (1_036_036, 1_000_000)
    enforce_budget(plan(recipe({"rank": 7, "target_modules": (Q, K, V)})))


def test_a_budget_below_the_head_says_so() -> None:
    with pytest.raises(BudgetExceededError, match="not even rank 1"):
        enforce_budget(plan(recipe({"rank": 1}, budget=500_000)))


def test_a_count_that_differs_stops_the_run() -> None:
    counted = plan(recipe({"rank": 1}))
    check_counted(counted, counted.total, "here")
    with pytest.raises(ParityError, match="planned"):
        check_counted(counted, counted.total + 1, "here")


def test_the_tree_names_every_row_once_by_layer() -> None:
    counted = plan(recipe({"layers": "2-3", "target_modules": (Q, V), "bias": "all"}))
    groups = rows_by_layer(counted)
    assert next(iter(groups)) == "outside the layers"
    assert list(groups)[-1] == "head"
    assert [row.rank for row in groups["layer 2"] if row.kind == "lora"] == [8, 8]
    assert sorted(map(id, counted.rows)) == sorted(id(row) for g in groups.values() for row in g)


def test_json_has_total_budget_and_rows_at_its_top() -> None:
    content = plan(recipe({"rank": 7, "target_modules": (Q, K, V)})).to_json()
    assert (content["total"], content["budget"], content["remaining"]) == (
        980_740,
        1_000_000,
        19_260,
    )
    assert sum(row["parameters"] for row in content["rows"]) == content["total"]


def test_a_plan_may_use_the_whole_budget() -> None:
    adapter = {"rank": 7, "target_modules": (Q, K, V)}
    enforce_budget(plan(recipe(adapter, budget=980_740)))
    with pytest.raises(BudgetExceededError, match="980,740 parameters, 1 over the budget"):
        enforce_budget(plan(recipe(adapter, budget=980_739)))
