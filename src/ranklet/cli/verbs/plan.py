"""ranklet plan: the verb, the table of the trained modules, and that of the budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_json, print_rich, print_table

if TYPE_CHECKING:
    from ranklet.budget.plan import ParameterPlan
    from ranklet.workflows.fit_ranks import FrontierRow


def plan(
    recipe: options.RecipeArgument,
    set_: options.SetOption = None,
    fit: Annotated[
        int | None,
        typer.Option(metavar="BUDGET", min=1, help="Choose the ranks so that they fit a budget."),
    ] = None,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Show what each of a series of budgets buys.")
    ] = False,
    tree: Annotated[
        bool, typer.Option("--tree", help="Name every module by layer, with rank and alpha.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Count what a recipe would train; only adapter.fit_mode measured reads data and weights."""
    from ranklet.budget.plan import enforce_budget
    from ranklet.recipe import load_recipe
    from ranklet.workflows.plan import plan

    to_fit = [] if fit is None else [f"budget={fit}", f"adapter.fit={fit}"]
    resolved = load_recipe(recipe, [*(set_ or []), *to_fit])
    if frontier and resolved.adapter.fit is None:
        # Read again, so that it has the placement of a recipe with a budget to fit.
        resolved = load_recipe(recipe, [*(set_ or []), f"adapter.fit={resolved.budget}"])
    if frontier or resolved.adapter.fit_mode == "measured":
        from ranklet.workflows import fit_ranks  # heavier than a plan from shapes

        if frontier:
            rows = fit_ranks.frontier(resolved)
            if json:
                print_json([asdict(row) for row in rows])
            else:
                print_frontier(rows)
            return
        resolved = fit_ranks.fit_ranks(resolved)
    counted = plan(resolved)
    if json:
        print_json(counted.to_json())
    elif tree:
        print_plan_tree(counted)
    else:
        print_plan(counted)
    enforce_budget(counted)


def print_plan(plan: ParameterPlan) -> None:
    """Print the rows of a plan and its total against the budget."""
    from ranklet.evaluation.report.table import Cell, Table

    rows: list[list[Cell]] = [
        [
            row.module,
            row.kind,
            row.rank,
            f"{row.shape[0]} x {row.shape[1]}",
            row.parameters,
        ]
        for row in plan.rows
    ]
    sums = {"total": plan.total, "budget": plan.budget, "remaining": plan.remaining}
    rows += [[name, "", None, "", parameters] for name, parameters in sums.items()]
    print_table(Table("", ["module", "kind", "rank", "shape", "parameters"], rows, texts=(1,)))


def print_plan_tree(plan: ParameterPlan) -> None:
    """Print every trained module by layer, with its rank, alpha and cost."""
    from rich.tree import Tree

    from ranklet.budget.plan import rows_by_layer

    budget = f"of {plan.budget:,}, remaining {plan.remaining:,}"
    tree = Tree(f"total {plan.total:,} {budget}", highlight=False)
    for name, rows in rows_by_layer(plan).items():
        branch = tree.add(f"{name}: {sum(row.parameters for row in rows):,}")
        for row in rows:
            adapter = "" if row.rank is None else f" rank {row.rank} alpha {row.alpha:g}"
            branch.add(f"{row.module}  {row.kind}{adapter}: {row.parameters:,}")
    print_rich(tree)


def print_frontier(rows: Sequence[FrontierRow]) -> None:
    """Print what each budget buys."""
    from ranklet.evaluation.report.table import Cell, Table

    cells: list[list[Cell]] = [
        [
            row.budget,
            row.head,
            row.modules,
            _range(row.lowest_rank, row.highest_rank),
            row.parameters,
            row.unused,
        ]
        for row in rows
    ]
    columns = ["budget", "head", "modules", "ranks", "parameters", "unused"]
    print_table(Table("", columns, cells, texts=(1,)))


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"
