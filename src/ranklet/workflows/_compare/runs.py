"""What runs answered to the same texts, and in what their recipes differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from ranklet.errors import RunError
from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.verdicts import Contender
from ranklet.evaluation.predictions import Predictions, read_predictions
from ranklet.evaluation.result import Evaluation
from ranklet.files import sha256_json
from ranklet.recipe import Recipe, load_recipe
from ranklet.run.folder import Run, SeedFolder, open_run, read_json
from ranklet.run.reading import read_evaluations
from ranklet.run.row_answers import row_answers

ComparedSplit = Literal["test", "validation"]
Fields = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A run that is compared with others.

    Attributes:
        name: What it is called.
        run: Its folder.
        recipe: Its recipe.
        predictions: What it said about each row of the split.
        evaluation: Its figures on the split.
        data_hashes: SHA-256 of its data files, by field.
        fields: Each field of its recipe but the seed: as it is shown, and what it is. A file is
            what its bytes are, wherever it lies.
    """

    name: str
    run: Run
    recipe: Recipe
    predictions: Predictions
    evaluation: Evaluation
    data_hashes: Mapping[str, str]
    fields: Fields

    @property
    def identity(self) -> dict[str, str]:
        """What makes its recipe this one, apart from the seed."""
        return {field: identity for field, (_, identity) in self.fields.items()}


def open_groups(
    paths: Sequence[Path], split: ComparedSplit, fewest: int = 2
) -> list[tuple[str, list[ComparedRun]]]:
    """Read runs and group those that differ by nothing but their seed.

    Args:
        paths: Folders of runs, or of the runs of several seeds (`train --seeds`).
        split: Whose predictions are read.
        fewest: Runs that there must be.

    Returns:
        Name and runs of each group, in the order given.

    Raises:
        RunError: A folder holds no finished run or lacks predictions, there are too few runs, one
            is named twice, or the rows of the split differ.
    """
    named = _names(paths)
    members = [
        (path, _read(run, name, split))
        for path in paths
        for name, run in _runs_of(path, named[path])
    ]
    if len(members) < fewest:
        raise RunError(f"{len(members)} run is named; name at least two to compare")
    runs = [run for _, run in members]
    for run in runs[1:]:
        _check_same_texts(runs[0], run, split)
    groups: list[tuple[str, dict[str, str], list[ComparedRun]]] = []
    whole: dict[Path, dict[str, str]] = {}
    for path, run in members:
        # The runs of a folder of seeds are one system, though a seed may choose ranks for them.
        identity = whole.setdefault(path, run.identity)
        group = next((held for _, known, held in groups if known == identity), None)
        if group is None:
            groups.append((named[path], identity, [run]))
            continue
        _check_another_seed(group, run)
        group.append(run)
    return [(_group_name(name, held), held) for name, _, held in groups]


