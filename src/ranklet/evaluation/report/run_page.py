"""The report of a run: one HTML page that needs nothing else.

What a section shows is handed over as plain values; a section without values is left out. The look
is in `pages/report.html.jinja`. A figure the page has no place for comes at its end, and a part of
a run that the page knows nothing of is a `Section`, so that neither needs a change here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report import run_tables, tables
from ranklet.evaluation.report.error_table import ErrorTable, mark_words
from ranklet.evaluation.report.figures import Record, figure_name
from ranklet.evaluation.report.page import ReportFigure, Section, inline_figures, render_page
from ranklet.evaluation.report.table import Table
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.wording import digits_for

if TYPE_CHECKING:
    from ranklet.budget.plan import ParameterPlan  # brings torch

_TRAINING_FIGURES = (
    "training_loss",
    "validation_loss",
    "validation_accuracy",
    "validation_scores",
    "learning_rate",
)
_DATA_FIGURES = ("class_distribution", "text_words", "text_tokens")
_BUDGET_FIGURES = ("trained_parameters",)
_EVALUATION_FIGURES = (
    "class_bars",
    "confusion_counts",
    "confusion_shares",
    "roc",
    "precision_recall",
    "reliability",
    "confidence",
    "coverage",
    "slices",
)
_FEW_CLASSES = 5  # whose confusions fit beside the scores
_CAPTIONS = {
    "training_loss": "Loss of the training batches. The line averages neighbouring steps, the"
    " band reaches from their lowest to their highest.",
    "validation_loss": "Mean loss of the validation rows; the diamond marks the lowest.",
    "validation_accuracy": "Share of the validation rows predicted right, in all their labels where"
    " they may have several; the diamond marks the highest.",
    "class_bars": "Precision, recall and F1 of every class; whiskers are 95 % intervals.",
    "confusion_shares": "Predicted classes as percentages of the rows of each true class. Blue is"
    " right, orange is wrong, stronger is more.",
    "validation_scores": "Precision, recall and F1 of the validation rows, each class counting"
    " alike.",
    "learning_rate": "Learning rate of the adapters at each step.",
    "roc": "Each class against the rest: the share of its rows found against the share of other"
    " rows taken for it, at every threshold. The dotted line is chance; the mean is taken at equal"
    " false positive rates.",
    "precision_recall": "Each class against the rest: how many of the rows given it are right,"
    " against the share of its rows that is found, at every threshold.",
    "reliability": "Accuracy of the rows of about the same confidence, in 15 bins, with 95 %"
    " intervals. On the dotted line confidence is what it says; below it the classifier is too"
    " sure. The error is the mean distance from it, weighted by rows.",
    "confidence": "Probability of the predicted class, for right and for wrong predictions.",
    "coverage": "Accuracy where only the surest rows are answered; the band is its 95 % interval.",
    "slices": "Accuracy on parts of the rows with 95 % intervals, and the number of rows of each."
    " The dotted line is the accuracy on all rows.",
    "text_words": "Words of the texts of each split, those of training before the word limits.",
    "text_tokens": "Tokens read of the texts of each split; longer texts were cut at max_length or"
    " read in windows, which are added up.",
    "class_distribution": "Share of the texts of each split that has each class.",
    "trained_parameters": "Trained parameters by layer and module.",
}


@dataclass(frozen=True)
class DataSummary:
    """What the model was trained and evaluated on.

    Attributes:
        rows: Split to number of texts used.
        truncated: Split to the share of its texts that were cut at the maximum length, 0..1.
        duplicates: Where duplicates were found, to their number of rows.
        filtered: Reason for leaving rows out, to their number.
        leakage: What the duplicates mean for the evaluation, in a sentence or two.
    """

    rows: Mapping[str, int]
    truncated: Mapping[str, float] = field(default_factory=dict)
    duplicates: Mapping[str, int] = field(default_factory=dict)
    filtered: Mapping[str, int] = field(default_factory=dict)
    leakage: str = ""


@dataclass(frozen=True)
class Results:
    """What the answers of the model are worth.

    Attributes:
        evaluations: One for each split, the one of the headline first.
        baselines: What simple classifiers reach, by split.
        errors: Texts that were predicted wrong.
        standing: Where the run stands against the baselines of the headline's split, in lines.
    """

    evaluations: Sequence[Evaluation] = ()
    baselines: Mapping[str, tuple[Baseline, ...]] = field(default_factory=dict)
    errors: ErrorTable | None = None
    standing: Sequence[str] = ()


@dataclass(frozen=True)
class Training:
    """How the model was trained.

    Attributes:
        records: Rows of `metrics.jsonl`, for the table beside the curves.
        facts: What there is to say of it, each as name and value.
        seconds: Its duration.
    """

    records: Sequence[Record] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True)
class Provenance:
    """What the model was made from, and how to make it again.

    Attributes:
        recipe: The resolved recipe, YAML.
        command: Shell command that does it again.
        environment: Names of versions and hardware to their values.
        hashes: What it was made from, and what was made, to their SHA-256.
    """

    recipe: str = ""
    command: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


def render_report(
    title: str,
    subtitle: str = "",
    *,
    results: Results = Results(),
    budget: ParameterPlan | None = None,
    data: DataSummary | None = None,
    training: Training = Training(),
    provenance: Provenance = Provenance(),
    figures: Mapping[str, ReportFigure] | None = None,
    further: Sequence[Section] = (),
) -> str:
    """Render a report as one self-contained HTML page.

    Args:
        title: Name of the run.
        subtitle: One line under it, such as encoder and data.
        results: Figures and errors of every split.
        budget: Trained parameters, against what may be.
        data: Rows and what was done to them.
        training: What its steps and validations showed.
        provenance: How to do it again.
        figures: Name (as in `training_figures` and `evaluation_figures`) to drawing.
        further: Parts that the page knows nothing of, shown after the errors.

    Returns:
        HTML that loads nothing from anywhere; labels and texts are escaped.
    """
    named = figures or {}
    extra = {
        f"{index}.{place}": figure
        for index, part in enumerate(further)
        for place, figure in enumerate(part.figures)
    }
    drawings = inline_figures({**named, **extra})
    return render_page(
        "report.html.jinja",
        title=title,
        subtitle=subtitle,
        sections=[
            _evaluation_section(number, evaluation, drawings)
            for number, evaluation in enumerate(results.evaluations, start=1)
        ],
        versus=_versus(results),
        standing=results.standing,
        errors=results.errors,
        mark_words=mark_words,
        budget=budget,
        shares=_budget_shares(budget) if budget else [],
        budget_figures=_pick(drawings, _BUDGET_FIGURES),
        budget_table=budget and run_tables.budget_table(budget),
        leakage=data.leakage if data else "",
        data_tables=_data_tables(data) if data else [],
        data_figures=_pick(drawings, _DATA_FIGURES),
        training_table=training.records and run_tables.training_table(training.records),
        curves=_pick(drawings, _TRAINING_FIGURES),
        further=[
            (part, [drawings[f"{index}.{place}"] for place in range(len(part.figures))])
            for index, part in enumerate(further)
        ],
        more=_without_place({name: drawings[name] for name in named}, results.evaluations),
        seconds=training.seconds,
        recipe=provenance.recipe,
        command=provenance.command,
        fact_tables=_fact_tables(training, provenance),
    )


def embed_figures(drawings: Mapping[str, str]) -> dict[str, ReportFigure]:
    """Give every drawing, SVG by name, the caption that belongs to its name."""
    return {name: ReportFigure(svg, _caption(name)) for name, svg in drawings.items()}


def _caption(name: str) -> str:
    kinds = [kind for kind in _CAPTIONS if name == kind or name.endswith(f"_{kind}")]
    return _CAPTIONS[kinds[0]] if kinds else ""


def _pick(drawings: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    return [drawings[name] for name in names if name in drawings]


def _evaluation_section(
    number: int, evaluation: Evaluation, drawings: Mapping[str, Any]
) -> dict[str, Any]:
    """Prepare the part of a split; of those behind the first, scores and confusions are enough."""
    names = {kind: figure_name(evaluation.split, kind) for kind in _EVALUATION_FIGURES}
    one_label = evaluation.one_label if number == 1 else None
    return {
        "id": f"split{number}",
        "evaluation": evaluation,
        "digits": digits_for(evaluation.rows),
        "figures": {kind: drawings.get(name) for kind, name in names.items()},
        "few": len(evaluation.labels) <= _FEW_CLASSES,
        "scores": tables.score_table(evaluation),
        "classes": tables.class_table(evaluation),
        "confusions": tables.confusion_table(evaluation),
        "calibration": one_label
        and tables.calibration_table(one_label.calibration, evaluation.log_loss),
        "coverage": one_label and tables.coverage_table(one_label.coverage, evaluation.rows),
        "threshold": evaluation.threshold
        and tables.threshold_table(evaluation.threshold, evaluation.split, evaluation.rows),
        "slices": _slice_tables(evaluation) if number == 1 else [],
    }


def _slice_tables(evaluation: Evaluation) -> list[Table]:
    """List the accuracy on parts of the rows; that of a class is its recall, which stands there."""
    by_way = tables.slice_tables(evaluation.slices or (), evaluation.rows)
    return [table for way, table in by_way.items() if way != "class" or not evaluation.one_label]


def _versus(results: Results) -> list[tuple[str, Metric, Metric]]:
    """Return the run among its baselines, where the split of the headline has some."""
    for evaluation in results.evaluations[:1]:
        if baselines := results.baselines.get(evaluation.split, ()):
            return tables.headline_rows(evaluation, baselines)
    return []


def _budget_shares(budget: ParameterPlan) -> list[dict[str, Any]]:
    """Add the rows up by kind, with the share each takes of the budget."""
    whole = max(budget.total, budget.budget, 1)
    totals: dict[str, int] = {}
    for row in budget.rows:
        totals[row.kind] = totals.get(row.kind, 0) + row.parameters
    return [{"kind": kind, "total": n, "share": n / whole} for kind, n in totals.items()]


def _data_tables(data: DataSummary) -> list[Table]:
    counted = {
        "Exact duplicates": data.duplicates,
        "Rows left out by filters": data.filtered,
    }
    return [
        run_tables.split_table(data.rows, data.truncated),
        *(run_tables.count_table(name, counts) for name, counts in counted.items() if counts),
    ]


def _fact_tables(training: Training, provenance: Provenance) -> list[Table]:
    facts = {
        "The training": training.facts,
        "Versions and hardware": provenance.environment,
        "SHA-256 of what it was made from, and of what was made": provenance.hashes,
    }
    return [run_tables.fact_table(caption, of) for caption, of in facts.items() if of]


def _without_place(drawings: Mapping[str, Any], evaluations: Sequence[Evaluation]) -> list[Any]:
    placed = {
        figure_name(evaluation.split, kind)
        for evaluation in evaluations
        for kind in _EVALUATION_FIGURES
    }
    placed |= {*_TRAINING_FIGURES, *_DATA_FIGURES, *_BUDGET_FIGURES}
    return [drawing for name, drawing in drawings.items() if name not in placed]
