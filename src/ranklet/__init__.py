"""Fine-tune text encoders with LoRA under a hard budget of trainable parameters.

Names are imported when they are first used, so that `import ranklet` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ranklet.budget.plan import ParameterPlan
    from ranklet.data.audit.result import Audit
    from ranklet.data.reading.columns import Columns
    from ranklet.data.reading.memory import LabelledTexts
    from ranklet.errors import (
        AdapterError,
        BudgetExceededError,
        DataError,
        HubError,
        MissingExtraError,
        ParityError,
        ProcessLostError,
        RankletError,
        RecipeError,
        RunError,
        TrainingDivergedError,
        TrainingStoppedError,
        WeightsError,
    )
    from ranklet.evaluation.comparison.verdicts import Comparison
    from ranklet.evaluation.result import Evaluation
    from ranklet.evaluation.stress import Stress
    from ranklet.evaluation.unlabelled.result import Estimate
    from ranklet.labels import LabelSet
    from ranklet.recipe import Recipe, load_recipe
    from ranklet.run.folder import Run, open_run
    from ranklet.run.model_source import ModelSource
    from ranklet.run.observer import Observer
    from ranklet.text_classifier import TextClassifier
    from ranklet.workflows.audit import AuditFolder, Fix, audit
    from ranklet.workflows.classify import Classification, classify
    from ranklet.workflows.compare import compare
    from ranklet.workflows.convert import convert
    from ranklet.workflows.estimate import estimate
    from ranklet.workflows.evaluate import evaluate
    from ranklet.workflows.fit_ranks import fit_ranks
    from ranklet.workflows.init import FirstRecipe, init
    from ranklet.workflows.load import load
    from ranklet.workflows.plan import plan
    from ranklet.workflows.predict import Submission, predict
    from ranklet.workflows.shrink import ShrinkResult, shrink
    from ranklet.workflows.stress import stress
    from ranklet.workflows.train import train
    from ranklet.workflows.train_seeds import SeedRuns, train_seeds
    from ranklet.workflows.tune import Search, tune
    from ranklet.workflows.verify import Check, verify

__version__ = "0.1.0"

__all__ = [
    "AdapterError",
    "Audit",
    "AuditFolder",
    "BudgetExceededError",
    "Check",
    "Classification",
    "Columns",
    "Comparison",
    "DataError",
    "Estimate",
    "Evaluation",
    "FirstRecipe",
    "Fix",
    "HubError",
    "LabelSet",
    "LabelledTexts",
    "MissingExtraError",
    "ModelSource",
    "Observer",
    "ParameterPlan",
    "ParityError",
    "ProcessLostError",
    "RankletError",
    "Recipe",
    "RecipeError",
    "Run",
    "RunError",
    "Search",
    "SeedRuns",
    "ShrinkResult",
    "Stress",
    "Submission",
    "TextClassifier",
    "TrainingDivergedError",
    "TrainingStoppedError",
    "WeightsError",
    "audit",
    "classify",
    "compare",
    "convert",
    "estimate",
    "evaluate",
    "fit_ranks",
    "init",
    "load",
    "load_recipe",
    "open_run",
    "plan",
    "predict",
    "shrink",
    "stress",
    "train",
    "train_seeds",
    "tune",
    "verify",
]

# Every other name is a verb, which has the file of its name, or an error.
_HOMES = {
    "Audit": "ranklet.data.audit.result",
    "AuditFolder": "ranklet.workflows.audit",
    "Check": "ranklet.workflows.verify",
    "Classification": "ranklet.workflows.classify",
    "Columns": "ranklet.data.reading.columns",
    "Comparison": "ranklet.evaluation.comparison.verdicts",
    "Estimate": "ranklet.evaluation.unlabelled.result",
    "Evaluation": "ranklet.evaluation.result",
    "FirstRecipe": "ranklet.workflows.init",
    "Fix": "ranklet.workflows.audit",
    "LabelSet": "ranklet.labels",
    "LabelledTexts": "ranklet.data.reading.memory",
    "ModelSource": "ranklet.run.model_source",
    "Observer": "ranklet.run.observer",
    "ParameterPlan": "ranklet.budget.plan",
    "Recipe": "ranklet.recipe",
    "Run": "ranklet.run.folder",
    "Search": "ranklet.workflows.tune",
    "SeedRuns": "ranklet.workflows.train_seeds",
    "ShrinkResult": "ranklet.workflows.shrink",
    "Stress": "ranklet.evaluation.stress",
    "Submission": "ranklet.workflows.predict",
    "TextClassifier": "ranklet.text_classifier",
    "load_recipe": "ranklet.recipe",
    "open_run": "ranklet.run.folder",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ranklet' has no attribute {name!r}")
    by_kind = "ranklet.errors" if name.endswith("Error") else f"ranklet.workflows.{name}"
    return getattr(import_module(_HOMES.get(name, by_kind)), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
