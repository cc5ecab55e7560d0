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
    from ranklet.run.observer import Observer
    from ranklet.text_classifier import TextClassifier
    from ranklet.workflows.audit import Fix, audit
    from ranklet.workflows.classify import Classification, classify
    from ranklet.workflows.compare import compare
    from ranklet.workflows.estimate import estimate
    from ranklet.workflows.evaluate import evaluate
    from ranklet.workflows.fit_ranks import fit_ranks
    from ranklet.workflows.load import ModelSource, load
    from ranklet.workflows.plan import plan
    from ranklet.workflows.predict import predict
    from ranklet.workflows.shrink import ShrinkResult, shrink
    from ranklet.workflows.stress import stress
    from ranklet.workflows.train import train
    from ranklet.workflows.train_seeds import SeedRuns, train_seeds
    from ranklet.workflows.verify import Check, verify

__version__ = "0.1.0"

__all__ = [
    "AdapterError",
    "Audit",
    "BudgetExceededError",
    "Check",
    "Classification",
    "Columns",
    "Comparison",
    "DataError",
    "Estimate",
    "Evaluation",
    "Fix",
    "HubError",
    "LabelSet",
    "LabelledTexts",
    "MissingExtraError",
    "ModelSource",
    "Observer",
    "ParameterPlan",
    "ParityError",
    "RankletError",
    "Recipe",
    "RecipeError",
    "Run",
    "RunError",
    "SeedRuns",
    "ShrinkResult",
    "Stress",
    "TextClassifier",
    "TrainingDivergedError",
    "TrainingStoppedError",
    "WeightsError",
    "audit",
    "classify",
    "compare",
    "estimate",
    "evaluate",
    "fit_ranks",
    "load",
    "load_recipe",
    "open_run",
    "plan",
    "predict",
    "shrink",
    "stress",
    "train",
    "train_seeds",
    "verify",
]

_HOMES = {
    "AdapterError": "ranklet.errors",
    "Audit": "ranklet.data.audit.result",
    "BudgetExceededError": "ranklet.errors",
    "Check": "ranklet.workflows.verify",
    "Classification": "ranklet.workflows.classify",
    "Columns": "ranklet.data.reading.columns",
    "Comparison": "ranklet.evaluation.comparison.verdicts",
    "DataError": "ranklet.errors",
    "Estimate": "ranklet.evaluation.unlabelled.result",
    "Evaluation": "ranklet.evaluation.result",
    "Fix": "ranklet.workflows.audit",
    "HubError": "ranklet.errors",
    "LabelSet": "ranklet.labels",
    "LabelledTexts": "ranklet.data.reading.memory",
    "MissingExtraError": "ranklet.errors",
    "ModelSource": "ranklet.workflows.load",
    "Observer": "ranklet.run.observer",
    "ParameterPlan": "ranklet.budget.plan",
    "ParityError": "ranklet.errors",
    "RankletError": "ranklet.errors",
    "Recipe": "ranklet.recipe",
    "RecipeError": "ranklet.errors",
    "Run": "ranklet.run.folder",
    "RunError": "ranklet.errors",
    "SeedRuns": "ranklet.workflows.train_seeds",
    "ShrinkResult": "ranklet.workflows.shrink",
    "Stress": "ranklet.evaluation.stress",
    "TextClassifier": "ranklet.text_classifier",
    "TrainingDivergedError": "ranklet.errors",
    "TrainingStoppedError": "ranklet.errors",
    "WeightsError": "ranklet.errors",
    "audit": "ranklet.workflows.audit",
    "classify": "ranklet.workflows.classify",
    "compare": "ranklet.workflows.compare",
    "estimate": "ranklet.workflows.estimate",
    "evaluate": "ranklet.workflows.evaluate",
    "fit_ranks": "ranklet.workflows.fit_ranks",
    "load": "ranklet.workflows.load",
    "load_recipe": "ranklet.recipe",
    "open_run": "ranklet.run.folder",
    "plan": "ranklet.workflows.plan",
    "predict": "ranklet.workflows.predict",
    "shrink": "ranklet.workflows.shrink",
    "stress": "ranklet.workflows.stress",
    "train": "ranklet.workflows.train",
    "train_seeds": "ranklet.workflows.train_seeds",
    "verify": "ranklet.workflows.verify",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'ranklet' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
