"""Packed texts to padded texts and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


def positions_in_text(cu_seqlens: Tensor, num_tokens: int) -> Tensor:
    """Return the index of every token inside its own text.

    Args:
        cu_seqlens: (texts + 1,) int32 start of each text.
        num_tokens: Tokens over all texts.

    Returns:
        (tokens,) int64, counted from 0.
    """
    lengths = cu_seqlens[1:] - cu_seqlens[:-1]
    starts = torch.repeat_interleave(cu_seqlens[:-1], lengths, output_size=num_tokens)
    return torch.arange(num_tokens, device=cu_seqlens.device) - starts


@dataclass(frozen=True, eq=False)
class _Grid:
    """Where packed tokens stand in a grid with gaps.

    Attributes:
        slots: (tokens,) int64, flat grid position of each packed token.
        sources: (texts * max_seqlen,) int64, packed token of each grid position, 0 where none is.
        gaps: (empty positions,) int64, flat grid positions without a token.
    """

    slots: Tensor
    sources: Tensor
    gaps: Tensor


@dataclass(frozen=True, eq=False)
class PaddedLayout:
    """Packed texts as a (texts, max_seqlen) grid, worked out when it is first asked for.

    Attributes:
        cu_seqlens: (texts + 1,) int32 start of each text.
        max_seqlen: Width of the grid, tokens: the longest text.
    """

    cu_seqlens: Tensor
    max_seqlen: int

    @property
    def lengths(self) -> Tensor:
        """Tokens of each text, (texts,) int32."""
        return self.cu_seqlens[1:] - self.cu_seqlens[:-1]

    @cached_property
    def _grid(self) -> _Grid | None:
        """None when every text fills its row: packing and padding are then views of each other."""
        if bool((self.lengths == self.max_seqlen).all()):
            return None
        columns = torch.arange(self.max_seqlen, device=self.cu_seqlens.device)
        filled = columns < self.lengths[:, None]
        sources = torch.where(filled, self.cu_seqlens[:-1, None] + columns, 0).flatten().long()
        slots, gaps = filled.flatten().nonzero()[:, 0], (~filled).flatten().nonzero()[:, 0]
        return _Grid(slots, sources, gaps)

    def key_mask(self) -> Tensor | None:
        """Return (texts, 1, 1, max_seqlen) bool, True where a token stands; None: everywhere."""
        if self._grid is None:
            return None
        columns = torch.arange(self.max_seqlen, device=self.cu_seqlens.device)
        return (columns < self.lengths[:, None])[:, None, None, :]

    def key_bias(self, dtype: torch.dtype) -> Tensor | None:
        """Return `key_mask` as a number to add to scores: 0 where a token stands, else -inf."""
        mask = self.key_mask()
        if mask is None:
            return None
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(
            ~mask, float("-inf")
        )

    def pad(self, packed: Tensor) -> Tensor:
        """Spread (tokens, ...) over the grid: (texts, max_seqlen, ...), zeros where no token is."""
        grid = (len(self.lengths), self.max_seqlen, *packed.shape[1:])
        if self._grid is None:
            return packed.view(grid)
        # Gathering and clearing the few gaps is faster than scattering into zeros.
        return (
            packed.index_select(0, self._grid.sources).index_fill_(0, self._grid.gaps, 0).view(grid)
        )

    def unpad(self, padded: Tensor) -> Tensor:
        """Collect (texts, max_seqlen, ...) back into (tokens, ...)."""
        flat = padded.flatten(0, 1)
        return flat if self._grid is None else flat.index_select(0, self._grid.slots)
