"""Training texts that lie on the device as a whole, so that no step waits for the host.

The official 120,000 texts of AG News are 27 MB of token ids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ranklet.batch import Batch
from ranklet.data.tokens.corpus import DerivedCorpus, TokenCorpus


@dataclass(frozen=True, eq=False)
class ResidentCorpus(DerivedCorpus):
    """The texts of one split on a device.

    Attributes:
        tokens: The same texts on the host; their lengths plan the batches.
        token_ids: (tokens,) int32 on the device.
        offsets: (texts + 1,) int64 on the device.
        classes: (texts,) int64 on the device, or None.
        weights: (texts,) float32 on the device, or None.
        token_types: (tokens,) int32 on the device, or None.
    """

    tokens: TokenCorpus
    token_ids: Tensor
    offsets: Tensor
    classes: Tensor | None
    weights: Tensor | None = None
    token_types: Tensor | None = None

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts on the device, in the order given; only their indices travel there."""
        host_lengths = self.lengths[indices]
        total = int(host_lengths.sum())
        texts = torch.from_numpy(np.asarray(indices, dtype=np.int64))
        texts = texts.to(self.offsets.device, non_blocking=True)
        starts = self.offsets[texts]
        lengths = self.offsets[texts + 1] - starts
        ends = lengths.cumsum(0)
        # From the place in the batch to the place in the corpus; sizes are known, so nothing waits.
        shifts = torch.repeat_interleave(starts - (ends - lengths), lengths, output_size=total)
        rows = torch.arange(total, device=shifts.device) + shifts
        return Batch(
            token_ids=self.token_ids[rows].long(),
            cu_seqlens=torch.cat([ends.new_zeros(1), ends]).int(),
            max_seqlen=int(host_lengths.max(initial=0)),
            labels=None if self.classes is None else self.classes[texts],
            weights=None if self.weights is None else self.weights[texts],
            token_types=None if self.token_types is None else self.token_types[rows].long(),
        )


def resident(corpus: TokenCorpus, device: torch.device) -> ResidentCorpus:
    """Bring a split to a device as a whole."""
    labels, weights, types = corpus.labels, corpus.weights, corpus.token_types
    return ResidentCorpus(
        tokens=corpus,
        token_ids=torch.from_numpy(corpus.token_ids).to(device),
        offsets=torch.from_numpy(corpus.offsets).to(device),
        classes=None if labels is None else torch.from_numpy(labels).to(device),
        weights=None if weights is None else torch.from_numpy(weights).to(device),
        token_types=None if types is None else torch.from_numpy(types).to(device),
    )
