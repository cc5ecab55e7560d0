"""ranklet tune: the verb, its progress, and the winner with what it is worth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ranklet.cli import options
from ranklet.cli.recipe_of import recipe_of
from ranklet.cli.terminal import print_line, print_table, progress_bar, report, show

if TYPE_CHECKING:
    from ranklet.evaluation.report.table import Cell
    from ranklet.search.trial import SearchResult, Trial
    from ranklet.workflows.tune import Search

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def tune(
    source: options.SourceArgument,
    text: options.TextOption = None,
    label: options.LabelOption = None,
    set_: options.SetOption = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials, the recipe as it is included.")] = 40,
    space: Annotated[
        Path | None,
        typer.Option(help="YAML of what may differ; default: the recipe's tune, else built in."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the search; default: a new one below runs/.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="10m", help="End after this time with what there is.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trials at once.")] = 1,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes here, or a Ray cluster (extra ray).")
    ] = "local",
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Search for few parameters as well.")
    ] = False,
    fresh_seeds: Annotated[
        int, typer.Option(min=0, help="Seeds on which winner and default are trained again.")
    ] = 3,
    split: Annotated[
        str, typer.Option(help="What chooses: validation. Test texts never do.")
    ] = "validation",
    json: options.JsonOption = False,
) -> None:
    """Search for the best recipe under its budget, and say whether it beats the recipe as it is."""
    from ranklet.recipe.space import load_space
    from ranklet.workflows.tune import RayWorkers, SearchObserver, tune

    if split != "validation":
        raise typer.BadParameter(
            f"{split}: a search that looks at other texts than validation reports its luck; "
            "allowed: validation",
            param_hint="--split",
        )
    seconds = None if time is None else seconds_of(time)
    recipe, seen = recipe_of(source, text or [], label, None, set_ or [])
    for line in seen:
        report(line)
    with _shown_search(trials) as changed:
        search = tune(
            recipe,
            None if space is None else load_space(space),
            trials=trials,
            out=out,
            seconds=seconds,
            workers=RayWorkers(workers) if engine == "ray" else workers,
            frontier=frontier,
            fresh_seeds=fresh_seeds,
            observer=SearchObserver(report, changed),
        )
    if json:
        show(search.result, lambda result: None, as_json=True)
    else:
        print_search(search)
    if search.interrupted:
        raise typer.Exit(130)


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration such as 90s, 10m or 1h30m.

    Raises:
        typer.BadParameter: It is none.
    """
    if not re.fullmatch(r"(\d+[smhd])+", duration):
        raise typer.BadParameter(
            f"{duration}: is no duration; write such as 90s, 10m or 1h30m", param_hint="--time"
        )
    return float(sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([smhd])", duration)))


def print_search(search: Search) -> None:
    """Print the best trials, the winner's score without its luck, and what to do."""
    from ranklet.evaluation.report.table import Table
    from ranklet.search.folder import SearchFolder
    from ranklet.search.values import finished_trials, setting_in_words

    result, folder = search.result, SearchFolder(search.folder)
    if result.best is None:
        print_line("no trial came to its end")
        print_line(f"trials: {folder.record}")
        return
    shown = sorted(finished_trials(result.trials), key=lambda trial: -trial.values[-1])
    fields = sorted({field for trial in shown for field in trial.settings})
    rows: list[list[Cell]] = [
        [
            str(trial.number),
            trial.values[-1],
            trial.parameters,
            *(setting_in_words(trial.settings.get(field, "")) for field in fields),
        ]
        for trial in shown[:10]
    ]
    columns = ["trial", f"validation {result.metric}", "parameters", *fields]
    print_table(Table("", columns, rows, texts=tuple(range(3, len(columns)))))
    for line in _lines(result):
        print_line(line)
    print_line(f"recipe: {folder.best}")
    print_line(f"run: {folder.trial(result.best).folder}")
    print_line(f"page: {folder.page}")


def _lines(result: SearchResult) -> Iterator[str]:
    states = [trial.state for trial in result.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    yield f"trials: {counts}"
    assert result.best is not None
    best = result.trials[result.best]
    yield f"winner: trial {best.number}, validation {result.metric} {best.values[-1]:.4f}"
    if result.corrected is not None:
        own = result.corrected
        yield (
            f"without the luck of having been the best: {own.value:.4f} "
            f"[{own.low:.4f}, {own.high:.4f}]"
        )
    if result.smallest is not None:
        small = result.trials[result.smallest]
        yield (
            f"smallest that is not worse: trial {small.number}, {small.parameters:,} parameters, "
            f"{small.values[-1]:.4f}"
        )
    yield f"verdict: {result.verdict.words}"


@contextmanager
def _shown_search(trials: int) -> Iterator[Callable[[Trial], None]]:
    """Show what comes of trials and, in a terminal, how many ended and the best so far."""
    with progress_bar("{task.completed}/{task.total} trials {task.fields[state]}") as bar:
        task = bar.add_task("search", total=trials, state="")
        latest: dict[int, Trial] = {}

        def changed(trial: Trial) -> None:
            latest[trial.number] = trial
            report(_line(trial))
            best = max((own.values[-1] for own in latest.values() if own.values), default=None)
            state = "" if best is None else f"best {best:.4f}"
            bar.update(task, completed=len(latest), state=state)

        yield changed


def _line(trial: Trial) -> str:
    from ranklet.search.values import setting_in_words

    pairs = trial.settings.items()
    settings = ", ".join(f"{field}={setting_in_words(own)}" for field, own in pairs)
    value = "" if not trial.values else f" {trial.values[-1]:.4f}"
    error = f": {trial.error}" if trial.error else ""
    return f"trial {trial.number} {trial.state}, step {trial.steps}:{value}{error} ({settings})"
