"""Which moment of a training the model is left at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from math import sqrt

from torch import nn

from ranklet.classifier import restore_state, trainable_state
from ranklet.training.snapshots import Metrics, Snapshot, mean_state
from ranklet.training.techniques.averaging import MovingAverage, greedy_soup
from ranklet.vocabulary import SelectionMetric

Best = tuple[Snapshot, ...]
"""The best validations so far, the best first; of equal ones the first stays first."""


@dataclass(frozen=True)
class Selection:
    """How the best moment of a training is found.

    Attributes:
        validate: Validation metrics of the model as it is.
        metric: Which of them picks the best moment.
        patience: Validations in a row without a better one before training stops; None: never.
        soup: Best validations whose tensors are averaged in the end, where that is better still.
        average: Is validated and kept in place of the tensors that train; None: those themselves.
        texts: Validation texts, if a start must be better than what was trained from it by more
            than their standard error; None: any lead is enough.
    """

    validate: Callable[[], Metrics]
    metric: SelectionMetric = "accuracy"
    patience: int | None = None
    soup: int = 1
    average: MovingAverage | None = None
    texts: int | None = None

    def update_average(self, step: int) -> None:
        """Take in the tensors after an optimizer step, counted from 1, where they are averaged."""
        if self.average is not None:
            self.average.update(step)

    def snapshot(self, model: nn.Module, step: int) -> Snapshot:
        """Validate the model after a step, and copy its tensors."""
        with nullcontext() if self.average is None else self.average.in_model():
            return Snapshot(step, self.validate(), trainable_state(model))

    def insert(self, best: Best, snapshot: Snapshot) -> Best:
        """Return the best validations with a new one, if it is among them."""
        ahead = [older for older in best if not self._goes_before(snapshot, older)]
        return (*ahead, snapshot, *best[len(ahead) :])[: self.soup]

    def is_better(self, new: Metrics, old: Metrics) -> bool:
        """Tell whether the first metrics are better than the second."""
        new_value, old_value = new[self.metric], old[self.metric]
        return new_value < old_value if self.metric == "loss" else new_value > old_value

    def _goes_before(self, new: Snapshot, old: Snapshot) -> bool:
        """Tell whether a moment takes the place of an earlier one.

        Step 0 gives way within one standard error, as in the rule of Breiman et al. 1984
        (Classification and Regression Trees, section 3.4.3): which of two moments is ahead on few
        texts is luck, and training seldom makes worse.
        """
        if old.step > 0 or self.texts is None or self.metric == "loss":
            return self.is_better(new.metrics, old.metrics)
        value = old.metrics[self.metric]
        return new.metrics[self.metric] > value - sqrt(value * (1 - value) / self.texts)

    def restore(self, model: nn.Module, best: Best) -> tuple[Metrics, list[Snapshot]]:
        """Leave the model at its best moment, or at the mean of several.

        Where nothing was validated it stays at its end.

        Returns:
            Metrics of what it holds, and the moments that it is the mean of.
        """
        if not best:
            if self.average is not None:
                restore_state(model, self.average.tensors)
            return {}, []
        metrics, ingredients = greedy_soup(model, best, self.validate, self.is_better)
        restore_state(model, mean_state(ingredients))
        return metrics, ingredients
