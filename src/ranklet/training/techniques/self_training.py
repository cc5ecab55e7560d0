"""Self-training: what a classifier says of texts without labels, where it is surest of each label.

Class-balanced self-training (Zou et al. 2018, arXiv:1810.07911, section 3.3) takes the same share
of the texts of every label that is given, since one threshold for all would take the easy labels
alone.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
from torch import Tensor

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.probe import fit_probe

SHARE = 0.5
"""Share of the texts of each given label that is taken, the surest ones."""


def with_surest(
    model: ClassifierNetwork, labelled: TokenCorpus, others: TokenCorpus, seed: int
) -> TokenCorpus:
    """Add the texts without labels of which a probe on a model's features is surest.

    Args:
        model: Gives the features; nothing in it changes.
        labelled: Single texts, each with one label.
        others: Single texts without labels; windows count as texts in both.
        seed: Of the probe's folds.

    Returns:
        The labelled texts, then those of the others that were taken, with the label given.
    """
    assert labelled.labels is not None
    features, more = (
        model.predict_features(corpus, np.arange(len(corpus))) for corpus in (labelled, others)
    )
    labels = torch.from_numpy(labelled.labels)
    probe = fit_probe(features, labels, len(model.labels), seed)
    rows, given = surest(probe.logits(more).softmax(-1), SHARE)
    chosen = rows.numpy()
    lengths = np.concatenate([labelled.lengths, others.lengths[chosen]])
    return TokenCorpus(
        token_ids=np.concatenate([labelled.token_ids, others.token_ids[others.rows(chosen)]]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=np.concatenate([labelled.labels, given.numpy()]),
        truncated=labelled.truncated,
    )


def surest(probabilities: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Choose the texts with the most probable labels, the same share of those of each label.

    Args:
        probabilities: (texts, classes).
        share: Of the texts for which a label is the most probable, rounded up.

    Returns:
        Their rows, ascending, and the labels given, both (chosen,) int64.
    """
    confidences, labels = probabilities.max(-1)
    order = confidences.argsort(descending=True, stable=True)
    by_label = [order[labels[order] == label] for label in range(probabilities.shape[1])]
    chosen = [texts[: ceil(share * len(texts))] for texts in by_label]
    rows = torch.cat(chosen).sort().values
    return rows, labels[rows]