def as_contenders(groups: Sequence[tuple[str, list[ComparedRun]]], split: str) -> list[Contender]:
    """Turn groups into what is compared, with the fields in which their recipes differ."""
    differing = _differing_fields([runs[0].fields for _, runs in groups])
    return [
        Contender(
            name=name,
            runs={run.recipe.seed: run.name for run in runs},
            evaluations={run.recipe.seed: run.evaluation for run in runs},
            answers={run.recipe.seed: _answers(run, split) for run in runs},
            parameters=int(read_json(runs[0].run.plan)["total"]),
            seconds=_mean_seconds(runs),
            fields=shown or {"seed": str(runs[0].recipe.seed)},
        )
        for (name, runs), shown in zip(groups, differing, strict=True)
    ]


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """Name folders by their last part, or as they are given where that is not clear."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise RunError(f"{', '.join(map(str, paths))}: a run is named twice; name each once")
    short = [path.resolve().name for path in paths]
    clear = len(set(short)) == len(short)
    return {path: name if clear else str(path) for path, name in zip(paths, short, strict=True)}


def _runs_of(path: Path, name: str) -> Iterator[tuple[str, Run]]:
    runs = SeedFolder(path)
    if not runs.summary.is_file():
        yield name, open_run(path)
        return
    for seed in read_json(runs.summary).get("seeds", []):
        folder = runs.run(seed).folder
        yield f"{name}/{folder.name}", open_run(folder)


def _read(run: Run, name: str, split: ComparedSplit) -> ComparedRun:
    evaluation = read_evaluations(run).get(split)
    if evaluation is None:
        raise RunError(f"{run.folder}: was not evaluated on {split}; train it with data.{split}")
    predictions = read_predictions(run.predictions(split))
    if len(predictions.labels) != evaluation.rows:
        raise RunError(
            f"{run.predictions(split)}: holds {len(predictions.labels):,} rows, the "
            f"evaluation beside it {evaluation.rows:,}; restore the run"
        )
    hashes = read_json(run.certificate).get("sha256", {})
    recipe = load_recipe(run.recipe, as_shared=True)
    files = {f"data.{field}": digest for field, digest in hashes.get("data", {}).items()}
    files["encoder"] = sha256_json(hashes.get("encoder", {}))
    return ComparedRun(
        name=name,
        run=run,
        recipe=recipe,
        predictions=predictions,
        evaluation=evaluation,
        data_hashes=hashes.get("data", {}),
        fields=_fields(recipe.model_dump(mode="json", exclude={"seed"}), files),
    )


def _fields(sections: Mapping[str, Any], files: Mapping[str, str]) -> Fields:
    """Lay a recipe out as dotted field -> (as shown, what it is)."""
    flat: dict[str, object] = {}
    for key, value in sections.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{field}": cell for field, cell in value.items()}
        else:
            flat[key] = value
    return {field: (str(value), files.get(field, str(value))) for field, value in flat.items()}


def _differing_fields(recipes: Sequence[Fields]) -> list[dict[str, str]]:
    """Keep of each recipe the fields in which they are not all alike."""
    names = dict.fromkeys(name for fields in recipes for name in fields)
    values = {name: [fields.get(name, ("", "")) for fields in recipes] for name in names}
    differing = {
        name: column
        for name, column in values.items()
        if len({identity for _, identity in column}) > 1
    }
    # Files of one name that differ are told apart by what they hold.
    return [
        {
            name: f"{text} (SHA-256 {identity[:8]})" if text != identity else text
            for name, column in differing.items()
            for text, identity in [column[number]]
        }
        for number in range(len(recipes))
    ]


def _check_same_texts(first: ComparedRun, other: ComparedRun, split: ComparedSplit) -> None:
    """Refuse runs that were evaluated on other texts.

    Where validation is drawn from the training texts, every seed has its own; these are told apart
    later, by `RowAnswers.rows`.

    Raises:
        RunError: Another number of rows, other labels, or another file.
    """
    start = f"{other.name}: its {split} rows are not those of {first.name}"
    end = f"compare runs that were evaluated on the same {split} texts"
    if set(first.evaluation.labels) != set(other.evaluation.labels):
        raise RunError(f"{start}: other label names; {end}")
    if (first.evaluation.label_sets is None) != (other.evaluation.label_sets is None):
        raise RunError(f"{start}: one label a text here, several there; {end}")
    drawn = not isinstance(first.recipe.data.validation, str)
    if split == "validation" and drawn and first.recipe.seed != other.recipe.seed:
        return
    own, others = first.predictions.labels, other.predictions.labels
    if len(own) != len(others):
        raise RunError(f"{start}: {len(others):,} rows against {len(own):,}; {end}")
    row = next(
        (number for number, pair in enumerate(zip(own, others, strict=True)) if len(set(pair)) > 1),
        None,
    )
    if row is not None:
        raise RunError(f"{start}: row {row} is labelled {others[row]!r}, not {own[row]!r}; {end}")
    file = "train" if split == "validation" and drawn else split
    hashes = [run.data_hashes.get(file) for run in (first, other)]
    if None not in hashes and hashes[0] != hashes[1]:
        raise RunError(f"{start}: the files of data.{file} differ in their SHA-256; {end}")


def _check_another_seed(group: Sequence[ComparedRun], run: ComparedRun) -> None:
    same = [held.name for held in group if held.recipe.seed == run.recipe.seed]
    if same:
        raise RunError(
            f"{run.name}: has the recipe, the data and the seed of {same[0]}; name one of them"
        )


def _group_name(name: str, runs: Sequence[ComparedRun]) -> str:
    if runs[0].name != name:  # a folder of seeds has a name of its own
        return name
    names = [run.name for run in runs]
    return " + ".join(names) if len(names) <= 3 else f"{names[0]} + {len(names) - 1} other seeds"


def _answers(run: ComparedRun, split: str) -> RowAnswers:
    data = run.recipe.data
    drawn = split == "validation" and not isinstance(data.validation, str)
    # The rows of test and of a validation file were compared; a drawn part depends on the seed.
    source = [run.recipe.seed, data.train, run.data_hashes.get("train")] if drawn else []
    return row_answers(run.predictions, run.evaluation, run.run.predictions(split), source)


def _mean_seconds(runs: Sequence[ComparedRun]) -> float | None:
    stated = [read_json(member.run.environment).get("seconds") for member in runs]
    seconds_of_each = [float(seconds) for seconds in stated if seconds is not None]
    return fmean(seconds_of_each) if len(seconds_of_each) == len(runs) else None
