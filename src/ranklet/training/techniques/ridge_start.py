"""A closed-form start of the head: ridge regression of the labels on what its last map reads.

Centred one-hot labels are regressed on centred features, so the scores of a text sum to 1 as
probabilities do, but are no logits yet. Penalty and temperature together are those with the least
cross-entropy of the texts under the regression without each of them in turn, which a ridge
regression gives in closed form (Allen 1974, doi:10.1080/00401706.1974.10489157): on the regression
of all texts itself the temperature would be that of an overfitted model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import Corpus

MOST_TEXTS = 2048
"""Texts that are looked at: the cost is their forward pass, and the regression well under 1 s."""

# Penalties as multiples of the mean variance of a feature times the number of texts.
_PENALTIES = tuple(10.0 ** (half / 2) for half in range(-8, 5))
# Logits per unit of score. At most 10: beyond it a few texts that are told apart without an error
# would leave no gradient to train with.
_SCALES = torch.logspace(-1, 1, 81, dtype=torch.float64)


@dataclass(frozen=True)
class RidgeMap:
    """A linear map to logits.

    Attributes:
        weight: (classes, features) float32.
        bias: (classes,) float32.
        penalty: Chosen multiple of the mean variance of a feature.
        scale: Chosen logits per unit of score.
        loss: Mean cross-entropy of the texts, each under the map without it.
    """

    weight: Tensor
    bias: Tensor
    penalty: float
    scale: float
    loss: float


def start_with_ridge(model: ClassifierNetwork, corpus: Corpus, seed: int) -> RidgeMap:
    """Set the last map of a classifier's head from at most `MOST_TEXTS` training texts, in place.

    Equal seeds give equal maps.

    Returns:
        The map that the head starts with.
    """
    assert corpus.labels is not None
    count = min(len(corpus), MOST_TEXTS)
    rows = np.sort(np.random.default_rng(seed).choice(len(corpus), count, replace=False))
    features = model.predict_features(corpus, rows)
    labels = torch.from_numpy(corpus.labels[rows])
    start = ridge_map(features, labels, len(model.labels))
    last = model.last_module.last_map
    with torch.no_grad():
        last.weight.copy_(start.weight)
        last.bias.copy_(start.bias)
    return start


def ridge_map(features: Tensor, labels: Tensor, num_labels: int) -> RidgeMap:
    """Regress labels on features; penalty and temperature by leaving each text out.

    Args:
        features: (texts, features).
        labels: (texts,) int64 class indices.
        num_labels: Classes.
    """
    texts = len(features)
    states = features.double()
    targets = torch.nn.functional.one_hot(labels, num_labels).double()
    mean, share = states.mean(0), targets.mean(0)
    centred, deviations = states - mean, targets - share
    eigenvalues, directions = torch.linalg.eigh(centred.T @ centred)
    eigenvalues = eigenvalues.clamp_min(0.0)
    unit = max(float(eigenvalues.mean()), 1e-12)  # not 0 where no feature varies
    rotated = centred @ directions
    best: RidgeMap | None = None
    for penalty in _PENALTIES:
        inverse = 1.0 / (eigenvalues + penalty * unit)
        rotated_map = inverse[:, None] * (rotated.T @ deviations)  # (features, classes)
        leverage = 1.0 / texts + rotated.square() @ inverse
        scores = rotated @ rotated_map + share
        without = targets - (targets - scores) / (1.0 - leverage).clamp_min(1e-6)[:, None]
        losses = _cross_entropies(without, labels)
        least = int(losses.argmin())
        if best is None or float(losses[least]) < best.loss:
            scale, weight = float(_SCALES[least]), (directions @ rotated_map).T
            best = RidgeMap(
                weight=(weight * scale).float(),
                bias=((share - weight @ mean) * scale).float(),
                penalty=penalty,
                scale=scale,
                loss=float(losses[least]),
            )
    assert best is not None
    return best


def _cross_entropies(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy at each of `_SCALES`: (scales,) float64."""
    losses = [torch.nn.functional.cross_entropy(scores * scale, labels) for scale in _SCALES]
    return torch.stack(losses)
