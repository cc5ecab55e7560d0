"""Linear probe: a logistic regression on the states of a frozen encoder.

It is what an encoder knows before anything is trained (Alain & Bengio 2016, arXiv:1610.01644): the
figure that a training has to beat, and a start for the head (linear probing, then fine-tuning;
Kumar et al. 2022, arXiv:2202.10054).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

FOLDS = 3
# Inverse strengths of the L2 penalty, as scikit-learn's C, on standardized features.
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# A fold more precise than this moves no text to another class.
TOLERANCE, MOST_ITERATIONS = 1e-3, 200
# How far below 0 the logit of a class that was never seen is: a probability of about 0.
NEVER = 20.0


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear map from features to logits.

    Attributes:
        weight: (classes, features) float32.
        bias: (classes,) float32.
        centre: (features,) float32 mean of the features.
        penalty: Chosen inverse strength of the penalty.
        logits_out_of_fold: (texts, classes) float32, each text's under a map that never saw it.
        loss_out_of_fold: Their mean cross-entropy.
    """

    weight: Tensor
    bias: Tensor
    centre: Tensor
    penalty: float
    logits_out_of_fold: Tensor
    loss_out_of_fold: float

    def logits(self, features: Tensor) -> Tensor:
        """Map (texts, features) to logits (texts, classes) float32."""
        return torch.nn.functional.linear(features.float(), self.weight, self.bias)


def fit_probe(features: Tensor, labels: Tensor, num_labels: int, seed: int = 0) -> Probe:
    """Fit a logistic regression, its penalty by cross-validated cross-entropy.

    Args:
        features: (texts, features).
        labels: (texts,) int64 class indices, or (texts, classes) of 0 and 1, each class then a
            regression of its own.
        num_labels: Classes.
        seed: Of the folds.
    """
    states, targets = features.float().numpy(), labels.numpy()
    mean, std = states.mean(0), states.std(0)
    std = np.where(std > 1e-6, std, 1.0).astype(np.float32)  # not 0 where a feature never varies
    standard = (states - mean) / std
    folds = list(_folds(targets, seed))
    best: tuple[float, float, Floats] | None = None
    for penalty in PENALTIES:
        logits = np.empty((len(targets), num_labels), np.float32)
        for train, rest in folds:
            weight, bias = _fit(standard[train], targets[train], num_labels, penalty)
            logits[rest] = standard[rest] @ weight.T + bias
        loss = _cross_entropy(logits, targets)
        if best is not None and loss > best[1]:
            break  # weaker penalties only fit more of the noise
        best = penalty, loss, logits
    assert best is not None
    penalty, loss, logits = best
    weight, bias = _fit(standard, targets, num_labels, penalty)
    weight = weight / std
    return Probe(
        weight=torch.from_numpy(weight),
        bias=torch.from_numpy(bias - weight @ mean),
        centre=torch.from_numpy(mean),
        penalty=penalty,
        logits_out_of_fold=torch.from_numpy(logits),
        loss_out_of_fold=loss,
    )


def _fit(states: Floats, targets: Labels, classes: int, penalty: float) -> tuple[Floats, Floats]:
    """Return a (classes, features) weight and a (classes,) bias."""
    if targets.ndim == 2:
        columns = [_fit(states, targets[:, index], 2, penalty) for index in range(classes)]
        weight = np.stack([weight[1] - weight[0] for weight, _ in columns])
        return weight, np.stack([bias[1] - bias[0] for _, bias in columns])
    seen = np.unique(targets)
    weight = np.zeros((classes, states.shape[1]), np.float32)
    bias = np.full(classes, -NEVER, np.float32)
    if len(seen) == 1:
        bias[seen] = 0.0
        return weight, bias
    model = _regression(states, targets, penalty)
    if len(seen) == 2:  # one row for two classes
        weight[seen[1]], bias[seen[0]] = model.coef_[0], 0.0
        bias[seen[1]] = model.intercept_[0]
    else:
        weight[seen], bias[seen] = model.coef_, model.intercept_
    return weight, bias


def _regression(states: Floats, targets: Labels, penalty: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=penalty, max_iter=MOST_ITERATIONS, tol=TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(states, targets)


def _folds(targets: Labels, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Split into folds that have each class's share; a class of one text is in one of them."""
    from sklearn.model_selection import KFold, StratifiedKFold

    count = min(FOLDS, len(targets))
    if count < 2:
        yield np.arange(count), np.arange(count)
        return
    if targets.ndim == 2:
        yield from KFold(count, shuffle=True, random_state=seed).split(targets)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        split = StratifiedKFold(count, shuffle=True, random_state=seed)
        try:
            yield from split.split(targets, targets)
        except ValueError:  # every class has fewer texts than there are folds
            yield from KFold(count, shuffle=True, random_state=seed).split(targets)


def _cross_entropy(logits: Floats, targets: Labels) -> float:
    """Return the mean loss of (texts, classes) logits."""
    scores, labels = torch.from_numpy(logits), torch.from_numpy(targets)
    if targets.ndim == 2:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, labels.float())
    else:
        loss = torch.nn.functional.cross_entropy(scores, labels)
    return float(loss)
