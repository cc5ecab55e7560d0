"""What a search says to a person, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ranklet.data.encoded_splits import Splits
from ranklet.recipe import Recipe
from ranklet.workflows.from_recipe.choices import Choice, describe_choice


def describe_start(
    recipe: Recipe,
    choices: Sequence[Choice],
    splits: Splits,
    rungs: Sequence[float],
    test: str | None,
) -> Iterator[str]:
    """Say what is searched, and on what.

    Args:
        recipe: With nothing left open.
        choices: What was chosen from the data.
        splits: The data.
        rungs: Shares of a training at which trials pause.
        test: The test data that the recipe names.
    """
    for choice in choices:
        yield describe_choice(choice)
    yield (
        f"data: {len(splits.train.texts):,} train, {len(splits.validation.texts):,} validation "
        f"texts, {len(splits.labels)} labels"
        + ("" if test is None else "; the test data stay closed")
    )
    if len(rungs) > 1:
        shares = ", ".join(f"{share:.0%}" for share in rungs[:-1])
        yield f"trials pause after the first validation behind {shares} of their steps"
    else:
        yield (
            f"no trial pauses: {recipe.training.epochs} epochs validate once; "
            "training.evaluate_every lets the worse ones end early"
        )
