"""Evaluation: what a model is worth on one split, as numbers, figures and a page.

`metrics` counts, `result` is every number of one model on one split, `figures` and `report` show
it. Importing this room loads numpy and nothing heavier; matplotlib and Jinja2 come with the first
drawing and the first page.
"""

from __future__ import annotations

from ranklet.evaluation.metrics import Metric
from ranklet.evaluation.report.figures import (
    evaluation_figures,
    figure_svg,
    save_figures,
    training_figures,
)
from ranklet.evaluation.report.page import ReportFigure, Section, Table
from ranklet.evaluation.report.run_page import (
    BudgetRow,
    BudgetSection,
    DataSection,
    embed_figures,
    render_report,
)
from ranklet.evaluation.result import (
    ClassMetrics,
    Evaluation,
    evaluate_predictions,
    from_json,
    to_json,
    validation_metrics,
)

__all__ = [
    "BudgetRow",
    "BudgetSection",
    "ClassMetrics",
    "DataSection",
    "Evaluation",
    "Metric",
    "ReportFigure",
    "Section",
    "Table",
    "embed_figures",
    "evaluate_predictions",
    "evaluation_figures",
    "figure_svg",
    "from_json",
    "render_report",
    "save_figures",
    "to_json",
    "training_figures",
    "validation_metrics",
]
