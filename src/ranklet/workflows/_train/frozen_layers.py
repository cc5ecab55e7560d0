"""Begin every epoch at the first trained layer, where that pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ranklet.cache import default_cache_folder
from ranklet.data.tokens.corpus import Corpus, TokenCorpus
from ranklet.encoder.families import AnyEncoder
from ranklet.recipe import EngineSection
from ranklet.training.frozen_layers import (
    cache_states,
    lowest_trained_layer,
    reason_not_to_cache,
    states_bytes,
    states_suffice,
)
from ranklet.training.steps import Step


def skip_frozen_layers(
    encoder: AnyEncoder,
    train: TokenCorpus,
    validation: TokenCorpus,
    steps: Sequence[Step],
    engine: EngineSection,
    report: Callable[[str], None],
    *,
    has_noise: bool = False,
) -> tuple[Corpus, Corpus]:
    """Replace tokens by the states that enter the first trained layer, if that pays.

    Args:
        encoder: With its adapters placed.
        train: Training texts.
        validation: Validation texts.
        steps: The whole training.
        engine: The recipe's engine section.
        report: Receives a line on what happens, or why it does not.
        has_noise: The training texts change from step to step.

    Returns:
        Training and validation texts, as states or as they were. A disk that turns out to be full
        costs speed, not the training.
    """
    if engine.cache_frozen_layers == "never":
        return train, validation
    if not encoder.layers:
        family = encoder.config.model_type
        report(f"frozen layers: all run at every step, because {family} keeps no list of layers")
        return train, validation
    first_layer = lowest_trained_layer(encoder)
    if first_layer == 0:
        return train, validation
    folder = default_cache_folder() / "frozen_layers"
    size, limit = states_bytes(encoder, [train, validation]), int(engine.cache_limit_gib * 2**30)
    passes = sum(len(batch) for step in steps for batch in step.batches) / len(train)
    reason = reason_not_to_cache(passes, size, limit, folder)
    if has_noise:
        reason = "augmentation changes the training texts"
    if reason is None and not states_suffice(encoder, train, first_layer):
        reason = "this encoder answers differently without them"
    if reason is None:
        report(
            f"frozen layers: the lowest {first_layer} run once, {size / 2**30:.2f} GiB in {folder}"
        )
        try:
            return (
                cache_states(encoder, train, first_layer, folder, limit, report),
                cache_states(encoder, validation, first_layer, folder, limit, report),
            )
        except OSError as error:
            reason = error.strerror or str(error)
    report(f"frozen layers: the lowest {first_layer} run at every step, because {reason}")
    return train, validation
