"""Losses: (logits, labels) -> mean over the texts, a scalar.

The mean is over texts, never over class weights: accumulated batches then give the step's mean.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ranklet.batch import Batch

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits (texts, classes) float32, labels) -> mean loss over the texts.

Labels are (texts,) int64 class indices, or (texts, classes) int64 of 0 and 1 where a text may have
several: see `label_set_losses`.
"""

TextLosses = Callable[[Tensor, Tensor], Tensor]
"""(logits, labels) -> loss of each text, (texts,)."""

BatchLoss = Callable[[nn.Module, Loss, Batch], Tensor]
"""(model, loss, batch with labels) -> mean loss over the labelled texts, with its graph."""


def cross_entropy(label_smoothing: float, class_weights: Tensor | None = None) -> Loss:
    """Return cross-entropy with label smoothing (Szegedy et al. 2015, arXiv:1512.00567, section 7).

    A text's loss, smoothing included, is multiplied by the weight of its own class. PyTorch's own
    combination weighs the smoothed part by the weights of all classes instead, so that rare
    classes are expected of every text (pytorch issue 104776).

    Args:
        label_smoothing: Probability spread evenly over all classes, 0 to 1.
        class_weights: (classes,) float32; None: 1 each.
    """
    text_losses = partial(F.cross_entropy, label_smoothing=label_smoothing, reduction="none")
    return _mean(text_losses, class_weights)


def focal(gamma: float, class_weights: Tensor | None = None) -> Loss:
    """Return the focal loss (Lin et al. 2017, arXiv:1708.02002, equation 5).

    Args:
        gamma: How much less a text counts that is classified well; 0 is cross-entropy.
        class_weights: The paper's alpha, (classes,) float32; None: 1 each.
    """

    def text_losses(logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none")
        # 1 - p without cancellation; above 0, since a power below 1 has no gradient there.
        missing = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
        return missing**gamma * losses

    return _mean(text_losses, class_weights)


def generalized_cross_entropy(q: float, class_weights: Tensor | None = None) -> Loss:
    """Return the loss (1 - p^q) / q, robust to wrong labels.

    Zhang & Sabuncu 2018 (arXiv:1805.07836, equation 6), without their truncation.

    Args:
        q: Near 0: cross-entropy; 1: the mean absolute error, which wrong labels disturb least.
        class_weights: (classes,) float32; None: 1 each.
    """

    def text_losses(logits: Tensor, labels: Tensor) -> Tensor:
        return -torch.expm1(-q * F.cross_entropy(logits, labels, reduction="none")) / q

    return _mean(text_losses, class_weights)


def bootstrapping(beta: float, hard: bool, class_weights: Tensor | None = None) -> Loss:
    """Return cross-entropy with labels that are mixed with what the model believes.

    Reed et al. 2014 (arXiv:1412.6596, equations 6 and 7).

    Args:
        beta: Share of the given label; 1 is cross-entropy.
        hard: Mix with the most probable class; else with all probabilities, which then train too.
        class_weights: (classes,) float32; None: 1 each.
    """

    def text_losses(logits: Tensor, labels: Tensor) -> Tensor:
        supervised = F.cross_entropy(logits, labels, reduction="none")
        believed = logits.argmax(-1) if hard else logits.softmax(-1)
        return beta * supervised + (1 - beta) * F.cross_entropy(logits, believed, reduction="none")

    return _mean(text_losses, class_weights)


def balanced_weights(labels: NDArray[np.int64], num_classes: int) -> Tensor:
    """Return scikit-learn's balanced weights: texts / (classes * texts of the class).

    Args:
        labels: (texts,) class indices of the training texts.
        num_classes: Classes; one without texts counts for nothing and weighs 1.

    Returns:
        (classes,) float32.
    """
    from sklearn.utils.class_weight import compute_class_weight

    weights = np.ones(num_classes)
    present = np.unique(labels)
    weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    return torch.tensor(weights, dtype=torch.float32)


def one_pass(model: nn.Module, loss: Loss, batch: Batch) -> Tensor:
    """Return the loss of a batch, as it is."""
    return loss(*_logits_and_labels(model, batch))


def r_drop(weight: float) -> BatchLoss:
    """Return the loss of two passes with different dropout, and how far apart they are.

    R-Drop (Liang et al. 2021, arXiv:2106.14448, equation 4), halved, so that it is of the size of
    the loss of one pass; the weight is the paper's alpha.
    """

    def two_passes(model: nn.Module, loss: Loss, batch: Batch) -> Tensor:
        first, labels = _logits_and_labels(model, batch)
        second, _ = _logits_and_labels(model, batch)
        divergence = (_divergence(first, second) + _divergence(second, first)) / 2
        return (loss(first, labels) + loss(second, labels) + weight * divergence) / 2

    return two_passes


def distilled(weight: float, temperature: float) -> BatchLoss:
    """Return the loss with the labels mixed with the distance from a teacher's probabilities.

    Hinton et al. 2015 (arXiv:1503.02531, section 2): the squared temperature keeps the gradients of
    the second part from shrinking with it. The batches carry `targets`.

    Args:
        weight: Share of the Kullback-Leibler divergence from the teacher to the student.
        temperature: What the logits are divided by; the targets were made with the same.
    """

    def blended(model: nn.Module, loss: Loss, batch: Batch) -> Tensor:
        logits, labels = _logits_and_labels(model, batch)
        assert batch.targets is not None
        student = (logits / temperature).log_softmax(-1)
        distance = F.kl_div(student, batch.targets, reduction="batchmean") * temperature**2
        return (1 - weight) * loss(logits, labels) + weight * distance

    return blended


def _logits_and_labels(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    assert batch.labels is not None
    # Texts behind the labelled ones are no part of it.
    logits = model(batch)[: len(batch.labels)]
    return logits if batch.weights is None else _weighed(logits, batch.weights), batch.labels


def _weighed(logits: Tensor, weights: Tensor) -> Tensor:
    """Return the same logits, whose gradients are multiplied by a weight for each text.

    A mean over texts of any loss of one text then has the gradients of the weighed mean; its value
    stays that of the mean.
    """
    constant = logits.detach()
    return constant + weights[:, None] * (logits - constant)


def _divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean over the texts of KL(target || logits)."""
    logs = (logits.log_softmax(-1), target.log_softmax(-1))
    return F.kl_div(*logs, reduction="batchmean", log_target=True)


def _mean(text_losses: TextLosses, class_weights: Tensor | None) -> Loss:
    """Return the mean of a loss of each text, weighed by the class of the text."""
    if class_weights is None:
        return lambda logits, labels: text_losses(logits, labels).mean()
    weights = class_weights
    return lambda logits, labels: (text_losses(logits, labels) * weights[labels]).mean()
