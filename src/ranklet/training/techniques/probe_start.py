"""The linear probe as the start of the head (Kumar et al. 2022, arXiv:2202.10054)."""

from __future__ import annotations

import numpy as np
import torch

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import Corpus
from ranklet.probe import Probe, fit_probe

MOST_TEXTS = 16_384
"""Texts that are looked at: the cost is their forward pass, and some seconds."""


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
    labels = torch.from_numpy(corpus.labels[rows])
    probe = fit_probe(features, labels, len(model.labels), seed)
    last = model.last_module.last_map
    with torch.no_grad():
        last.weight.copy_(probe.weight)
        last.bias.copy_(probe.bias)
    return probe
