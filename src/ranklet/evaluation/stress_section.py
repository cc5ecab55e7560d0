"""The part of a run's page that says what shifts of its test texts did to it."""

from __future__ import annotations

from ranklet.evaluation.metrics import Metric
from ranklet.evaluation.page import Cell, ReportFigure, Section, Table, percent
from ranklet.evaluation.report_tables import digits_for, with_interval
from ranklet.evaluation.stress import Stress, StressPoint, Sureness

CAPTION = (
    "Accuracy, with its 95 % interval, under each shift at growing strength; the dotted line is the"
    " accuracy on the clean texts. Where the dashed mean confidence stays far above, the classifier"
    " does not know that it does not know."
)
_MEANING = {
    "typos": "words of four letters or more that get a typing error",
    "lower": "words in small letters",
    "upper": "words in capitals",
    "truncation": "share of the words cut off the end",
    "word_drops": "words left out",
    "entities": "words with remains of HTML",
    "reverse": "texts whose beginning comes last",
}


def stress_section(stress: Stress, svg: str | None = None) -> Section:
    """Show what shifts did.

    Args:
        stress: What was measured.
        svg: The drawing of it.
    """
    meanings = [f"{kind}: {_MEANING.get(kind, kind)}" for kind in stress.kinds]
    note = (
        f"The same {stress.rows:,} of the {stress.of_rows:,} texts of {stress.source}, clean and"
        f" shifted. Strength is a probability or a share, {'; '.join(meanings)}. Differences are"
        " paired, text by text."
    )
    return Section(
        title="Under stress",
        note=note,
        figures=() if svg is None else (ReportFigure(svg, CAPTION),),
        tables=(_table(stress),),
    )


def _table(stress: Stress) -> Table:
    digits = digits_for(stress.rows)
    clean = ["clean", "", "", with_interval(stress.accuracy, digits), "", ""]
    rows: list[list[Cell]] = [[*clean, *_sureness(stress.sureness, digits)]]
    rows += [_row(point, digits) for point in stress.points]
    columns = ["shift", "strength", "texts changed", stress.accuracy_name, "difference, points"]
    columns += ["labels changed", "mean confidence", "calibration error"]
    return Table("Clean and shifted texts, with 95 % intervals", columns, rows)


def _row(point: StressPoint, digits: int) -> list[Cell]:
    return [
        point.kind.replace("_", " "),
        f"{point.strength:g}",
        f"{point.changed:,}",
        with_interval(point.accuracy, digits),
        _difference(point.difference, digits),
        f"{point.flipped:,}",
        *_sureness(point.sureness, digits),
    ]


def _difference(metric: Metric, digits: int) -> Cell:
    low, high = metric.interval
    value, *ends = (f"{100 * share:+.{digits}f}" for share in (metric.value, low, high))
    return value, " to ".join(ends)


def _sureness(found: Sureness | None, digits: int) -> list[Cell]:
    if found is None:
        return ["\N{EN DASH}"] * 2
    return [percent(found.confidence, digits), percent(found.calibration_error, digits)]
