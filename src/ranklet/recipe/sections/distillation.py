"""The `distillation` section of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ranklet.recipe.values import STRICT, Distinct, Share, Text


class DistillationSection(BaseModel):
    """A trained classifier whose answers are learned beside the labels."""

    model_config = STRICT

    teacher: Text | Annotated[Distinct[Text], Field(min_length=1)] | None = None
    """A run, an adapter folder or a classifier of transformers with the same labels; several are
    averaged; null: learn from the labels alone. Default: null."""

    temperature: Annotated[float, Field(ge=1)] = 2.0
    """What the logits of teacher and student are divided by before they are compared
    (arXiv:1503.02531). Default: 2.0."""

    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the loss that compares with the teacher; the rest is `training.loss` with the
    labels. Default: 0.5."""

    confidence: Share = 0.0
    """Probability that the teacher must give its label of a text of `data.unlabelled`, or the text
    is left out (arXiv:1908.02983 keeps all). Default: 0.0."""
