"""The same recipe once for each of several seeds, and what the runs say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ranklet.data.reading.memory import Data, as_source
from ranklet.errors import RunError
from ranklet.evaluation.comparison.across_seeds import AcrossSeeds, summarise_seeds
from ranklet.files import make_folder, write_atomically
from ranklet.local_paths import write_local_paths
from ranklet.recipe import Recipe, load_recipe, recipe_hash, shared_recipe, to_yaml
from ranklet.run.certificate import certified_data
from ranklet.run.folder import Run, SeedFolder, write_json
from ranklet.run.new_run import check_vacant, chosen_folder
from ranklet.run.observer import Observer
from ranklet.run.reading import read_evaluations, was_interrupted
from ranklet.workflows.from_recipe.checks import check_before_download
from ranklet.workflows.from_recipe.placement import encoder_of
from ranklet.workflows.from_recipe.splits import InMemoryBySplit, read_splits, with_sources
from ranklet.workflows.train import train


@dataclass(frozen=True)
class SeedRuns:
    """The runs of several seeds.

    Attributes:
        folder: Holds one run a seed, `seed-0` and so on, and `seeds.json`.
        runs: The finished runs by seed.
        figures: Summaries by split and figure.
    """

    folder: Path
    runs: Mapping[int, Run]
    figures: Mapping[str, Mapping[str, AcrossSeeds]]


def train_seeds(
    recipe: Recipe,
    seeds: Sequence[int],
    out: str | Path | None = None,
    *,
    data: Data | None = None,
    validation: Data | float | None = None,
    test: Data | None = None,
    name: str = "run",
    open_observer: Callable[[Run], AbstractContextManager[Observer]] | None = None,
) -> SeedRuns:
    """Train a recipe once for each seed; nothing is picked among the runs.

    A seed moves the validation rows (unless they are a file), the fresh tensors, the order of the
    texts and all dropout. Called again with the same folder, it keeps the finished runs of the same
    recipe and trains what is missing.

    Args:
        recipe: What to do; its own seed is not used.
        seeds: Different ones.
        out: Folder of the runs; None: a new one below `runs/`.
        data: Training texts in place of the recipe's, as of `train`.
        validation: Texts that choose the best weights, as of `train`.
        test: Texts for the final figures, as of `train`.
        name: Name of the new folder below `runs/`.
        open_observer: Opens an observer for a run that is to be trained.

    Raises:
        RunError: A seed stands there twice, or the folder holds the run of another recipe, or of
            other texts in memory.
        RankletError: Any problem of a training.
        KeyboardInterrupt: Ctrl-C; the run of its seed is finished where a validation had been done.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise RunError(f"seeds {list(seeds)}: name at least one, and each once")
    with chosen_folder(out, name) as folder:
        return _train_each(
            recipe,
            seeds,
            SeedFolder(folder),
            data=_read_once(data),
            validation=_read_once(validation),
            test=_read_once(test),
            open_observer=open_observer,
        )


def _train_each(
    recipe: Recipe,
    seeds: Sequence[int],
    folder: SeedFolder,
    *,
    data: Data | None,
    validation: Data | float | None,
    test: Data | None,
    open_observer: Callable[[Run], AbstractContextManager[Observer]] | None,
) -> SeedRuns:
    changed, in_memory = with_sources(recipe, data, validation, test)
    check_before_download(changed, encoder_of(changed))
    _open_folder(folder, changed.model_copy(update={"seed": 0}))
    if in_memory:
        _check_texts(changed, in_memory, map(folder.run, seeds))
    train_on = partial(train, data=data, validation=validation, test=test)
    runs = {
        seed: _run_of(recipe, seed, folder.run(seed), train_on, open_observer) for seed in seeds
    }
    figures = summarise_seeds([read_evaluations(run) for run in runs.values()])
    summary = {
        "seeds": list(seeds),
        "figures": {
            split: {figure: asdict(across) for figure, across in entries.items()}
            for split, entries in figures.items()
        },
    }
    write_json(folder.summary, summary)
    return SeedRuns(folder.folder, runs, figures)


def _read_once(data: Data | float | None) -> Any:
    """Use up an iterator, so that every seed trains on its texts."""
    return data if data is None or isinstance(data, int | float) else as_source(data)


def _check_texts(recipe: Recipe, in_memory: InMemoryBySplit, runs: Iterable[Run]) -> None:
    """Refuse finished runs of other texts: no recipe tells texts in memory apart."""
    finished = [run for run in runs if run.is_finished]
    hashes = read_splits(recipe.data, recipe.seed, in_memory).sha256 if finished else {}
    for run in finished:
        if certified_data(run) != hashes:
            raise RunError(f"{run.folder}: was trained on other texts; choose another --out")


def _open_folder(seeds: SeedFolder, recipe: Recipe) -> None:
    shared, local_paths = shared_recipe(recipe)
    if not seeds.is_begun:
        check_vacant(seeds.folder)
        make_folder(seeds.folder)
        write_local_paths(seeds.folder, local_paths)
        write_atomically(seeds.recipe, to_yaml(shared))
    elif recipe_hash(load_recipe(seeds.recipe, as_shared=True)) != recipe_hash(shared):
        raise RunError(f"{seeds.folder}: holds the seeds of another recipe; choose another --out")


def _run_of(
    recipe: Recipe,
    seed: int,
    run: Run,
    train_on: Callable[..., Run],
    open_observer: Callable[[Run], AbstractContextManager[Observer]] | None,
) -> Run:
    if run.is_finished:
        return run
    context = nullcontext(Observer()) if open_observer is None else open_observer(run)
    with context as observer:
        observer.report(f"seed {seed}")
        train_on(recipe.model_copy(update={"seed": seed}), run.folder, observer=observer)
    if was_interrupted(run):
        raise KeyboardInterrupt(
            f"{run.folder} is finished; the same command trains what is missing"
        )
    return run
