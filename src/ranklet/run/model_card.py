"""The README.md of a saved adapter: `model_card.md.jinja`, filled with plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import ClassifierNetwork
from ranklet.encoder.source import base_model_name
from ranklet.evaluation.result import Evaluation
from ranklet.problem import MultiLabel
from ranklet.recipe import Recipe, to_yaml
from ranklet.saved.head import loads_in_transformers


def model_card(
    recipe: Recipe,
    model: ClassifierNetwork,
    plan: ParameterPlan,
    evaluations: Mapping[str, Evaluation],
) -> str:
    """Write a model card in Markdown with the front matter of the Hugging Face hub.

    Args:
        recipe: What was done.
        model: The trained classifier.
        plan: Trained parameters.
        evaluations: Figures by split.
    """
    problem, num_labels = model.problem, len(model.labels)
    options = f"num_labels={num_labels}"
    decision: dict[str, Any] = {"thresholds": (), "temperature": 1.0}
    if isinstance(problem, MultiLabel):
        options += f', problem_type="{problem.problem_type}"'
        pairs = zip(model.labels.names, problem.thresholds, strict=True)
        decision["thresholds"] = [f"{name} {threshold:.4f}" for name, threshold in pairs]
    else:
        decision["temperature"] = problem.temperature
    standard = loads_in_transformers(recipe.head, model.pooling, model.encoder.config, num_labels)
    return _fill(
        library="peft" if standard else "ranklet",
        base=base_model_name(recipe.encoder),
        labels=model.labels.names,
        options=options,
        plan=plan,
        evaluations=evaluations,
        recipe=recipe,
        recipe_yaml=to_yaml(recipe).rstrip(),
        **decision,
    )


def cut_adapter_card(encoder: str, before: int, after: int, kept_energy: float) -> str:
    """Write the card of an adapter that was cut to a smaller budget and is no run.

    Args:
        encoder: Name of its encoder.
        before: Trained parameters before the cut.
        after: Trained parameters that are left.
        kept_energy: Share, 0..1, of the squared singular values of all updates.
    """
    cut = {"before": before, "after": after, "kept_energy": kept_energy}
    return _fill(library="peft", base=base_model_name(encoder), cut=cut)


def _fill(**values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ranklet", "run"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"count": "{:,}".format, "figure": "{:.4f}".format}
    return environment.get_template("model_card.md.jinja").render(values)
