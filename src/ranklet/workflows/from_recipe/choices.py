"""Settings chosen from the data: the rules of `automatic`, a row for each field.

A rule sees the training texts and the encoder (`Sight`), and gives a value and the reason for it.
What a recipe states is never changed. The figures rest on "where a training starts" and "few
labels" in docs/developers/experiments.md: held-out rows of three or four sets, one seed each.
Nothing was measured with wide encoders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ranklet.data.encoded_splits import Splits
from ranklet.encoder.source import EncoderSource
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe import Recipe
from ranklet.recipe.recipe import contradictions
from ranklet.workflows.from_recipe.sight import Sight, look

Chosen = tuple[Any, str]
"""A value and the reason for it."""


@dataclass(frozen=True)
class Choice:
    """A setting that was chosen from the data.

    Attributes:
        field: Dotted name.
        value: What it is set to.
        reason: Why, in a line.
    """

    field: str
    value: Any
    reason: str


def _pooling(seen: Sight) -> Chosen:
    if seen.sentence_pooling is None:
        return "mean", "all tokens of a text together say more than the first one"
    return seen.sentence_pooling, "as this sentence encoder was trained to pool"


def _head(seen: Sight) -> Chosen:
    parameters = seen.classes * (seen.hidden_size + 1)
    return "linear", f"{parameters:,} parameters, which leaves the budget to the adapters"


def _head_start(seen: Sight) -> Chosen:
    return "probe", "a training clearly behind the linear probe leaves it as it is"


def _target_modules(seen: Sight) -> Chosen:
    return "all-linear", "every linear layer of the encoder, at a rank that the budget allows"


def _rank(seen: Sight) -> Chosen:
    return seen.rank, f"the budget is {seen.budget:,} parameters"


def _max_length(seen: Sight) -> Chosen:
    needed = next((size for size in LENGTHS if size >= seen.tokens), LENGTHS[-1])
    texts = seen.rows * max(1, _epochs(seen)[0])
    affordable = max((size for size in LENGTHS if size * texts <= MOST_TOKENS), default=0)
    length = min(needed, max(affordable, LENGTHS[1]), seen.longest)
    why = f"19 of 20 texts have at most {seen.tokens} tokens"
    return length, why if length >= seen.tokens else f"{why}, but more would take too long"


def _is_few(seen: Sight) -> bool:
    return seen.rows < FEW_ROWS and not seen.several and seen.most > 1


def _contrastive_steps(seen: Sight) -> Chosen:
    if not _is_few(seen):
        return 0, f"{seen.rows:,} texts teach the adapters as they are trained"
    steps = next(steps for rows, steps in CONTRASTIVE_STEPS if seen.rows >= rows)
    return steps, f"{seen.rows:,} texts say more by which of them belong together"


def _epochs(seen: Sight) -> Chosen:
    if _is_few(seen):
        return 0, f"{seen.rows:,} texts would be learned by heart; the contrastive start is enough"
    steps = max(FEWEST_STEPS, STEPS_PER_CLASS * seen.classes)
    in_one = _steps_of_epoch(seen)
    epochs = min(max(-(-steps // in_one), FEWEST_EPOCHS), MOST_EPOCHS)
    return epochs, f"{epochs * in_one:,} steps; {seen.classes} labels want about {steps:,}"


def _steps_of_epoch(seen: Sight) -> int:
    size: int = _batch_size(seen)[0]
    return -(-seen.rows // size)


def _batch_size(seen: Sight) -> Chosen:
    size = next(size for rows, size in BATCH_SIZES if seen.rows >= rows)
    return size, f"{seen.rows:,} texts"


def _learning_rate(seen: Sight) -> Chosen:
    small = seen.hidden_size <= SMALL_HIDDEN_SIZE
    return 1e-3 if small else 5e-4, f"states of this encoder are {seen.hidden_size} wide"


def _head_learning_rate(seen: Sight) -> Chosen:
    return 1e-2, "a head learns many labels slowly at the rate of the adapters"


def _metric(seen: Sight) -> Chosen:
    if seen.several or seen.imbalance >= UNEVEN:
        return "macro_f1", f"one label has {seen.imbalance:.1f} times the texts of another"
    return "accuracy", "the labels are about equally frequent"


def _sampling(seen: Sight) -> Chosen:
    if seen.imbalance >= VERY_UNEVEN and not seen.several:
        return "square_root", f"one label has {seen.imbalance:.0f} times the texts of another"
    return "shuffled", "no label is very rare"


def _evaluate_every(seen: Sight) -> Chosen:
    epochs = _epochs(seen)[0]
    if epochs == 0:
        return None, "there is no step but the start"
    if seen.several or seen.rows > MOST_ROWS_TO_REFIT:
        return None, "validation chooses among the epochs"
    steps = epochs * _steps_of_epoch(seen)
    return steps, "few validation texts choose between start and end, not among all epochs"


def _refit(seen: Sight) -> Chosen:
    if seen.own_validation:
        return False, "validation has texts of its own"
    if seen.rows <= MOST_ROWS_TO_REFIT:
        return True, f"of {seen.rows:,} texts none is to spare; train again with validation's"
    return False, f"{seen.rows:,} texts are enough without validation's"


LENGTHS = (64, 128, 256, 512)
MOST_TOKENS = 3_000_000
FEW_ROWS = 500
CONTRASTIVE_STEPS = ((160, 60), (0, 30))
FEWEST_STEPS, STEPS_PER_CLASS = 250, 8
FEWEST_EPOCHS, MOST_EPOCHS = 3, 20
BATCH_SIZES = ((500, 32), (0, 16))
SMALL_HIDDEN_SIZE = 512
UNEVEN, VERY_UNEVEN = 2.0, 10.0
MOST_ROWS_TO_REFIT = 5_000

RULES: Mapping[str, Callable[[Sight], Chosen]] = {
    "pooling": _pooling,
    "head": _head,
    "head_start": _head_start,
    "adapter.target_modules": _target_modules,
    "adapter.rank": _rank,
    "data.max_length": _max_length,
    "training.batch_size": _batch_size,
    "training.contrastive_steps": _contrastive_steps,
    "training.epochs": _epochs,
    "training.learning_rate": _learning_rate,
    "training.head_learning_rate": _head_learning_rate,
    "training.sampling": _sampling,
    "training.metric": _metric,
    "training.evaluate_every": _evaluate_every,
    "training.refit": _refit,
}

# A stated field that answers the question of another one, or that one would contradict.
ANSWERED_BY: Mapping[str, tuple[str, ...]] = {
    "pooling": ("head",),
    "head": ("adapter.fit_head",),
    "adapter.target_modules": ("adapter.fit",),
    "adapter.rank": ("adapter.fit", "adapter.target_modules"),
    "training.batch_size": ("training.batch_tokens",),
    "training.contrastive_steps": ("head", "head_start", "training.epochs"),
    "training.epochs": ("head", "head_start", "training.max_steps", "training.contrastive_steps"),
    "training.learning_rate": ("training.optimizer",),
    "training.head_learning_rate": ("training.optimizer", "training.learning_rate"),
    "training.evaluate_every": (
        "training.epochs",
        "training.max_steps",
        "training.batch_size",
        "training.batch_tokens",
        "training.gradient_accumulation_steps",
        "training.early_stopping_patience",
        "training.soup",
    ),
    "training.refit": ("distillation.teacher",),
}


def describe_choice(choice: Choice) -> str:
    """Say what was chosen from the data, and why."""
    value = choice.value
    if value is None or isinstance(value, bool):
        value = json.dumps(value)  # as YAML has it too
    return f"chosen: {choice.field}={value}: {choice.reason}"


def validation_size(rows: int) -> float:
    """Return the share of training texts that chooses.

    A fifth of those that a refit gives back, since temperature and thresholds rest on them too;
    less of many.
    """
    return 0.2 if rows <= MOST_ROWS_TO_REFIT else min(0.1, 2000 / rows)


def leaves_validation_open(recipe: Recipe) -> bool:
    """Tell whether the number of validation texts is chosen by that of all texts."""
    return recipe.automatic and not _is_stated(recipe, "data.validation")


def as_read(recipe: Recipe, splits: Splits) -> Recipe:
    """Write out what reading decided, so that other data mean the same and the split is the same.

    That is which integers the names of labels stand for, and how many rows validation took.
    """
    changes: dict[str, Any] = {}
    if splits.label_values is not None:
        changes["label_values"] = splits.label_values
    if leaves_validation_open(recipe):
        changes["validation"] = len(splits.validation.texts)
    if not changes:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=changes)})


def choose(recipe: Recipe, seen: Sight) -> tuple[Recipe, tuple[Choice, ...]]:
    """Choose whatever a recipe leaves open and a rule knows.

    Args:
        recipe: With `automatic`.
        seen: Its training texts and its encoder.

    Returns:
        The recipe with every choice written out, and the choices.

    Raises:
        RecipeError: A choice contradicts something that the recipe states.
    """
    choices = tuple(
        Choice(field, *rule(seen)) for field, rule in RULES.items() if _is_open(recipe, field)
    )
    changes: dict[str, Any] = {"automatic": False}
    for choice in choices:
        section, _, name = choice.field.rpartition(".")
        if section:
            base = changes.get(section, getattr(recipe, section))
            changes[section] = base.model_copy(update={name: choice.value})
        else:
            changes[name] = choice.value
    chosen = recipe.model_copy(update=changes)
    issues = [RecipeIssue("", pair.fields[0], pair.message) for pair in contradictions(chosen)]
    if issues:
        raise RecipeError(issues)
    return chosen, choices


def choose_for(
    recipe: Recipe, splits: Splits, encoder: EncoderSource
) -> tuple[Recipe, tuple[Choice, ...]]:
    """Choose as `choose` does by a look at the texts; a recipe without `automatic` stays.

    Raises:
        RecipeError: A choice contradicts something that the recipe states.
        WeightsError: The encoder has no usable tokenizer.
        HubError: It is to be downloaded and cannot be had.
    """
    return choose(recipe, look(recipe, splits, encoder)) if recipe.automatic else (recipe, ())


def _is_open(recipe: Recipe, field: str) -> bool:
    return not any(_is_stated(recipe, name) for name in (field, *ANSWERED_BY.get(field, ())))


def _is_stated(recipe: Recipe, field: str) -> bool:
    section, _, name = field.rpartition(".")
    if section and section not in recipe.model_fields_set:
        return False
    return name in (getattr(recipe, section) if section else recipe).model_fields_set
