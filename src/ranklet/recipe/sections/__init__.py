"""The sections of a recipe: what each field means and which values it takes on its own.

The docstring below a field is its help text, here and in `docs/reference/recipe.md`; it ends with
the default. What two fields say to each other is checked in `recipe.py`.
"""

from __future__ import annotations

from ranklet.recipe.sections.adapter import CHOSEN_BY_FIT, AdapterSection
from ranklet.recipe.sections.augmentation import AugmentationSection
from ranklet.recipe.sections.data import DataSection
from ranklet.recipe.sections.distillation import DistillationSection
from ranklet.recipe.sections.engine import EngineSection
from ranklet.recipe.sections.training import READ_BY, REPLACES, TrainingSection

__all__ = [
    "CHOSEN_BY_FIT",
    "READ_BY",
    "REPLACES",
    "AdapterSection",
    "AugmentationSection",
    "DataSection",
    "DistillationSection",
    "EngineSection",
    "TrainingSection",
]
