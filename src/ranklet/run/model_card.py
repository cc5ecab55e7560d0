"""The README.md of a saved adapter: `model_card.md.jinja`, filled with plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import ClassifierNetwork
from ranklet.encoder.source import base_model_name
from ranklet.evaluation.result import Evaluation
from ranklet.foreign_text import printable
from ranklet.problem import MultiLabel
from ranklet.recipe import Recipe, to_yaml
from ranklet.saved.head import loads_in_transformers
from ranklet.vocabulary import ProblemType


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
    decision: dict[str, Any] = {"thresholds": (), "temperature": 1.0, "exponent": 1.0}
    if isinstance(problem, MultiLabel):
        pairs = zip(model.labels.names, problem.thresholds, strict=True)
        decision["thresholds"] = [f"{name} {threshold:.4f}" for name, threshold in pairs]
    else:
        decision |= {"temperature": problem.temperature, "exponent": problem.exponent}
    standard = loads_in_transformers(recipe.head, model.pooling, model.encoder.config, num_labels)
    return _fill(
        library="peft" if standard else "ranklet",
        base=base_model_name(recipe.encoder),
        labels=model.labels.names,
        problem_type=problem.problem_type,
        plan=plan,
        evaluations=evaluations,
        recipe=recipe,
        recipe_yaml=to_yaml(recipe).rstrip(),
        **decision,
    )


def cut_adapter_card(
    encoder: str,
    labels: Sequence[str],
    problem_type: ProblemType,
    before: int,
    after: int,
    kept_energy: float,
) -> str:
    """Write the card of an adapter that was cut to a smaller budget and is no run.

    Args:
        encoder: Name of its encoder.
        labels: Its classes, in the order of the logits.
        problem_type: Whether a text has one label or any number of them.
        before: Trained parameters before the cut.
        after: Trained parameters that are left.
        kept_energy: Share, 0..1, of the squared singular values of all updates.
    """
    cut = {"before": before, "after": after, "kept_energy": kept_energy}
    return _fill(
        library="peft",
        base=base_model_name(encoder),
        labels=labels,
        problem_type=problem_type,
        cut=cut,
    )


def _fill(**values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ranklet", "run"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "count": "{:,}".format,
        "figure": "{:.4f}".format,
        "quoted": quoted,
        "literal": repr,
        "printable": printable,
    }
    return environment.get_template("model_card.md.jinja").render(values)


def quoted(text: str) -> str:
    """Write text in double quotes, so that YAML 1.1 and 1.2 read it as this text."""
    return re.sub(
        r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]",
        lambda match: f"\\U{ord(match[0]):08x}",
        json.dumps(text, ensure_ascii=False),
    )
