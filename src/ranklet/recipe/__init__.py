"""Recipes: what to do, in one validated object and one YAML file."""

from __future__ import annotations

from ranklet.recipe.builtin import builtin_names
from ranklet.recipe.recipe import Recipe, recipe_hash
from ranklet.recipe.sections.adapter import AdapterSection
from ranklet.recipe.sections.augmentation import AugmentationSection
from ranklet.recipe.sections.data import DataSection
from ranklet.recipe.sections.distillation import DistillationSection
from ranklet.recipe.sections.engine import EngineSection
from ranklet.recipe.sections.training import TrainingSection
from ranklet.recipe.shared import shared_recipe
from ranklet.recipe.yaml_file import as_recipe, load_recipe, names_recipe, to_yaml

__all__ = [
    "AdapterSection",
    "AugmentationSection",
    "DataSection",
    "DistillationSection",
    "EngineSection",
    "Recipe",
    "TrainingSection",
    "as_recipe",
    "builtin_names",
    "load_recipe",
    "names_recipe",
    "recipe_hash",
    "shared_recipe",
    "to_yaml",
]
