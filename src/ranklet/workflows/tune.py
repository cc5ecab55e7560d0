"""Find the best recipe under a budget of trained parameters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ranklet.errors import RunError
from ranklet.files import write_atomically
from ranklet.recipe import Recipe, as_recipe, recipe_hash, to_yaml
from ranklet.recipe.space import Space, default_space, parse_space, space_values
from ranklet.run.folder import read_json, write_json
from ranklet.run.new_run import chosen_folder, locked_folder
from ranklet.search.asking import ask
from ranklet.search.folder import SearchFolder
from ranklet.search.record import SearchRecord
from ranklet.search.sampling import point_of, with_point
from ranklet.search.trial import SearchResult, Trial
from ranklet.search.values import finished_trials
from ranklet.workflows._tune.conclusion import best_of, conclude
from ranklet.workflows._tune.driver import Driver
from ranklet.workflows._tune.fitting import fit_point
from ranklet.workflows._tune.job import Job
from ranklet.workflows._tune.start import Start, begin
from ranklet.workflows._tune.workers import LocalWorkers, RayWorkers, Workers

__all__ = ["RayWorkers", "Search", "SearchObserver", "tune"]

# A point that was another trial's is asked for again so often; then the space has no more.
ATTEMPTS = 30


@dataclass(frozen=True)
class SearchObserver:
    """Who is told what happens during a search.

    Attributes:
        report: Receives lines for a person.
        changed: Receives a trial when something came of it.
    """

    report: Callable[[str], None] = lambda line: None
    changed: Callable[[Trial], None] = lambda trial: None


@dataclass(frozen=True, eq=False)
class Search:
    """A search that has ended.

    Attributes:
        folder: Holds the trials, `best.yaml`, `tune.html` and `tune.json`.
        result: What it found.
        recipe: The winner's, complete; None where nothing was trained.
        interrupted: Ctrl-C ended it early; the same call goes on.
    """

    folder: Path
    result: SearchResult
    recipe: Recipe | None
    interrupted: bool


def tune(
    recipe: Recipe | str | Path,
    space: Space | Mapping[str, Any] | None = None,
    *,
    trials: int = 40,
    out: str | Path | None = None,
    seconds: float | None = None,
    workers: int | Workers = 1,
    frontier: bool = False,
    fresh_seeds: int = 3,
    observer: SearchObserver | None = None,
) -> Search:
    """Search for the best recipe under its budget; test texts are never read.

    Trial 0 is the recipe as it is. Trials train a part of their steps, the best go on from where
    they paused, and the winner and the recipe as it was are trained again on fresh seeds. The same
    call with the same folder goes on where it was killed, and ends with the same trials.

    Args:
        recipe: A recipe, the name of a built-in one, or a file; its seed is that of the search.
        space: What may differ; None: its section `tune`, else a built-in space.
        trials: How many, trial 0 included.
        out: Folder of the search; None: a new one below `runs/`.
        seconds: Wall-clock time after which it ends with what it has; None: no limit.
        workers: Processes of this machine that train at once, or others, such as `RayWorkers`.
        frontier: Search for few parameters as well as for accuracy.
        fresh_seeds: Seeds on which the winner and the recipe as it was are trained again.
        observer: Receives what happens.

    Raises:
        RankletError: Any problem of the recipe, the space, the data, the encoder or the disk; or
            three trials in a row fail alike.
        MissingExtraError: Optuna or Ray is not installed.
    """
    started = time.monotonic()
    observer = observer or SearchObserver()
    given = as_recipe(recipe)
    start = begin(given, observer.report)
    chosen = _space(space, given, start.recipe)
    mark = {
        "recipe": recipe_hash(start.recipe),
        "space": space_values(chosen),
        "trials": trials,
        "frontier": frontier,
    }
    with chosen_folder(out, "tune") as path, _opened(SearchFolder(path), mark) as folder:
        record = SearchRecord(folder.record, observer.report)
        team = LocalWorkers(workers) if isinstance(workers, int) else workers
        interrupted = False
        driver = Driver(
            folder=folder,
            record=record,
            workers=team,
            rungs=start.rungs,
            wanted=trials,
            recipe_of=lambda trial: with_point(start.recipe, trial.settings),
            ask=partial(_next, chosen, start, frontier),
            report=observer.report,
            changed=observer.changed,
            deadline=None if seconds is None else started + seconds,
        )
        again: Mapping[str, Mapping[int, float]] = {}
        try:
            driver.explore()
            for rung in range(len(start.rungs) - 1):
                driver.promote(rung)
            again = _train_again(driver, start, fresh_seeds)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            team.close()
        result = conclude(
            folder,
            chosen,
            record.trials,
            again,
            SearchResult(
                metric=start.recipe.training.metric,
                budget=start.recipe.budget,
                rungs=start.rungs,
                seconds=time.monotonic() - started,
                counters=_shared(record.trials),
            ),
        )
        best = None if result.best is None else driver.recipe_of(record[result.best])
        if best is not None:
            write_atomically(folder.best, to_yaml(best))
    return Search(path, result, best, interrupted)


def _space(space: Space | Mapping[str, Any] | None, given: Recipe, resolved: Recipe) -> Space:
    if isinstance(space, Space):
        return space
    if space is not None:
        return parse_space(space)
    return parse_space(given.tune) if given.tune else default_space(resolved)


@contextmanager
def _opened(folder: SearchFolder, mark: dict[str, Any]) -> Iterator[SearchFolder]:
    """Lock the folder of a search while the block runs; only its own beginning is there.

    Raises:
        RunError: It holds something else, or another process is at work there.
    """
    with locked_folder(folder.folder, folder.lock, "searches"):
        others = {path.name for path in folder.folder.iterdir()} - {folder.lock.name}
        if folder.mark.is_file():
            if read_json(folder.mark) != mark:
                raise RunError(
                    f"{folder.folder}: holds a search of another recipe, space or number of "
                    "trials; choose another --out"
                )
        elif others:
            raise RunError(f"{folder.folder}: holds other files; choose another --out")
        else:
            write_json(folder.mark, mark)
        yield folder


def _next(space: Space, start: Start, frontier: bool, trials: Sequence[Trial]) -> Trial | None:
    """Return the trial behind some others; None where all points of the space were tried."""
    number, seed = len(trials), start.recipe.seed
    if number == 0:
        own = point_of(start.recipe, space)
        return Trial(0, own, own, start.count(start.recipe))
    tried = [trial.settings for trial in trials]
    for attempt in range(ATTEMPTS):
        point = ask(space, trials, seed, attempt, frontier)
        fitted = fit_point(start.recipe, point, start.count)
        if fitted.settings not in tried:
            state: Literal["over budget", "waiting"] = "over budget" if fitted.reason else "waiting"
            return Trial(
                number, point, fitted.settings, fitted.parameters, state, error=fitted.reason
            )
    return None


def _train_again(driver: Driver, start: Start, count: int) -> Mapping[str, Mapping[int, float]]:
    """Train the winner and the recipe as it was on fresh seeds; return their validations."""
    best = best_of(driver.record.trials)
    if best is None or best.number == 0 or driver.is_late:
        return {}
    recipes = {"winner": driver.recipe_of(best), "default": driver.recipe_of(driver.record[0])}
    seeds = range(start.recipe.seed + 1, start.recipe.seed + 1 + count)
    pairs = [(name, seed) for seed in seeds for name in recipes]
    jobs = [
        Job(
            number,
            recipes[name].model_copy(update={"seed": seed}).model_dump_json(),
            str(driver.folder.again(name, seed).folder),
            1.0,
        )
        for number, (name, seed) in enumerate(pairs)
    ]
    outcomes = driver.train(jobs)
    values: dict[str, dict[int, float]] = {name: {} for name in recipes}
    for number, (name, seed) in enumerate(pairs):
        if number in outcomes and (value := outcomes[number].value) is not None:
            values[name][seed] = value
    return values


def _shared(trials: Sequence[Trial]) -> Mapping[str, int]:
    """Count the optimizer steps that were taken, and what all trials to their end would take."""
    whole = [trial.steps for trial in finished_trials(trials)]
    average = round(sum(whole) / len(whole)) if whole else 0
    return {
        "optimizer steps taken": sum(trial.steps for trial in trials),
        "steps if no trial had paused, about": average * sum(trial.steps > 0 for trial in trials),
    }
