"""The part of a run's page that says what shifts of its test texts did to it."""

from __future__ import annotations

from ranklet.evaluation.report.page import ReportFigure, Section
from ranklet.evaluation.report.table import Cell, Difference, Share, Table
from ranklet.evaluation.stress import Stress, Sureness

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
        tables=(stress_table(stress),),
        is_wide=True,
    )


def stress_table(stress: Stress) -> Table:
    """List the clean texts, then each shift at each strength."""
    rows: list[list[Cell]] = [
        ["clean", "", "", stress.accuracy, "", "", *_sureness(stress.sureness)]
    ]
    rows += [
        [
            _words(point.kind),
            f"{point.strength:g}",
            point.changed,
            point.accuracy,
            Difference(point.difference),
            point.flipped,
            *_sureness(point.sureness),
        ]
        for point in stress.points
    ]
    columns = ["shift", "strength", "texts changed", stress.accuracy_name, "difference, points"]
    columns += ["predictions changed", "mean confidence", "calibration error"]
    return Table("Clean and shifted texts, with 95 % intervals", columns, rows)


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _sureness(sureness: Sureness | None) -> list[Cell]:
    if sureness is None:
        return [None, None]
    return [Share(sureness.confidence), Share(sureness.calibration_error)]
