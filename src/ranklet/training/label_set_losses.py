"""Losses where a text may have any number of labels: the mean over labels and texts, a scalar.

Every label is a question of its own, answered yes or no by the sigmoid of its logit.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ranklet.training.losses import Loss


def binary_cross_entropy(label_smoothing: float, positive_weights: Tensor | None = None) -> Loss:
    """Return the binary cross-entropy of each label, with label smoothing.

    The smoothed mass lies evenly on having a label and not having it (Szegedy et al. 2015,
    arXiv:1512.00567, section 7, with two classes). A weight multiplies the whole loss of a label
    that a text has, smoothing included; without smoothing it is the `pos_weight` of PyTorch.

    Args:
        label_smoothing: Probability spread evenly over yes and no, 0 to 1.
        positive_weights: (labels,) float32; None: 1 each.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        targets = labels.to(logits.dtype)
        smoothed = targets * (1 - label_smoothing) + label_smoothing / 2
        weights = _weights(targets, positive_weights)
        return F.binary_cross_entropy_with_logits(logits, smoothed, weights)

    return loss


def binary_focal(gamma: float, positive_weights: Tensor | None = None) -> Loss:
    """Return the focal loss of each label (Lin et al. 2017, arXiv:1708.02002, equation 4).

    Args:
        gamma: How much less a label counts that is decided well; 0 is binary cross-entropy.
        positive_weights: (labels,) float32, of labels that a text has; None: 1 each.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        targets = labels.to(logits.dtype)
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        # 1 - p without cancellation; above 0, since a power below 1 has no gradient there.
        missing = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
        focused = missing**gamma * losses
        weights = _weights(targets, positive_weights)
        return (focused if weights is None else focused * weights).mean()

    return loss


def balanced_positive_weights(labels: NDArray[np.int64]) -> Tensor:
    """Return, for each label, how many texts lack it for one that has it.

    It is what PyTorch's documentation of `BCEWithLogitsLoss` advises for its `pos_weight`: both
    answers then count alike in sum.

    Args:
        labels: (texts, labels) of 0 and 1, of the training texts; a label that none or all of them
            have weighs 1.

    Returns:
        (labels,) float32.
    """
    having = torch.from_numpy(labels.sum(0)).float()
    lacking = len(labels) - having
    return torch.where((having > 0) & (lacking > 0), lacking / having.clamp_min(1), 1.0)


def _weights(targets: Tensor, positive_weights: Tensor | None) -> Tensor | None:
    return None if positive_weights is None else 1 + (positive_weights - 1) * targets
