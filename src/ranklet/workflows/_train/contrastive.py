"""The contrastive start as a recipe asks for it, once or again with texts without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import TokenCorpus, corpus_of
from ranklet.data.tokens.tokenizer import tokenize
from ranklet.recipe import Recipe
from ranklet.training.techniques.contrastive_start import start_contrastively
from ranklet.training.techniques.self_training import with_surest
from ranklet.workflows._train.messages import describe_contrastive, describe_surest


def start_adapters(
    model: ClassifierNetwork,
    train: TokenCorpus,
    unlabelled: Sequence[str],
    recipe: Recipe,
    report: Callable[[str], None],
) -> None:
    """Start the adapters contrastively, in place.

    Where there are texts without labels, the classifier then labels those it is surest of, and as
    many steps follow with them.

    Args:
        model: With its adapters at their start.
        train: Texts, each with one label.
        unlabelled: Cleaned texts.
        recipe: With `training.contrastive_steps`.
        report: Receives what was done.

    Raises:
        TrainingDivergedError: The loss or the gradient of a step is NaN or infinite.
    """
    options = recipe.training
    start = partial(
        start_contrastively,
        model,
        steps=options.contrastive_steps,
        learning_rate=options.contrastive_learning_rate or options.learning_rate,
        weight_decay=options.weight_decay,
        seed=recipe.seed,
    )
    report(describe_contrastive(start(train)))
    if not unlabelled:
        return
    preprocessing = model.preprocessing
    assert preprocessing is not None
    tokens = tokenize(
        preprocessing.tokenizer, unlabelled, preprocessing.max_length, preprocessing.long_texts
    )
    both = with_surest(model, train, corpus_of(tokens, None), recipe.seed)
    report(describe_surest(len(both) - len(train), len(unlabelled)))
    report(describe_contrastive(start(both)))
