"""Fine-tune text encoders with LoRA under a hard budget of trainable parameters.

Names are imported when they are first used, so that `import ranklet` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ranklet.budget.plan import ParameterPlan
    from ranklet.classifier import TextClassifier
    from ranklet.data.audit.result import Audit
    from ranklet.errors import RankletError
    from ranklet.evaluation.comparison.verdicts import Comparison
    from ranklet.evaluation.result import Evaluation
    from ranklet.evaluation.unlabelled.result import Estimate
    from ranklet.labels import LabelSet
    from ranklet.recipe import Recipe, load_recipe
    from ranklet.run.folder import Run, open_run
    from ranklet.workflows.audit import audit
    from ranklet.workflows.classify import classify
    from ranklet.workflows.compare import compare
    from ranklet.workflows.estimate import estimate
    from ranklet.workflows.evaluate import evaluate
    from ranklet.workflows.fit_ranks import fit_ranks
    from ranklet.workflows.load import load
    from ranklet.workflows.plan import plan
    from ranklet.workflows.predict import predict
    from ranklet.workflows.shrink import shrink
    from ranklet.workflows.stress import stress
    from ranklet.workflows.train import train
    from ranklet.workflows.train_seeds import train_seeds
    from ranklet.workflows.verify import verify

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "Comparison",
    "Estimate",
    "Evaluation",
    "LabelSet",
    "ParameterPlan",
    "RankletError",
    "Recipe",
    "Run",
    "TextClassifier",
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
    "Audit": "ranklet.data.audit.result",
    "Comparison": "ranklet.evaluation.comparison.verdicts",
    "Estimate": "ranklet.evaluation.unlabelled.result",
    "Evaluation": "ranklet.evaluation.result",
    "LabelSet": "ranklet.labels",
    "ParameterPlan": "ranklet.budget.plan",
    "RankletError": "ranklet.errors",
    "Recipe": "ranklet.recipe",
    "Run": "ranklet.run.folder",
    "TextClassifier": "ranklet.classifier",
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
