"""The report of a run: one HTML page that needs nothing else.

What a section shows is handed over as plain values; a section without values is left out. The look
is in `report.html.jinja`. A figure the page has no place for comes at its end, so that a new figure
needs no change here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from xml.etree import ElementTree

from ranklet.errors import RunError
from ranklet.evaluation.figures import Record, figure_name
from ranklet.evaluation.metrics import Metric
from ranklet.evaluation.result import AVERAGES, SCORES, Evaluation

_NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
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
class ReportFigure:
    """A figure as the page shows it.

    Attributes:
        svg: The drawing, as `figure_svg` renders it.
        caption: What it shows and how to read it, plain text.
    """

    svg: str
    caption: str = ""


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
    drawings = _drawings(figures or {})
    page = _template().render(
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
    # A lone surrogate, which JSON can smuggle into a label, has no UTF-8 form.
    return str(page).encode("utf-8", "replace").decode("utf-8")


def embed_figures(drawings: Mapping[str, str]) -> dict[str, ReportFigure]:
    """Give every drawing, SVG by name, the caption that belongs to its name."""
    return {name: ReportFigure(svg, _caption(name)) for name, svg in drawings.items()}


def _drawings(figures: Mapping[str, ReportFigure]) -> dict[str, dict[str, Any]]:
    from markupsafe import Markup

    return {
        name: {
            "svg": Markup(_inline_svg(figure.svg, f"figure{number}-", figure.caption)),
            "caption": figure.caption,
        }
        for number, (name, figure) in enumerate(figures.items(), start=1)
    }


def _caption(name: str) -> str:
    kinds = [kind for kind in _CAPTIONS if name == kind or name.endswith(f"_{kind}")]
    return _CAPTIONS[kinds[0]] if kinds else ""


def _template() -> Any:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": _percent,
        "between": _between,
        "count": "{:,}".format,
        "loss": partial(_or_dash, "{:.4f}".format),
        "share": partial(_or_dash, partial(_percent, digits=2)),
        "number": "{:{}}".format,
        "duration": _duration,
    }
    source = files("ranklet.evaluation").joinpath("report.html.jinja").read_text("utf-8")
    return environment.from_string(source)


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}{_NARROW_SPACE}%"


def _or_dash(write: Callable[[float], str], value: float | None) -> str:
    return "\N{EN DASH}" if value is None else write(value)


def _between(interval: tuple[float, float], digits: int = 1) -> str:
    low, high = interval
    return f"{100 * low:.{digits}f}\N{EN DASH}{100 * high:.{digits}f}"


def _duration(seconds: float) -> str:
    """Write seconds with the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f}{_NARROW_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_NARROW_SPACE}min {rest}{_NARROW_SPACE}s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,}{_NARROW_SPACE}h {rest}{_NARROW_SPACE}min"


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


def _inline_svg(svg: str, prefix: str, caption: str) -> str:
    """Make an SVG file part of a page: no header, ids of its own, a size that follows the page.

    Args:
        svg: The whole file.
        prefix: Put before every id, as several figures share the page.
        caption: Read out to those who cannot see it.

    Raises:
        RunError: Not well-formed SVG.
    """
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise RunError(f"figure: not SVG ({error}); render it with figure_svg") from error
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
        _make_local(parent, prefix)
    width = float(root.get("viewBox", "0 0 360 0").split()[2])
    # A usual figure shrinks to fit a phone; a wide one would be unreadable and scrolls in its box.
    least = 0.85 * width if width < 400 else 1.1 * width
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    style = f"min-width: {least:.0f}px; max-width: {1.6 * width:.0f}px"
    root.attrib |= {"role": "img", "aria-label": caption, "style": style}
    return ElementTree.tostring(root, encoding="unicode")


def _make_local(element: ElementTree.Element, prefix: str) -> None:
    """Drop the namespaces, which HTML knows by itself, and prefix ids and what refers to them."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    for key, value in attributes.items():
        if key == "id":
            attributes[key] = prefix + value
        elif key == "href" and value.startswith("#"):
            attributes[key] = f"#{prefix}{value[1:]}"
        else:
            attributes[key] = value.replace("url(#", f"url(#{prefix}")
    element.attrib.clear()
    element.attrib.update(attributes)
