"""The tables of a comparison, for its page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ranklet.evaluation.comparison.verdicts import Comparison, Pair, p_in_words, points
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.table import Cell, Share, Table
from ranklet.evaluation.unlabelled.result import Estimate
from ranklet.evaluation.wording import digits_for, duration


def entry_table(comparison: Comparison) -> Table:
    """List what each run reached and cost, and the fields in which their recipes differ."""
    fields = tuple(dict.fromkeys(name for entry in comparison.entries for name in entry.fields))
    columns = [comparison.accuracy_name, "macro F1", "parameters", "training", *fields]
    rows: list[list[Cell]] = [
        [
            entry.name if len(entry.seeds) == 1 else (entry.name, f"{len(entry.seeds)} seeds"),
            entry.accuracy,
            entry.f1_macro,
            entry.parameters,
            None if entry.seconds is None else duration(entry.seconds),
            *(entry.fields.get(name, "") for name in fields),
        ]
        for entry in comparison.entries
    ]
    return Table(
        "Runs, and the fields in which their recipes differ; of several seeds mean and interval",
        ["run", *columns],
        rows,
        texts=range(5, 5 + len(fields)),  # values of recipes are words or figures
        digits=digits_for(comparison.rows),
        sorts=True,
    )


def pair_table(pairs: Sequence[Pair]) -> Table:
    """List the difference of each pair of runs, and whether it is noise."""
    corrected = ", corrected" if len(pairs) > 1 else ""
    columns = ["pair", "verdict", "accuracy, points", "macro F1, points", f"p{corrected}"]
    rows: list[list[Cell]] = []
    for pair in pairs:
        difference = pair.difference

        def in_points(metric: Metric, rows: int = difference.rows) -> Cell:
            low, high = (points(bound, rows) for bound in metric.interval)
            return points(metric.value, rows), f"{low} to {high}"

        about = (
            ""
            if difference.only_right is None
            else "only one right: {:,} / {:,}".format(*difference.only_right)
        )
        rows.append(
            [
                (
                    f"{pair.first} \N{MINUS SIGN} {pair.second}",
                    about or f"seeds: {difference.seeds[0]} / {difference.seeds[1]}",
                ),
                pair.verdict,
                in_points(difference.accuracy),
                in_points(difference.f1_macro),
                p_in_words(pair.p).removeprefix("p = ").removeprefix("p "),
            ]
        )
    return Table("Differences, with 95 % intervals", columns, rows, (1,), sorts=True)


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
