"""The page of a comparison: one HTML file with its verdicts, tables, curves and agreement."""

from __future__ import annotations

from collections.abc import Sequence

from ranklet.evaluation.comparison.verdicts import Comparison, choice_in_words
from ranklet.evaluation.report.comparison_tables import (
    agreement_table,
    entry_table,
    estimate_table,
    pair_table,
)
from ranklet.evaluation.report.figures.comparison import RunCurves, comparison_figures
from ranklet.evaluation.report.figures.drawing import figure_svg
from ranklet.evaluation.report.page import ReportFigure, inline_figures, render_page
from ranklet.evaluation.wording import digits_for

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
    return render_page(
        "comparison.html.jinja",
        comparison=comparison,
        best=best,
        digits=digits_for(comparison.rows),
        real=sum(pair.verdict != "noise" for pair in comparison.pairs),
        entries=entry_table(comparison),
        pairs=pair_table(comparison),
        figures=figures,
        curves=[figures[name] for name in _CURVES if name in figures],
        agreement=agreement_table(comparison),
        estimates=estimate_table(comparison.estimates) if comparison.estimates else None,
        choice=choice_in_words(comparison.estimates) if comparison.estimates else "",
    )
