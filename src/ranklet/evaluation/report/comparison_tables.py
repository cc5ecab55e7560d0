"""The tables of a comparison, for its page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from ranklet.evaluation.comparison.sentences import p_in_words, points
from ranklet.evaluation.comparison.verdicts import Comparison, Pair
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.table import Cell, Share, Table
from ranklet.evaluation.unlabelled.result import Estimate
from ranklet.evaluation.wording import digits_for, duration


def entry_table(comparison: Comparison) -> Table:
    """List what each run reached and cost, and the fields in which their recipes differ."""
    entries = comparison.entries
    fields = tuple(dict.fromkeys(name for entry in entries for name in entry.fields))
    micro = ["micro F1"] if any(entry.f1_micro is not None for entry in entries) else []
    columns = [comparison.accuracy_name, *micro, "macro F1", "parameters", "training"]
    rows: list[list[Cell]] = [
        [
            entry.name if len(entry.seeds) == 1 else (entry.name, f"{len(entry.seeds)} seeds"),
            entry.accuracy,
            *([entry.f1_micro] if micro else []),
            entry.f1_macro,
            entry.parameters,
            None if entry.seconds is None else duration(entry.seconds),
            *(entry.fields.get(name, "") for name in fields),
        ]
        for entry in entries
    ]
    before = 1 + len(columns)
    return Table(
        "Runs, and the fields in which their recipes differ; of several seeds mean and interval",
        ["run", *columns, *fields],
        rows,
        texts=range(before, before + len(fields)),  # values of recipes are words or figures
        digits=digits_for(comparison.rows),
        sorts=True,
    )


def pair_table(comparison: Comparison) -> Table:
    """List the differences of each pair of runs, and whether they are noise."""
    figures = (comparison.accuracy_name, "macro F1")
    corrected = ", corrected" if len(comparison.pairs) > 1 else ""
    of_figures = [column for name in figures for column in (f"{name}, points", f"p{corrected}")]
    rows: list[list[Cell]] = []
    for pair in comparison.pairs:
        difference = pair.difference
        accuracy = _in_points(difference.accuracy, difference.rows)
        f1 = _in_points(difference.f1_macro, difference.rows)
        rows.append([_pair_cell(pair), pair.verdict, accuracy, _p(pair.p), f1, _p(pair.f1_p)])
    caption = "Differences, with 95 % intervals"
    return Table(caption, ["pair", "verdict", *of_figures], rows, (1,), sorts=True)


def _pair_cell(pair: Pair) -> Cell:
    only_right, seeds = pair.difference.only_right, pair.difference.seeds
    about = (
        "seeds: {} / {}".format(*seeds)
        if only_right is None
        else "only one right: {:,} / {:,}".format(*only_right)
    )
    return f"{pair.first} \N{MINUS SIGN} {pair.second}", about


def _in_points(metric: Metric, rows: int) -> Cell:
    low, high = (points(bound, rows) for bound in metric.interval)
    return points(metric.value, rows), f"{low} to {high}"


def _p(p: float) -> str:
    return p_in_words(p).removeprefix("p = ").removeprefix("p ")


def estimate_table(estimates: Mapping[str, Estimate]) -> Table:
    """List the accuracy to expect of each run on texts without labels."""
    return Table(
        "Accuracy to expect on the texts without labels, with 95 % intervals",
        ["run", "expected accuracy", "texts", "warning"],
        [
            (
                name,
                Metric(estimate.accuracy, estimate.interval),
                estimate.rows,
                estimate.warning or "",
            )
            for name, estimate in estimates.items()
        ],
        texts=(3,),
        sorts=True,
    )


def agreement_table(comparison: Comparison) -> Table:
    """Lay out agreement, and below it the kappa of the errors."""
    rows: list[list[Cell]] = []
    for name, shares, kappas in zip(
        comparison.runs, comparison.agreement, comparison.error_agreement, strict=True
    ):
        cells: list[Cell] = [
            None if share is None or kappa is None else (Share(share), f"{kappa:.2f}")
            for share, kappa in zip(shares, kappas, strict=True)
        ]
        rows.append([name, *cells])
    caption = "Rows answered alike, and Cohen's kappa of which rows are answered right"
    return Table(caption, ["run", *comparison.runs], rows)
