"""The part of a run's page that says what shifts of its test texts did to it."""

from __future__ import annotations

from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.page import Cell, ReportFigure, Section, Table
from ranklet.evaluation.report.tables import with_interval
from ranklet.evaluation.stress import Stress, StressPoint, Sureness
from ranklet.evaluation.wording import percent

CAPTION = (
    "Accuracy, with its 95 % interval, under each shift at growing strength; the dotted line is the"
    " accuracy on the clean texts. Where the dashed mean confidence stays far above, the classifier"
    " does not know that it does not know."
)
_DIGITS = 1  # intervals of a thousand rows are some points wide
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
    meanings = [f"{_words(kind)}: {_MEANING.get(kind, kind)}" for kind in stress.kinds]
    note = (
        f"The same {stress.rows:,} of the {stress.of_rows:,} texts of {stress.source}, clean and"
        " shifted; differences are paired, text by text. The strength of a shift is how many, or"
        f" how likely \N{EN DASH} {'; '.join(meanings)}."
    )
    return Section(
        title="Under stress",
        note=note,
        figures=() if svg is None else (ReportFigure(svg, CAPTION),),
        tables=(_table(stress),),
        is_wide=True,
    )


def _table(stress: Stress) -> Table:
    clean = ["clean", "", "", with_interval(stress.accuracy, _DIGITS), "", ""]
    rows: list[list[Cell]] = [[*clean, *_sureness(stress.sureness)]]
    rows += [_row(point) for point in stress.points]
    columns = ["shift", "strength", "texts changed", stress.accuracy_name, "difference, points"]
    columns += ["predictions changed", "mean confidence", "calibration error"]
    return Table("Clean and shifted texts, with 95 % intervals", columns, rows)


def _row(point: StressPoint) -> list[Cell]:
    return [
        _words(point.kind),
        f"{point.strength:g}",
        f"{point.changed:,}",
        with_interval(point.accuracy, _DIGITS),
        _difference(point.difference),
        f"{point.flipped:,}",
        *_sureness(point.sureness),
    ]


def _difference(metric: Metric) -> Cell:
    low, high = metric.interval
    value, *ends = (f"{100 * share:+.{_DIGITS}f}" for share in (metric.value, low, high))
    return value, " to ".join(ends)


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _sureness(found: Sureness | None) -> list[Cell]:
    if found is None:
        return ["\N{EN DASH}"] * 2
    return [percent(found.confidence, _DIGITS), percent(found.calibration_error, _DIGITS)]
