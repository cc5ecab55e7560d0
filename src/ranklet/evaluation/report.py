"""The report of a run: one HTML page that needs nothing else.

What a section shows is handed over as plain values; a section without values is left out. The look
is in `pages/report.html.jinja`. A figure the page has no place for comes at its end, so that a new
figure needs no change here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ranklet.evaluation.figures import Record, figure_name
from ranklet.evaluation.metrics import Metric
from ranklet.evaluation.page import ReportFigure, inline_figures, render_page
from ranklet.evaluation.result import AVERAGES, SCORES, Evaluation

_TRAINING_FIGURES = ("training_loss", "validation_loss", "validation_accuracy")
_EVALUATION_FIGURES = ("class_bars", "confusion_counts", "confusion_shares")
_FEW_CLASSES = 8  # whose figures fit side by side
_MOST_CLASSES_AS_MATRIX = 20
_MOST_CONFUSIONS = 30
_SCORE_NAMES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
_CAPTIONS = {
    "training_loss": "Loss of the training batches. The line averages neighbouring steps, the"
    " band reaches from their lowest to their highest.",
    "validation_loss": "Mean loss of the validation rows; the diamond marks the lowest.",
    "validation_accuracy": "Share of the validation rows predicted right, in all their labels where"
    " they may have several; the diamond marks the highest.",
    "class_bars": "Precision, recall and F1 of every class; whiskers are 95 % intervals.",
    "confusion_counts": "Rows by true and predicted class. Blue is right, orange is wrong, darker"
    " is more.",
    "confusion_shares": "The same as percentages of the rows of each true class.",
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
class BudgetRow:
    """Trained parameters of one module or group of modules.

    Attributes:
        module: Name of the module, or of the group.
        kind: `adapter`, `head`, `bias` or another word; rows of one kind share a colour.
        rank: Rank of the adapter, None where there is none.
        parameters: Trained parameters.
    """

    module: str
    kind: str
    rank: int | None
    parameters: int


@dataclass(frozen=True)
class BudgetSection:
    """What is trained, against what may be.

    Attributes:
        total: Trained parameters.
        budget: Most parameters that may be trained, None without a limit.
        rows: What the total consists of.
    """

    total: int
    budget: int | None
    rows: Sequence[BudgetRow] = ()


@dataclass(frozen=True)
class DataSection:
    """What the model was trained and evaluated on.

    Attributes:
        rows: Split to number of texts used.
        truncated: Split to the share of its texts that were cut at the maximum length, 0..1.
        duplicates: Where duplicates were found, to their number of rows.
        filtered: Reason for leaving rows out, to their number.
    """

    rows: Mapping[str, int]
    truncated: Mapping[str, float] = field(default_factory=dict)
    duplicates: Mapping[str, int] = field(default_factory=dict)
    filtered: Mapping[str, int] = field(default_factory=dict)


def render_report(
    *,
    title: str,
    subtitle: str = "",
    evaluations: Sequence[Evaluation] = (),
    budget: BudgetSection | None = None,
    data: DataSection | None = None,
    records: Sequence[Record] = (),
    figures: Mapping[str, ReportFigure] | None = None,
    recipe: str = "",
    environment: Mapping[str, str] | None = None,
    command: str = "",
    seconds: float | None = None,
) -> str:
    """Render a report as one self-contained HTML page.

    Args:
        title: Name of the run.
        subtitle: One line under it, such as encoder and data.
        evaluations: One for each split, the one of the headline first.
        budget: Trained parameters.
        data: Rows and what was done to them.
        records: Rows of `metrics.jsonl`, for the table beside the curves.
        figures: Name (as in `training_figures` and `evaluation_figures`) to drawing.
        recipe: The resolved recipe, YAML.
        environment: Names of versions and hardware to their values.
        command: Shell command that does it again.
        seconds: Duration of the training.

    Returns:
        HTML that loads nothing from anywhere; labels and texts are escaped.
    """
    drawings = inline_figures(figures or {})
    return render_page(
        "report.html.jinja",
        title=title,
        subtitle=subtitle,
        sections=[_evaluation_section(evaluation, drawings) for evaluation in evaluations],
        budget=budget,
        shares=_budget_shares(budget) if budget else [],
        data=data,
        training=_training_rows(records),
        curves=[drawings[name] for name in _TRAINING_FIGURES if name in drawings],
        more=_without_place(drawings, evaluations),
        recipe=recipe,
        environment=environment or {},
        command=command,
        seconds=seconds,
    )


def embed_figures(drawings: Mapping[str, str]) -> dict[str, ReportFigure]:
    """Give every drawing, SVG by name, the caption that belongs to its name."""
    return {name: ReportFigure(svg, _caption(name)) for name, svg in drawings.items()}


def _caption(name: str) -> str:
    kinds = [kind for kind in _CAPTIONS if name == kind or name.endswith(f"_{kind}")]
    return _CAPTIONS[kinds[0]] if kinds else ""


def _evaluation_section(evaluation: Evaluation, drawings: Mapping[str, Any]) -> dict[str, Any]:
    names = {kind: figure_name(evaluation.split, kind) for kind in _EVALUATION_FIGURES}
    return {
        "evaluation": evaluation,
        # A thousandth is more than fewer rows than that can tell.
        "digits": 2 if evaluation.rows >= 1_000 else 1,
        "scores": _overall_scores(evaluation),
        "figures": {kind: drawings.get(name) for kind, name in names.items()},
        "few": len(evaluation.labels) <= _FEW_CLASSES,
        "matrix": len(evaluation.labels) <= _MOST_CLASSES_AS_MATRIX,
        "confusions": [] if evaluation.label_sets else _largest_confusions(evaluation),
    }


def _overall_scores(evaluation: Evaluation) -> list[tuple[str, Metric]]:
    averages = [
        (f"{_SCORE_NAMES[score]}, {kind}", getattr(evaluation, f"{score}_{kind}"))
        for kind in AVERAGES
        for score in SCORES
    ]
    sets = evaluation.label_sets
    if sets is not None:
        averages = [
            *(
                (f"{_SCORE_NAMES[score]}, micro", getattr(sets, f"{score}_micro"))
                for score in SCORES
            ),
            *averages,
            ("Hamming loss", sets.hamming_loss),
        ]
    return [(evaluation.accuracy_name.capitalize(), evaluation.accuracy), *averages]


def _largest_confusions(evaluation: Evaluation) -> list[dict[str, Any]]:
    """List the pairs of different labels with the most rows, largest first."""
    pairs: list[dict[str, Any]] = [
        {"true": true, "predicted": predicted, "rows": rows, "share": rows / sum(line)}
        for true, line in zip(evaluation.labels, evaluation.confusion, strict=True)
        for predicted, rows in zip(evaluation.labels, line, strict=True)
        if rows and predicted != true
    ]
    return sorted(pairs, key=lambda pair: -pair["rows"])[:_MOST_CONFUSIONS]


def _budget_shares(budget: BudgetSection) -> list[dict[str, Any]]:
    """Add the rows up by kind, with the share each takes of the budget."""
    whole = max(budget.total, budget.budget or 0, 1)
    totals: dict[str, int] = {}
    for row in budget.rows:
        totals[row.kind] = totals.get(row.kind, 0) + row.parameters
    return [{"kind": kind, "total": n, "share": n / whole} for kind, n in totals.items()]


def _training_rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Pair every validation with the mean training loss since the one before."""
    rows: list[dict[str, Any]] = []
    since: list[Record] = []
    for record in records:
        if record["kind"] == "train":
            since.append(record)
        elif record["kind"] == "validation":
            rows.append(_training_row(record, since, record))
            since = []
    return [*rows, _training_row(since[-1], since, {})] if since else rows


def _training_row(at: Record, since: Sequence[Record], validation: Record) -> dict[str, Any]:
    losses = [record["loss"] for record in since]
    return {
        "epoch": at["epoch"],
        "step": at["step"],
        "training_loss": sum(losses) / len(losses) if losses else None,
        "loss": validation.get("loss"),
        "accuracy": validation.get("accuracy"),
        "macro_f1": validation.get("macro_f1"),
    }


def _without_place(drawings: Mapping[str, Any], evaluations: Sequence[Evaluation]) -> list[Any]:
    placed = {
        figure_name(entry.split, kind) for entry in evaluations for kind in _EVALUATION_FIGURES
    }
    return [
        drawing
        for name, drawing in drawings.items()
        if name not in placed and name not in _TRAINING_FIGURES
    ]
