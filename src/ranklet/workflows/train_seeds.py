"""The same recipe once for each of several seeds, and what the runs say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from ranklet.errors import RunError
from ranklet.evaluation.comparison.across_seeds import AcrossSeeds, summarise_seeds
from ranklet.files import write_atomically
from ranklet.recipe import Recipe, load_recipe, recipe_hash, to_yaml
from ranklet.run.folder import Run, SeedFolder, check_vacant, free_folder, write_json
from ranklet.run.observer import Observer
from ranklet.run.reading import read_evaluations
from ranklet.workflows.from_recipe.placement import encoder_of
from ranklet.workflows.train import RUNS_FOLDER, check_before_download, train


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
        name: Name of the new folder below `runs/`.
        open_observer: Opens an observer for a run that is to be trained.

    Raises:
        RunError: A seed stands there twice, or the folder holds the run of another recipe.
        RankletError: Any problem of a training.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise RunError(f"seeds {list(seeds)}: name at least one, and each once")
    folder = free_folder(RUNS_FOLDER, name) if out is None else Path(out)
    seed_folder = SeedFolder(folder)
    check_before_download(recipe, encoder_of(recipe))
    _open_folder(folder, recipe.model_copy(update={"seed": 0}))
    runs = {
        seed: _run_of(
            recipe.model_copy(update={"seed": seed}), seed_folder.run(seed), open_observer
        )
        for seed in seeds
    }
    figures = summarise_seeds([read_evaluations(run) for run in runs.values()])
    summary = {
        "seeds": list(seeds),
        "figures": {
            split: {figure: asdict(across) for figure, across in entries.items()}
            for split, entries in figures.items()
        },
    }
    write_json(seed_folder.summary, summary)
    return SeedRuns(folder, runs, figures)


def _open_folder(folder: Path, recipe: Recipe) -> None:
    path = SeedFolder(folder).recipe
    if path.is_file() and not Run(folder).is_finished:
        if recipe_hash(load_recipe(path)) != recipe_hash(recipe):
            raise RunError(f"{folder}: holds the seeds of another recipe; choose another --out")
        return
    check_vacant(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_yaml(recipe))


def _run_of(
    recipe: Recipe,
    run: Run,
    open_observer: Callable[[Run], AbstractContextManager[Observer]] | None,
) -> Run:
    if run.is_finished:
        return run
    context = nullcontext(Observer()) if open_observer is None else open_observer(run)
    with context as observer:
        observer.report(f"seed {recipe.seed}")
        return train(recipe, run.folder, observer=observer)
