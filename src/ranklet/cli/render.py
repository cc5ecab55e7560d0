"""What people see in a terminal: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from ranklet.cli.evaluation_tables import further_lines, further_tables, with_interval
from ranklet.labels import as_written

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from ranklet.budget.plan import ParameterPlan
    from ranklet.evaluation.result import Evaluation, LabelSetFigures
    from ranklet.run.folder import Run
    from ranklet.run.observer import Observer
    from ranklet.workflows.classify import Classification
    from ranklet.workflows.fit_ranks import FrontierRow
    from ranklet.workflows.shrink import ShrinkResult
    from ranklet.workflows.train_seeds import SeedRuns
    from ranklet.workflows.verify import Check

BAR_WIDTH = 30


def print_error(problem: str) -> None:
    """Print a problem to stderr in one line, even where it quotes a name that has several."""
    sys.stderr.write(f"error: {printable(problem)}\n")


def printable(line: str) -> str:
    """Replace what would colour a terminal or move its cursor."""
    return "".join(character if character.isprintable() else "?" for character in line)


def print_json(content: Any) -> None:
    """Print JSON to stdout."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def print_plan(plan: ParameterPlan) -> None:
    """Print the rows of a plan and its total against the budget."""
    from rich.table import Table

    table = Table("module", "kind", "rank", "shape", "parameters", box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in plan.rows:
        rank = "" if row.rank is None else str(row.rank)
        shape = f"{row.shape[0]} x {row.shape[1]}"
        table.add_row(row.module, row.kind, rank, shape, f"{row.parameters:,}")
    table.add_section()
    table.add_row("total", "", "", "", f"{plan.total:,}")
    table.add_row("budget", "", "", "", f"{plan.budget:,}")
    table.add_row("remaining", "", "", "", f"{plan.remaining:,}")
    _stdout().print(table)


def print_plan_tree(plan: ParameterPlan) -> None:
    """Print every trained module by layer, with its rank, alpha and cost."""
    from rich.tree import Tree

    from ranklet.budget.plan import rows_by_layer

    budget = f"of {plan.budget:,}, remaining {plan.remaining:,}"
    tree = Tree(f"total {plan.total:,} {budget}", highlight=False)
    for name, rows in rows_by_layer(plan).items():
        branch = tree.add(f"{name}: {sum(row.parameters for row in rows):,}")
        for row in rows:
            adapter = "" if row.rank is None else f" rank {row.rank} alpha {row.alpha:g}"
            branch.add(f"{row.module}  {row.kind}{adapter}: {row.parameters:,}")
    _stdout().print(tree)


def print_frontier(rows: Sequence[FrontierRow], as_json: bool) -> None:
    """Print what each budget buys."""
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    from rich.table import Table

    columns = ("budget", "head", "modules", "ranks", "parameters", "unused")
    table = Table(*columns, box=None, pad_edge=False)
    for column in (table.columns[0], *table.columns[2:]):
        column.justify = "right"
    for row in rows:
        low, high = row.lowest_rank, row.highest_rank
        table.add_row(
            f"{row.budget:,}",
            row.head,
            str(row.modules),
            str(low) if low == high else f"{low} to {high}",
            f"{row.parameters:,}",
            f"{row.unused:,}",
        )
    _stdout().print(table)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; what cannot be printed becomes a question mark."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _stdout().print(table)


def print_evaluation(
    evaluation: Evaluation, details: bool = False, slice_by: Sequence[str] = ()
) -> None:
    """Print the figures of an evaluation with their 95 % intervals.

    Args:
        evaluation: The figures.
        details: Print reliability, coverage and all slices too.
        slice_by: Columns whose slices are printed in any case.
    """
    from rich.table import Table
    from rich.text import Text

    console = _stdout()
    console.print(f"{evaluation.split}: {evaluation.rows:,} texts, 95 % intervals in brackets")
    console.print(f"{evaluation.accuracy_name}  {with_interval(evaluation.accuracy)}")
    for line in further_lines(evaluation):
        console.print(line)
    table = Table("", "texts", "precision", "recall", "F1", box=None, pad_edge=False)
    for entry in evaluation.classes:
        scores = [with_interval(metric) for metric in (entry.precision, entry.recall, entry.f1)]
        table.add_row(Text(entry.label), f"{entry.support:,}", *map(Text, scores))
    sets = evaluation.label_sets
    averaged: list[tuple[str, object]] = [("macro", evaluation), ("weighted", evaluation)]
    for kind, holder in averaged if sets is None else [("micro", sets), *averaged]:
        averages = [
            with_interval(getattr(holder, f"{score}_{kind}"))
            for score in ("precision", "recall", "f1")
        ]
        table.add_row(f"{kind} mean", "", *map(Text, averages))
    if sets is not None:
        console.print(f"Hamming loss  {with_interval(sets.hamming_loss)}")
        console.print(table)
        console.print(_decisions(evaluation.labels, sets))
    else:
        console.print(table)
        console.print(_confusion(evaluation))
    for further in further_tables(evaluation, details, slice_by):
        console.print(further)


def _confusion(evaluation: Evaluation) -> Table:
    from rich.table import Table
    from rich.text import Text

    confusion = Table("true \\ predicted", box=None, pad_edge=False)
    for name in evaluation.labels:
        confusion.add_column(Text(name), justify="right")
    for name, counts in zip(evaluation.labels, evaluation.confusion, strict=True):
        confusion.add_row(Text(name), *(f"{count:,}" for count in counts))
    return confusion


def _decisions(labels: Sequence[str], sets: LabelSetFigures) -> Table:
    """Lay out how often each label was given rightly, wrongly and not at all."""
    from rich.table import Table
    from rich.text import Text

    table = Table("", "threshold", "given rightly", "given wrongly", "missed", "rightly not given")
    table.box, table.pad_edge = None, False
    for column in table.columns[1:]:
        column.justify = "right"
    for name, threshold, counts in zip(labels, sets.thresholds, sets.confusion, strict=True):
        without, wrongly, missed, rightly = counts
        shown = (f"{count:,}" for count in (rightly, wrongly, missed, without))
        table.add_row(Text(name), f"{threshold:.4f}", *shown)
    return table


def print_classifications(answers: Sequence[Classification]) -> None:
    """Print each text's label and a bar for every label."""
    for answer in answers:
        sys.stdout.write(f"{as_written(answer.label) or '(no label)'}\n")
        width = max(len(name) for name in answer.probabilities)
        ranked = sorted(answer.probabilities.items(), key=lambda item: -item[1])
        for name, probability in ranked:
            bar = "█" * round(probability * BAR_WIDTH)
            sys.stdout.write(f"  {name:<{width}}  {probability:6.1%}  {bar}\n")


def print_classifications_json(answers: Sequence[Classification]) -> None:
    """Print the answers as JSON to stdout."""
    print_json([asdict(answer) for answer in answers])


def print_checks(checks: Sequence[Check]) -> None:
    """Print one line for each check of a run."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        line = f"{check.name:<{width}}  {check.state:<11}  {check.detail}"
        sys.stdout.write(printable(line) + "\n")


def print_checks_json(checks: Sequence[Check]) -> None:
    """Print the checks of a run as JSON to stdout."""
    print_json([asdict(check) for check in checks])


def print_shrunk(shrunk: ShrinkResult) -> None:
    """Print what a shrunk adapter holds, and its figures before and after."""
    (before, after), (modules, left) = shrunk.parameters, shrunk.modules
    sys.stdout.write(f"parameters: {before:,} before, {after:,} after\n")
    sys.stdout.write(f"adapted modules: {modules} before, {left} after\n")
    sys.stdout.write(f"kept of the squared singular values: {shrunk.kept_energy:.1%}\n")
    sys.stdout.write(f"validation: {shrunk.validation}\n")
    for name, found in (("before", shrunk.before), ("after", shrunk.after)):
        if found is not None:
            accuracy = f"{found.accuracy_name} {with_interval(found.accuracy)}"
            sys.stdout.write(f"{name:<6}  {accuracy}, loss {found.log_loss:.4f}\n")
    sys.stdout.write(f"folder: {shrunk.folder}\n")


def print_run(run: Run) -> None:
    """Print where a finished run lies and what it reached."""
    from ranklet.run.reading import read_evaluations

    for name, evaluation in read_evaluations(run).items():
        accuracy = f"{evaluation.accuracy_name}  {with_interval(evaluation.accuracy)}"
        sys.stdout.write(f"{name} {accuracy}\n")
    sys.stdout.write(f"run: {run.folder}\nreport: {run.report}\n")


def was_interrupted(run: Run) -> bool:
    """Tell whether Ctrl-C ended the training of a run."""
    from ranklet.run.folder import read_json

    return bool(read_json(run.environment)["ended_by"] == "interrupt")


def print_seeds(done: SeedRuns) -> None:
    """Print what several seeds reached, each and together."""
    from rich.table import Table
    from rich.text import Text

    table = Table("split", "figure", "mean", "std", "95 % interval of the mean", "each seed")
    table.box, table.pad_edge = None, False
    for split, figures in done.figures.items():
        for figure, found in figures.items():
            std = "" if found.std is None else f"{found.std:.4f}"
            interval = "" if found.interval is None else "[{:.4f}, {:.4f}]".format(*found.interval)
            each = " ".join(f"{value:.4f}" for value in found.values)
            table.add_row(split, figure, f"{found.mean:.4f}", std, Text(interval), each)
    _stdout().print(table)
    sys.stdout.write(f"runs: {done.folder}\n")


@contextmanager
def training_observer(run: Run, track: Literal["tensorboard"] | None) -> Iterator[Observer]:
    """Show a training: lines at its stages and, in a terminal, a progress bar.

    Args:
        run: The run that is to be written.
        track: Who else is told.
    """
    with ExitStack() as stack:
        shown = stack.enter_context(_shown_training())
        if track is None:
            yield shown
            return
        from ranklet.run.observer import tensorboard_events, together

        yield together([shown, stack.enter_context(tensorboard_events(run))])


@contextmanager
def _shown_training() -> Iterator[Observer]:
    from ranklet.evaluation.wording import memory
    from ranklet.run.environment import peak_memory_bytes
    from ranklet.run.observer import Observer

    with _progress("{task.fields[state]}") as progress:
        task = progress.add_task("training", total=None, visible=False, state="")

        def start(total_steps: int) -> None:
            progress.update(task, total=total_steps, visible=True)

        def record(entry: dict[str, Any]) -> None:
            if entry["kind"] == "train":
                tokens_per_s = entry["texts_per_s"] * entry["tokens"] / entry["texts"]
                state = (
                    f"loss {entry['loss']:.3f}  rate {entry['learning_rate']:.1e}  "
                    f"{entry['texts_per_s']:.0f} texts/s  {tokens_per_s:,.0f} tokens/s  "
                    f"{entry['padding']:.0%} padding  "
                    f"{memory(peak_memory_bytes())}"
                )
                progress.update(task, completed=entry["step"], state=state)
            else:
                progress.console.print(
                    f"epoch {entry['epoch']:.2f}: validation loss {entry['loss']:.4f}, "
                    f"accuracy {entry['accuracy']:.4f}, macro F1 {entry['macro_f1']:.4f}"
                )

        yield Observer(lambda line: progress.console.print(line, markup=False), start, record)


@contextmanager
def text_counter() -> Iterator[Callable[[int], None]]:
    """Show, in a terminal, how many texts are done."""
    with _progress("{task.completed:,} texts") as progress:
        task = progress.add_task("predicting", total=None)
        yield lambda texts: progress.update(task, completed=texts)


def _progress(state: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(state))
    return Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _stdout() -> Console:
    from rich.console import Console

    # Wide where nobody looks, so that a file or a pipe gets whole rows.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)
