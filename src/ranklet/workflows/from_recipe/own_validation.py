"""The texts that chose the weights of a run, found again by its recipe."""

from __future__ import annotations

from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.data.reading.memory import IN_MEMORY
from ranklet.errors import DataError, HubError, MissingExtraError, RunError
from ranklet.files import differing_names
from ranklet.recipe import Recipe, load_recipe
from ranklet.run.certificate import certified_data
from ranklet.run.folder import Run
from ranklet.workflows.from_recipe.splits import read_splits

REMEDY = "name labelled texts that it was not trained on with --validation"


def own_validation(run: Run, remedy: str = REMEDY) -> EncodedSplit:
    """Read the validation texts of a run again, and make sure that they are the same.

    Args:
        run: A finished run.
        remedy: What to do instead, said at the end of an error.

    Raises:
        DataError: A file is no longer there, or no longer as it was.
        RunError: The run's files are unusable.
    """
    recipe = load_recipe(run.recipe)
    if recipe.training.refit:
        message = "was trained again on its validation texts too (training.refit)"
        raise RunError(f"{run.folder}: {message}; {remedy}")
    certified = certified_data(run)
    if certified is None:
        raise RunError(f"{run.certificate}: holds no hashes of the data; {remedy}")
    splits = _read_again(run, recipe, remedy)
    differing = differing_names(certified, splits.sha256)
    if differing:
        raise _changed(run, str(getattr(recipe.data, differing[0])), remedy)
    return splits.validation


def _read_again(run: Run, recipe: Recipe, remedy: str) -> Splits:
    try:
        return read_splits(recipe.data, recipe.seed)
    except DataError as error:
        if error.source == IN_MEMORY:
            raise DataError(f"{run.folder} does not keep them; {remedy}", IN_MEMORY) from error
        raise _changed(run, error.source, remedy) from error
    except (HubError, MissingExtraError) as error:
        raise DataError(f"{error}; {remedy}", str(run.folder)) from error


def _changed(run: Run, source: str, remedy: str) -> DataError:
    return DataError(
        f"is not there as the run {run.folder} read it, so that its validation texts cannot be "
        f"found again; {remedy}",
        source,
    )
