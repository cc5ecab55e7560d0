"""A contrastive start of the adapters: texts of one label are drawn together before they are named.

The supervised contrastive loss (Khosla et al. 2020, arXiv:2004.11362, equation 2) over all pairs of
a batch. SetFit (Tunstall et al. 2022, arXiv:2209.11055) tunes sentence encoders on few labels with
sampled pairs in the same way; all pairs of a batch need one pass for each text, not two for each
pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.batching import Indices
from ranklet.data.tokens.corpus import Corpus
from ranklet.head import module_device

WARMUP = 0.1


def supervised_contrastive(states: Tensor, labels: Tensor, temperature: float) -> Tensor:
    similarity = F.normalize(states, dim=-1)
    similarity = similarity @ similarity.T / temperature
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == labels) & ~itself
    log_share = similarity - similarity.masked_fill(itself, -torch.inf).logsumexp(-1, keepdim=True)
    positives = positive.sum(-1)
    anchors = positives > 0
    losses = -(log_share * positive).sum(-1)[anchors] / positives[anchors]
    return losses.mean()


def contrastive_batches(
    labels: NDArray[np.int64], steps: int, texts: int, seed: int, per_label: int = 2
) -> Iterator[Indices]:
    generator = np.random.default_rng(seed)
    rows = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
    names = np.array([label for label, own in rows.items() if len(own) > 1])
    each = max(per_label, texts // len(names))
    wanted = max(1, texts // each)
    queue = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        while len(queue) < wanted:
            queue = np.concatenate([queue, generator.permutation(names)])
        chosen, queue = queue[:wanted], queue[wanted:]
        yield np.concatenate(
            [
                generator.choice(rows[int(label)], min(each, len(rows[int(label)])), replace=False)
                for label in np.unique(chosen)
            ]
        )


def start_contrastively(
    model: ClassifierNetwork,
    corpus: Corpus,
    *,
    steps: int,
    learning_rate: float,
    temperature: float,
    texts: int,
    seed: int,
    per_label: int = 2,
    loss_name: str = "supcon",
    weight_decay: float = 0.01,
) -> list[float]:
    assert corpus.labels is not None
    device = module_device(model)
    last = {id(p) for p in model.last_module.last_map.parameters()}
    parameters = [p for p in model.parameters() if p.requires_grad and id(p) not in last]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    warmup = max(1, math.ceil(WARMUP * steps))
    model.train()
    losses = []
    for step, rows in enumerate(contrastive_batches(corpus.labels, steps, texts, seed, per_label), 1):
        factor = min(step / warmup, (steps - step + 1) / max(1, steps - warmup))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * factor
        batch = corpus.batch(rows).to(device)
        states = model.features(batch)
        if loss_name == "supcon":
            loss = supervised_contrastive(states, batch.labels, temperature)
        else:
            s = F.normalize(states, dim=-1)
            s = s @ s.T
            same = (batch.labels[:, None] == batch.labels).float()
            off = ~torch.eye(len(rows), dtype=torch.bool)
            e = (s - same).square()
            pos, neg = e[(same > 0) & off], e[same == 0]
            loss = 0.5 * (pos.mean() + neg.mean())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
    return losses
