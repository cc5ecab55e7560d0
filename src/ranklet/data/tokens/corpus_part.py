"""CorpusPart: some rows of a split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.batch import Batch
from ranklet.data.tokens.batching import Indices
from ranklet.data.tokens.corpus import Corpus


@dataclass(frozen=True, eq=False)
class CorpusPart:
    """Some rows of a split, as a corpus of their own.

    Attributes:
        whole: The split.
        rows: (rows,) int64, which ones.
    """

    whole: Corpus
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (rows,) int64."""
        return self.whole.lengths[self.rows]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(rows,) int64 class indices, or None."""
        return None if self.whole.labels is None else self.whole.labels[self.rows]

    @property
    def text_starts(self) -> NDArray[np.int64] | None:
        """None: the windows of a text may be in several parts, so each counts as a text."""
        return None

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts, in the order given."""
        return self.whole.batch(self.rows[indices])
