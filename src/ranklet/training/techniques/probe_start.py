"""The linear probe as the start of the head (Kumar et al. 2022, arXiv:2202.10054), softened.

As it is, a probe is sure of its training texts: their loss is near 0, and little gradient is left
for the adapters. On 1,000 texts of 77 labels a training from there ended 2 points below one from a
tenth of its weights, which is right about the same texts and sure of none
(docs/developers/experiments.md).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import Corpus
from ranklet.probe import Probe, fit_probe

MOST_TEXTS = 16_384
"""Texts that are looked at: the cost is their forward pass, and some seconds."""

SOFTENED = 0.1
"""What the weights of the probe are multiplied by."""


def start_with_probe(model: ClassifierNetwork, corpus: Corpus, seed: int) -> Probe:
    """Set the last map of a classifier's head to the linear probe of training texts, in place.

    It is fitted on what the map reads of at most `MOST_TEXTS` texts. Equal seeds give equal maps.

    Returns:
        The probe.
    """
    assert corpus.labels is not None
    count = min(len(corpus), MOST_TEXTS)
    rows = np.sort(np.random.default_rng(seed).choice(len(corpus), count, replace=False))
    features = model.predict_features(corpus, rows)
    probe = fit_probe(features, torch.from_numpy(corpus.labels[rows]), len(model.labels), seed)
    _set_last_map(model, probe.weight, probe.bias)
    return probe


def soften_probe(model: ClassifierNetwork, probe: Probe, labels: np.ndarray) -> None:
    """Set the last map of a head to a softened probe, in place.

    Of an average text its logits are those of the frequencies of the labels.

    Args:
        model: Whose head it is.
        probe: Of what the map reads.
        labels: (texts,) int64 class indices, or (texts, classes) of 0 and 1, of training texts.
    """
    weight = SOFTENED * probe.weight
    _set_last_map(model, weight, _prior_logits(labels, len(model.labels)) - weight @ probe.centre)


def _set_last_map(model: ClassifierNetwork, weight: Tensor, bias: Tensor) -> None:
    last = model.last_module.last_map
    with torch.no_grad():
        last.weight.copy_(weight)
        last.bias.copy_(bias)


def _prior_logits(labels: np.ndarray, classes: int) -> Tensor:
    """Return (classes,) float32; a label without texts counts as if it had one."""
    if labels.ndim == 2:
        shares = (labels.sum(0) + 1) / (len(labels) + 2)
        return torch.from_numpy(np.log(shares / (1 - shares))).float()
    counts = np.bincount(labels, minlength=classes) + 1
    return torch.from_numpy(np.log(counts / counts.sum())).float()
