"""ranklet classify: the verb, and each text's label with a bar for every label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import can_show, print_json, print_line
from ranklet.labels import as_written

if TYPE_CHECKING:
    from ranklet.workflows.classify import Classification

BAR_WIDTH = 30


def classify(
    model: options.ModelArgument,
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts to classify.")],
    encoder: options.EncoderOption = None,
    label_names: options.LabelNamesOption = None,
    problem_type: options.ProblemTypeOption = None,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Print the label and the probabilities of a few texts."""
    from ranklet.workflows.classify import classify

    source = options.model_source(model, encoder, label_names, device, precision, problem_type)
    answers = classify(source, texts)
    if json:
        print_json([asdict(answer) for answer in answers])
    else:
        print_classifications(answers)


def print_classifications(answers: Sequence[Classification]) -> None:
    """Print each text's label and a bar for every label."""
    block = "█" if can_show("█") else "#"
    for answer in answers:
        print_line(as_written(answer.label) or "(no label)")
        width = max(len(name) for name in answer.probabilities)
        ranked = sorted(answer.probabilities.items(), key=lambda item: -item[1])
        for name, probability in ranked:
            bar = block * round(probability * BAR_WIDTH)
            print_line(f"  {name:<{width}}  {probability:6.1%}  {bar}")
