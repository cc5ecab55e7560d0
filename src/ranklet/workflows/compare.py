"""Several runs on the same texts, and which of their differences are noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ranklet.data.reading.memory import Data, as_source
from ranklet.errors import RunError
from ranklet.evaluation.comparison.verdicts import Comparison, compare_contenders
from ranklet.files import write_atomically
from ranklet.run.folder import Run
from ranklet.run.model_source import ModelSource, as_model_source, name_of
from ranklet.run.records import read_records
from ranklet.workflows._compare.classifiers import ask_like, is_trained_here
from ranklet.workflows._compare.runs import ComparedRun, ComparedSplit, as_contenders, open_groups
from ranklet.workflows.estimate import estimate


def compare(
    runs: Sequence[str | Path | Run | ModelSource],
    *,
    split: ComparedSplit = "test",
    out: str | Path | None = None,
    target: Data | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Compare runs by what they answered to the same texts.

    A classifier that is no run (a PEFT adapter, a whole classifier of transformers) is asked about
    the test texts of the first run; else only for a target is anything computed.

    Runs whose recipes, data and encoders differ by nothing but the seed are one system. Where all
    given runs are of one system, they are compared with each other, and whatever they differ by is
    noise: of the seed.

    Args:
        runs: Finished runs or their folders, or folders of the runs of several seeds
            (`train --seeds`), and any classifiers to compare them with.
        split: `test`, or `validation`, by which to choose.
        out: HTML file to write: one page with tables, curves and agreement.
        target: Texts without labels, as `estimate` takes them: which accuracy to expect of each
            there; it loads and asks every run.
        seed: Seed of the bootstrap.
        report: Receives a line at each long stage of the target.

    Raises:
        RunError: A folder holds no finished run or lacks predictions, there is only one run, one
            is named twice, the texts differ, or the page cannot be written.
        RankletError: Any problem of `estimate` with the target, or a classifier cannot be loaded.
    """
    models = [as_model_source(run) for run in runs]
    others = [model for model in models if not is_trained_here(model)]
    if others and (split, target) != ("test", None):
        raise RunError(
            f"{name_of(others[0])}: is no run, so it has no {split} predictions and no estimate; "
            "compare it on test alone"
        )
    folders = [model.folder for model in models if model not in others]
    groups = open_groups(folders, split, fewest=1 if others else 2)
    same_recipe = len(groups) == 1 and not others
    if same_recipe:
        groups = [(run.name, [run]) for run in groups[0][1]]
    contenders = [
        *as_contenders(groups, split),
        *(ask_like(groups[0][1][0], model) for model in others),
    ]
    comparison = compare_contenders(contenders, split, same_recipe, seed)
    if target is not None:
        texts = as_source(target)
        estimates = {
            name: estimate(
                members[0].run,
                texts,
                others=[member.run for member in members[1:]],
                report=report,
            )
            for name, members in groups
        }
        comparison = replace(comparison, estimates=estimates)
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
    from ranklet.evaluation.report.comparison_page import render_comparison
    from ranklet.evaluation.report.figures.comparison import RunCurves

    curves = [
        RunCurves(
            entry=name,
            name=member.name,
            records=read_records(member.run) if member.run.metrics.is_file() else [],
            confidence=member.predictions.confidence,
            right=member.predictions.right,
        )
        for name, members in groups
        for member in members
    ]
    write_atomically(path, render_comparison(comparison, curves))
