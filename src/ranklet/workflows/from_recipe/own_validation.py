"""The texts that chose the weights of a run, found again by its recipe."""

from __future__ import annotations

from collections.abc import Mapping

from ranklet.data.encoded_splits import EncodedSplit
from ranklet.errors import DataError, HubError, MissingExtraError, RunError
from ranklet.files import differing_names
from ranklet.recipe import load_recipe
from ranklet.run.certificate import data_hashes
from ranklet.run.folder import Run, read_json
from ranklet.workflows.from_recipe.splits import read_splits

REMEDY = "name labelled texts that it was not trained on with --validation"


def own_validation(run: Run) -> EncodedSplit:
    """Read the validation texts of a run again, and make sure that they are the same.

    Args:
        run: A finished run.

    Raises:
        DataError: A file is no longer there, or no longer as it was.
        RunError: The run's files are unusable.
    """
    recipe = load_recipe(run.recipe)
    differing = differing_names(_certified_data(run), data_hashes(recipe.data))
    if differing:
        source = getattr(recipe.data, differing[0])
        raise DataError(
            f"is not there as the run {run.folder} read it, so that its validation texts cannot be "
            f"found again; {REMEDY}",
            str(source),
        )
    try:
        return read_splits(recipe.data, recipe.seed).validation
    except (HubError, MissingExtraError) as error:
        raise DataError(f"{error}; {REMEDY}", str(run.folder)) from error


def _certified_data(run: Run) -> Mapping[str, str]:
    try:
        held = read_json(run.certificate)["sha256"]["data"]
        return {str(field): str(digest) for field, digest in held.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{run.certificate}: holds no hashes of the data; {REMEDY}") from error
