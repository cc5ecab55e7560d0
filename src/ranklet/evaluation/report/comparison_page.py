"""The page of a comparison: one HTML file with its verdicts, tables, curves and agreement."""

from __future__ import annotations

from collections.abc import Sequence

from ranklet.evaluation.comparison.verdicts import (
    Comparison,
    Entry,
    Pair,
    choice_in_words,
    p_in_words,
    points,
)
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.figures.comparison import RunCurves, comparison_figures
from ranklet.evaluation.report.figures.drawing import figure_svg
from ranklet.evaluation.report.page import Cell, ReportFigure, Table, inline_figures, render_page
from ranklet.evaluation.report.tables import with_interval
from ranklet.evaluation.wording import between, digits_for, duration, or_dash, percent

_CURVES = ("validation_accuracy", "validation_loss", "training_loss", "coverage")
_CAPTIONS = {
    "differences": "What the first has over the second, with its 95 % interval. A filled blue dot"
    " is a real difference, a hollow grey one is noise.",
    "validation_accuracy": "Share of the validation rows predicted right, by epoch.",
    "validation_loss": "Mean loss of the validation rows, by epoch.",
    "training_loss": "Loss of the training batches, neighbouring steps averaged.",
    "coverage": "Accuracy if only the surest rows are answered: all of them on the left, the surest"
    " fifth on the right.",
    "agreement": "Share of rows that two runs answer alike, right or wrong; darker is more.",
}


def render_comparison(comparison: Comparison, curves: Sequence[RunCurves]) -> str:
    """Render a comparison as one self-contained HTML page.

    Args:
        comparison: What was found.
        curves: What is drawn of each run.

    Returns:
        HTML that loads nothing from anywhere; names of runs and values of recipes are escaped.
    """
    figures = inline_figures(
        {
            name: ReportFigure(figure_svg(drawing), _CAPTIONS[name])
            for name, drawing in comparison_figures(comparison, curves).items()
        }
    )
    best = max(comparison.entries, key=lambda entry: entry.accuracy.value)
    decimals = digits_for(comparison.rows)
    return render_page(
        "comparison.html.jinja",
        comparison=comparison,
        best=best,
        digits=decimals,
        real=sum(pair.verdict == "real" for pair in comparison.pairs),
        entries=_entry_table(comparison, decimals),
        pairs=_pair_table(comparison.pairs),
        figures=figures,
        curves=[figures[name] for name in _CURVES if name in figures],
        agreement=_agreement_table(comparison),
        estimates=_estimate_table(comparison) if comparison.estimates else None,
        choice=choice_in_words(comparison.estimates) if comparison.estimates else "",
    )


def _entry_table(comparison: Comparison, decimals: int) -> Table:
    fields = tuple(dict.fromkeys(name for entry in comparison.entries for name in entry.fields))
    columns = [comparison.accuracy_name, "macro F1", "parameters", "training", *fields]
    rows = [_entry_row(entry, fields, decimals) for entry in comparison.entries]
    caption = "Runs, and the fields in which their recipes differ"
    # Values of recipes are words or figures; words read from the left.
    return Table(caption, ["run", *columns], rows, range(5, 5 + len(fields)), sorts=True)


def _entry_row(entry: Entry, fields: Sequence[str], decimals: int) -> list[Cell]:
    seeds = len(entry.seeds)

    return [
        entry.name if seeds == 1 else (entry.name, f"{seeds} seeds: mean, interval over seeds"),
        with_interval(entry.accuracy, decimals),
        with_interval(entry.f1_macro, decimals),
        f"{entry.parameters:,}",
        or_dash(duration, entry.seconds),
        *(entry.fields.get(name, "") for name in fields),
    ]


def _pair_table(pairs: Sequence[Pair]) -> Table:
    corrected = ", corrected" if len(pairs) > 1 else ""
    columns = ["pair", "verdict", "accuracy, points", "macro F1, points", f"p{corrected}"]
    rows: list[list[Cell]] = []
    for pair in pairs:
        found = pair.difference

        def shown(metric: Metric, rows: int = found.rows) -> Cell:
            low, high = (points(bound, rows) for bound in metric.interval)
            return points(metric.value, rows), f"{low} to {high}"

        about = (
            ""
            if found.only_right is None
            else "only one right: {:,} / {:,}".format(*found.only_right)
        )
        rows.append(
            [
                (
                    f"{pair.first} \N{MINUS SIGN} {pair.second}",
                    about or f"seeds: {found.seeds[0]} / {found.seeds[1]}",
                ),
                pair.verdict,
                shown(found.accuracy),
                shown(found.f1_macro),
                p_in_words(pair.p).removeprefix("p = ").removeprefix("p "),
            ]
        )
    return Table("Differences, with 95 % intervals", columns, rows, (1,), sorts=True)


def _estimate_table(comparison: Comparison) -> Table:
    rows = [
        (
            name,
            percent(found.accuracy),
            between(found.interval),
            f"{found.rows:,}",
            found.warning or "",
        )
        for name, found in comparison.estimates.items()
    ]
    columns = ["run", "expected accuracy", "95 % interval", "texts", "warning"]
    return Table("Accuracy to expect on the texts without labels", columns, rows, (4,), sorts=True)


def _agreement_table(comparison: Comparison) -> Table:
    """Lay out agreement, and below it the kappa of the errors."""
    rows: list[list[Cell]] = []
    for name, shares, kappas in zip(
        comparison.runs, comparison.agreement, comparison.error_agreement, strict=True
    ):
        cells: list[Cell] = [
            "\N{EN DASH}" if share is None or kappa is None else (percent(share), f"{kappa:.2f}")
            for share, kappa in zip(shares, kappas, strict=True)
        ]
        rows.append([name, *cells])
    caption = "Rows answered alike, and Cohen's kappa of which rows are answered right"
    return Table(caption, ["run", *comparison.runs], rows)
