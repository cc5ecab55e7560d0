"""The tables of a run's page that are not of an evaluation: budget, training, data, facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ranklet.evaluation.report.figures import Record
from ranklet.evaluation.report.table import Cell, Share, Table

if TYPE_CHECKING:
    from ranklet.budget.plan import ParameterPlan  # brings torch


def budget_table(budget: ParameterPlan) -> Table:
    """List what trains, module by module."""
    return Table(
        "Trained parameters by module",
        ("module", "kind", "rank", "parameters"),
        [(row.module, row.kind, row.rank, row.parameters) for row in budget.rows],
        texts=(1,),
        footer=("total", "", "", budget.total),
    )


def training_table(records: Sequence[Record]) -> Table:
    """Pair every validation with the mean training loss since the one before."""
    return Table(
        "At each validation (training loss: mean since the last)",
        ("epoch", "step", "training loss", "validation loss", "accuracy", "macro F1"),
        list(_training_rows(records)),
    )


def _training_rows(records: Sequence[Record]) -> Iterator[Sequence[Cell]]:
    since: list[Record] = []
    for record in records:
        if record["kind"] == "train":
            since.append(record)
        elif record["kind"] == "validation":
            yield _training_row(record, since, record)
            since = []
    if since:
        yield _training_row(since[-1], since, {})


def _training_row(at: Record, since: Sequence[Record], validation: Record) -> Sequence[Cell]:
    losses = [record["loss"] for record in since]
    shares = (validation.get(name) for name in ("accuracy", "macro_f1"))
    return (
        f"{at['epoch']:.4g}",
        at["step"],
        sum(losses) / len(losses) if losses else None,
        validation.get("loss"),
        *(None if share is None else Share(share, 2) for share in shares),
    )


def split_table(rows: Mapping[str, int], truncated: Mapping[str, float]) -> Table:
    """List the texts of each split, and the share of them that were cut, where it is known."""
    table = count_table("Rows used", rows, "split")
    if not truncated:
        return table
    cut = {split: Share(share, 2) for split, share in truncated.items()}
    return Table(
        table.caption,
        ("split", "rows", "texts cut short"),
        [(split, count, cut.get(split)) for split, count in rows.items()],
    )


def count_table(caption: str, counts: Mapping[str, int], what: str = "what") -> Table:
    """List numbers of rows by name."""
    return Table(caption, (what, "rows"), list(counts.items()))


def fact_table(caption: str, facts: Mapping[str, str]) -> Table:
    """List what is a word or a figure, by name."""
    return Table(caption, ("what", "value"), list(facts.items()), texts=(1,))
