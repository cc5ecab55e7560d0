"""The `augmentation` section of a recipe."""

from __future__ import annotations

from pydantic import BaseModel

from ranklet.recipe.values import STRICT, Share


class AugmentationSection(BaseModel):
    """Changes to training texts, drawn anew at every step. `training.token_dropout` is another."""

    model_config = STRICT

    sentence_truncation: Share = 0.0
    """Share of the texts of several sentences that lose one or more at the end. Default: 0.0."""

    word_swap: Share = 0.0
    """Share of the words that change places with another word of the text (arXiv:1901.11196).
    Default: 0.0."""

    case_noise: Share = 0.0
    """Share of the words that are written in lower case, in capitals or with one at the beginning;
    tokenizers without case do not see it. Default: 0.0."""

    typo_noise: Share = 0.0
    """Share of the words of four and more characters in which two inner neighbours change places
    (arXiv:1711.02173) or one inner character is lost. Default: 0.0."""
