"""compare: several runs on the same texts, and which of their differences are noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ranklet.evaluation.verdicts import Comparison, compare_contenders
from ranklet.files import write_atomically
from ranklet.workflows.compared_runs import (
    ComparedRun,
    ComparedSplit,
    as_contenders,
    open_groups,
)
from ranklet.workflows.write_run import read_records


def compare(
    runs: Sequence[str | Path],
    *,
    split: ComparedSplit = "test",
    out: str | Path | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare runs by what they answered to the same texts; nothing is computed again.

    Runs whose recipes, data and encoders differ by nothing but the seed are one system. Where all
    given runs are of one system, they are compared with each other, and whatever they differ by is
    noise: of the seed.

    Args:
        runs: Folders of finished runs, or of the runs of several seeds (`train --seeds`).
        split: `test`, or `validation`, by which to choose.
        out: HTML file to write: one page with tables, curves and agreement.
        seed: Seed of the bootstrap.

    Raises:
        RunError: A folder holds no finished run or lacks predictions, there is only one run, one
            is named twice, the texts differ, or the page cannot be written.
    """
    groups = open_groups([Path(path) for path in runs], split)
    same_recipe = len(groups) == 1
    if same_recipe:
        groups = [(run.name, [run]) for run in groups[0][1]]
    comparison = compare_contenders(as_contenders(groups, split), split, same_recipe, seed)
    if out is not None:
        write_page(Path(out), comparison, groups)
    return comparison


def write_page(
    path: Path, comparison: Comparison, groups: Sequence[tuple[str, Sequence[ComparedRun]]]
) -> None:
    """Write a comparison as an HTML page.

    Raises:
        RunError: The records of a run are broken, or the page cannot be written.
    """
    from ranklet.evaluation.comparison_figures import RunCurves
    from ranklet.evaluation.comparison_page import render_comparison

    curves = [
        RunCurves(
            entry=name,
            name=each.name,
            records=read_records(each.run) if each.run.metrics.is_file() else [],
            confidence=each.predictions.confidence,
            right=each.predictions.right,
        )
        for name, members in groups
        for each in members
    ]
    write_atomically(path, render_comparison(comparison, curves))
