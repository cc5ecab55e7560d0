"""Where the trained parameters are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import Drawing, Numbers, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ranklet.budget.plan import ParameterPlan, PlanRow

OTHERS = "others"


def budget_figures(plan: ParameterPlan) -> dict[str, Drawing]:
    """Prepare the figure of a plan, by name; none where nothing is trained."""
    return {"trained_parameters": trained_parameters(plan)} if plan.total else {}


def trained_parameters(plan: ParameterPlan) -> Drawing:
    """Show the trained parameters of every layer and of the head by module.

    Of more than 6 modules of one name the 5 with the most parameters have a colour of their own.
    """
    from ranklet.budget.plan import rows_by_layer  # brings torch

    layers = rows_by_layer(plan)
    parts = sorted({_part(row) for row in plan.rows})
    names = _short_names(parts)
    totals = {
        name: sum(row.parameters for row in plan.rows if names[_part(row)] == name)
        for name in dict.fromkeys(names.values())
    }
    shown = sorted(totals, key=lambda name: -totals[name])
    if len(shown) > len(style.COLOURS):
        shown = [*shown[: len(style.COLOURS) - 1], OTHERS]
    series = tuple(
        Series(
            name,
            {
                "parameters": [
                    sum(row.parameters for row in rows if _shown_name(row, names, shown) == name)
                    for rows in layers.values()
                ]
            },
        )
        for name in shown
    )
    title = f"Trained parameters: {plan.total:,} of {plan.budget:,}"
    marks = {"total": plan.total, "budget": plan.budget}
    units = {"parameters": "parameters"}
    return Drawing(Numbers(title, units, series, tuple(layers), marks), _draw)


def _part(row: PlanRow) -> str:
    """Return what a module is called in every layer, and what of it trains if not adapter or head.

    `roberta.encoder.layer.3.attention.self.query` is `attention.self.query`.
    """
    parts = row.module.split(".")
    numbers = [place for place, part in enumerate(parts[:-1]) if part.isdigit()]
    name = ".".join(parts[numbers[-1] + 1 :]) if numbers else row.module
    return name if row.kind in ("lora", "head") else f"{name} {row.kind}"


def _short_names(parts: Sequence[str]) -> dict[str, str]:
    """Shorten dotted names to as few of their last words as tell them apart."""

    def endings(part: str) -> list[str]:
        words = part.split(".")
        return [".".join(words[place:]) for place in reversed(range(len(words)))]

    return {
        part: next(
            (
                ending
                for ending in endings(part)
                if not any(other != part and ending in endings(other) for other in parts)
            ),
            part,
        )
        for part in parts
    }


def _shown_name(row: PlanRow, names: dict[str, str], shown: Sequence[str]) -> str:
    name = names[_part(row)]
    return name if name in shown else OTHERS


def _draw(numbers: Numbers) -> Figure:
    places = np.arange(len(numbers.categories))
    names = [series.name for series in numbers.series]
    ncols = len(names) if len("".join(names)) + 5 * len(names) < 50 else 2
    rows = -(-len(names) // ncols)
    height = 1.1 + 0.24 * len(places) + 0.2 * rows
    figure, axes = style.panel(numbers.title, xlabel="parameters", height=height)
    left = np.zeros(len(places))
    artists = []
    for series, colour in zip(numbers.series, style.COLOURS, strict=False):
        widths = np.array(series.columns["parameters"])
        artists.append(
            axes.barh(places, widths, 0.74, left, color=colour, edgecolor="white", linewidth=0.6)
        )
        left = left + widths
    style.name_bars(axes, numbers.categories)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=5)
    style.legend_below(figure, artists, names, ncols)
    return figure
