"""What an answer is: one label a text, or any number of them.

The one place that turns logits into probabilities and probabilities into labels. `Problem` is
chosen once, when a classifier is assembled, and saved with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ranklet.labels import Label
from ranklet.vocabulary import ProblemType

if TYPE_CHECKING:
    from torch import Tensor

UNTUNED_THRESHOLD = 0.5


@dataclass(frozen=True)
class SingleLabel:
    """Every text has exactly one label: the most probable one, the first of equals.

    Attributes:
        temperature: What logits are divided by before the softmax, above 0. It makes probabilities
            more or less sure of themselves and leaves their order, so the label, as it is.
        exponent: The power that their distances from the largest are raised to then, above 0; it
            leaves the order as it is too.
    """

    temperature: float = 1.0
    exponent: float = 1.0
    problem_type: ClassVar[ProblemType] = "single_label_classification"

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return probabilities (texts, classes), which sum to 1 in each row."""
        scaled = logits / self.temperature
        if self.exponent != 1:
            # In float64, whose rounding does not depend on a text's place in the batch here.
            distances = (scaled.amax(-1, keepdim=True) - scaled).double()
            scaled = -(distances**self.exponent)
        return scaled.softmax(-1).to(logits.dtype)

    def answers(self, probabilities: NDArray[np.float32], names: Sequence[str]) -> list[Label]:
        """Return the label of each text."""
        return [names[index] for index in probabilities.argmax(-1)]


@dataclass(frozen=True)
class MultiLabel:
    """Every text has any number of labels: those at least as probable as their threshold.

    Attributes:
        thresholds: One probability a label, in the order of the logits.
    """

    thresholds: tuple[float, ...]
    problem_type: ClassVar[ProblemType] = "multi_label_classification"

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return probabilities (texts, labels), each label's for itself."""
        return logits.sigmoid()

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which labels each text has, (texts, labels)."""
        # In float64: a threshold between two float32 numbers stays between them.
        return probabilities.astype(np.float64) >= np.array(self.thresholds)

    def answers(self, probabilities: NDArray[np.float32], names: Sequence[str]) -> list[Label]:
        """Return the labels of each text, in the order of the logits."""
        return [
            tuple(name for name, is_given in zip(names, row, strict=True) if is_given)
            for row in self.decide(probabilities)
        ]


Problem = SingleLabel | MultiLabel


def choose_problem(
    problem_type: ProblemType,
    num_labels: int,
    thresholds: Sequence[float] | None = None,
    temperature: float = 1.0,
    exponent: float = 1.0,
) -> Problem:
    """Return what a classifier's answers are; without thresholds they are 0.5 each."""
    if problem_type == "single_label_classification":
        return SingleLabel(temperature, exponent)
    return MultiLabel(tuple(thresholds or [UNTUNED_THRESHOLD] * num_labels))
