"""Losses: (logits, labels) -> mean over the texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(label_smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return cross-entropy with label smoothing (Szegedy et al. 2015, arXiv:1512.00567, section 7).

    Args:
        label_smoothing: Probability spread evenly over all classes, 0 to 1.
    """
    return partial(F.cross_entropy, label_smoothing=label_smoothing)
