"""The README.md of a saved adapter."""

from __future__ import annotations

from collections.abc import Mapping

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import TextClassifier
from ranklet.encoder.source import base_model_name
from ranklet.evaluation.result import Evaluation
from ranklet.problem import MultiLabel
from ranklet.recipe import Recipe, to_yaml
from ranklet.saved.head import loads_in_transformers


def model_card(
    recipe: Recipe,
    model: TextClassifier,
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
    base, num_labels = base_model_name(recipe.encoder), len(model.labels)
    config = model.encoder.config
    standard = loads_in_transformers(recipe.head, model.pooling, config, num_labels)
    options = f"num_labels={num_labels}"
    if isinstance(model.problem, MultiLabel):
        options += f', problem_type="{model.problem.problem_type}"'
    return f"""---
library_name: {"peft" if standard else "ranklet"}
base_model: {base}
pipeline_tag: text-classification
tags: [lora, ranklet]
---

# Text classifier: LoRA on {base}

Labels: {", ".join(model.labels.names)}.
Trained parameters: {plan.total:,} of a budget of {plan.budget:,} (adapters, head and biases).
{_decision(model)}
{_figures(evaluations)}
## Use

```python
import ranklet

classifier = ranklet.load("this/folder")
classifier.predict(["a text"])
```

{_interoperability(recipe, base, options) if standard else _no_counterpart(recipe)}
## Recipe

```yaml
{to_yaml(recipe).rstrip()}
```
"""


def _decision(model: TextClassifier) -> str:
    if not isinstance(model.problem, MultiLabel):
        return _temperature_note(model.problem.temperature)
    pairs = zip(model.labels.names, model.problem.thresholds, strict=True)
    listed = ", ".join(f"{name} {threshold:.4f}" for name, threshold in pairs)
    return (
        "A text has every label whose probability, the sigmoid of its logit, is at least its "
        f"threshold, tuned for F1 on the validation texts: {listed}.\n"
    )


def _temperature_note(temperature: float) -> str:
    if temperature == 1.0:
        return ""
    return (
        f"Probabilities are the softmax of the logits divided by {temperature:.6g}, a temperature "
        "fitted on the validation texts; labels do not depend on it. PEFT and transformers give "
        "the logits as they are: divide them by it.\n"
    )


def _figures(evaluations: Mapping[str, Evaluation]) -> str:
    if not evaluations:
        return ""
    rows = [
        f"| {name} | {entry.rows:,} | {entry.accuracy.value:.4f} "
        f"| {entry.accuracy.interval[0]:.4f} to {entry.accuracy.interval[1]:.4f} "
        f"| {entry.f1_macro.value:.4f} |"
        for name, entry in evaluations.items()
    ]
    accuracy = next(iter(evaluations.values())).accuracy_name
    head = f"| split | rows | {accuracy} | 95 % interval | macro F1 |\n|---|---|---|---|---|"
    return "\n".join([head, *rows]) + "\n"


def _no_counterpart(recipe: Recipe) -> str:
    return (
        f"Head `{recipe.head}` with pooling `{recipe.pooling}` has no counterpart in "
        "transformers' sequence classifier of this encoder: load this folder with ranklet. "
        f"PEFT refuses it.\n{_quantization_note(recipe)}"
    )


def _interoperability(recipe: Recipe, base: str, options: str) -> str:
    notes = _quantization_note(recipe) + _long_texts_note(recipe)
    return f"""{_HEAD_NOTES.get(recipe.head, "")}{notes}\
The folder is a PEFT adapter; PEFT keeps no label names, so name their number:

```python
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

base = AutoModelForSequenceClassification.from_pretrained("{base}", {options})
model = PeftModel.from_pretrained(base, "this/folder")
```
"""


def _quantization_note(recipe: Recipe) -> str:
    kept = recipe.engine.quantization
    if kept == "none":
        return ""
    return (
        f"The adapter was trained over frozen weights kept as {kept}, which ranklet loads it over "
        "too; over the weights in full precision its logits are slightly others.\n"
    )


def _long_texts_note(recipe: Recipe) -> str:
    if recipe.data.long_texts == "head":
        return ""
    return (
        f"Of texts of more than {recipe.data.max_length} tokens ranklet reads "
        f"`{recipe.data.long_texts}`, as in training; transformers reads their beginning.\n"
    )


_FOLDED = (
    "The head is written twice: `head.safetensors` holds what was trained, and the adapter file a "
    "standard classifier computed from it, which gives the same logits in float32 and bfloat16.\n"
)
_HEAD_NOTES = {
    "frozen_dense": "Of the head only the last map was trained; its inner matrix was frozen, and "
    "the adapter file holds both.\n",
    "low_rank": _FOLDED,
    "linear": _FOLDED,
}
