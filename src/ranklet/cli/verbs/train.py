"""ranklet train: the verb, its progress, and what the run reached, or several of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ranklet.cli import options
from ranklet.cli.recipe_of import recipe_of
from ranklet.cli.terminal import print_line, print_table, progress_bar, report
from ranklet.foreign_text import printable

if TYPE_CHECKING:
    from ranklet.run.folder import Run
    from ranklet.run.observer import Observer
    from ranklet.workflows.train_seeds import SeedRuns


def train(
    source: options.SourceArgument,
    text: options.TextOption = None,
    label: options.LabelOption = None,
    test: options.TestOption = None,
    set_: options.SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: a new one below runs/.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="0..4", help="One run a seed (0..4 or 0,3,7) and their mean and std."),
    ] = None,
    track: Annotated[
        Literal["tensorboard"] | None,
        typer.Option(help="Write TensorBoard's events into the run too (extra track)."),
    ] = None,
) -> None:
    """Train a classifier under its budget and write the run."""
    from ranklet.launch import read_launch
    from ranklet.run.folder import Run
    from ranklet.run.new_run import chosen_folder
    from ranklet.run.reading import was_interrupted
    from ranklet.workflows.train import train

    launch = read_launch()
    if out is None:
        launch.refuse_several("a folder of its own for each start", "name one with --out")
    if seeds is not None:
        launch.refuse_several("--seeds", "start one training for each seed")
    resolved, seen = recipe_of(source, text or [], label, test, set_ or [])
    if launch.index:
        train(resolved, out)  # process 0 does the talking
        return
    for line in seen:
        report(line)
    observe = partial(training_observer, track=track)
    with chosen_folder(out, options.stem_of(source)) as folder:
        if seeds is not None:
            from ranklet.workflows.train_seeds import train_seeds

            print_seeds(train_seeds(resolved, _seeds(seeds), folder, open_observer=observe))
            return
        with observe(Run(folder)) as observer:
            run = train(resolved, folder, observer=observer)
    print_run(run)
    if was_interrupted(run):
        raise typer.Exit(130)


def print_run(run: Run) -> None:
    """Print what a finished run reached, what would help it, and what to do next."""
    from ranklet.run.advice import advice_of, next_commands, standing_of
    from ranklet.run.reading import read_evaluations

    for name, evaluation in read_evaluations(run).items():
        print_line(f"{name} {evaluation.accuracy_name}  {evaluation.accuracy}")
    for line in standing_of(run):
        print_line(line)
    for line in advice_of(run):
        print_line(f"may help: {line}")
    for command in next_commands(run):
        print_line(f"next: {command}")
    print_line(f"run: {run.folder}")
    print_line(f"report: {run.report}")


def print_seeds(runs: SeedRuns) -> None:
    """Print what several seeds reached, alone and together."""
    from ranklet.evaluation.report.table import Table

    rows = [
        [
            split,
            name,
            figure.mean,
            figure.std,
            "" if figure.interval is None else "[{:.4f}, {:.4f}]".format(*figure.interval),
            " ".join(f"{value:.4f}" for value in figure.values),
        ]
        for split, figures in runs.figures.items()
        for name, figure in figures.items()
    ]
    columns = ["split", "figure", "mean", "std", "95 % interval of the mean", "each seed"]
    print_table(Table("", columns, rows, texts=(1, 4, 5)))
    print_line(f"runs: {runs.folder}")


@contextmanager
def training_observer(run: Run, track: Literal["tensorboard"] | None) -> Iterator[Observer]:
    """Show a training: lines at its stages and, in a terminal, a progress bar.

    Args:
        run: The run that is to be written.
        track: Who else hears of it.
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

    with progress_bar("{task.fields[state]}") as bar:
        task = bar.add_task("training", total=None, visible=False, state="")

        def start(total_steps: int) -> None:
            bar.update(task, total=total_steps, visible=True)

        def record(entry: dict[str, Any]) -> None:
            if entry["kind"] != "validation":
                tokens_per_s = entry["texts_per_s"] * entry["tokens"] / entry["texts"]
                state = (
                    f"loss {entry['loss']:.3f}  rate {entry['learning_rate']:.1e}  "
                    f"{entry['texts_per_s']:.0f} texts/s  {tokens_per_s:,.0f} tokens/s  "
                    f"{entry['padding']:.0%} padding  {memory(peak_memory_bytes())}"
                )
                bar.update(task, completed=entry["step"], state=state)
            else:
                bar.console.print(
                    f"epoch {entry['epoch']:.2f}: validation loss {entry['loss']:.4f}, "
                    f"accuracy {entry['accuracy']:.4f}, macro F1 {entry['macro_f1']:.4f}"
                )

        def report(line: str) -> None:
            bar.console.print(printable(line), markup=False)

        yield Observer(report, start, record)


def _seeds(text: str) -> list[int]:
    """Read `0..4`, both ends included, or `0,3,7`."""
    first, dots, last = text.partition("..")
    numbers = [first, last] if dots else text.split(",")
    if not all(number.strip().isdecimal() for number in numbers):
        raise typer.BadParameter(f"{text!r} is neither 0..4 nor 0,3,7", param_hint="--seeds")
    values = [int(number) for number in numbers]
    return list(range(values[0], values[1] + 1)) if dots else values
