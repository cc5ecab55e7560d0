"""Packed texts to padded texts and back."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class PaddedLayout:
    """Where packed tokens stand in a (texts, max_seqlen) grid.

    Attributes:
        lengths: (texts,) int32, tokens of each text.
        max_seqlen: Width of the grid, tokens.
        slots: (tokens,) int64, flat grid position of each packed token, or None when every text
            fills its row, so that packing and padding are views of each other.
    """

    lengths: Tensor
    max_seqlen: int
    slots: Tensor | None

    @classmethod
    def of(cls, cu_seqlens: Tensor, max_seqlen: int) -> PaddedLayout:
        """Lay out packed texts.

        Args:
            cu_seqlens: (texts + 1,) int32 start of each text.
            max_seqlen: Longest text, tokens.
        """
        lengths = cu_seqlens[1:] - cu_seqlens[:-1]
        if bool((lengths == max_seqlen).all()):
            return cls(lengths, max_seqlen, None)
        rows = torch.arange(len(lengths), device=lengths.device)
        num_tokens = int(cu_seqlens[-1])
        row_of_token = torch.repeat_interleave(rows, lengths, output_size=num_tokens)
        slots = row_of_token * max_seqlen + positions_in_text(cu_seqlens, num_tokens)
        return cls(lengths, max_seqlen, slots)

    def key_mask(self) -> Tensor | None:
        """Return (texts, 1, 1, max_seqlen) bool, True where a token stands; None: everywhere."""
        if self.slots is None:
            return None
        columns = torch.arange(self.max_seqlen, device=self.lengths.device)
        return (columns < self.lengths[:, None])[:, None, None, :]

    def pad(self, packed: Tensor) -> Tensor:
        """Spread (tokens, ...) over the grid: (texts, max_seqlen, ...), zeros where no token is."""
        grid = (len(self.lengths), self.max_seqlen, *packed.shape[1:])
        if self.slots is None:
            return packed.view(grid)
        flat = packed.new_zeros(grid[0] * grid[1], *packed.shape[1:])
        return flat.index_copy(0, self.slots, packed).view(grid)

    def unpad(self, padded: Tensor) -> Tensor:
        """Collect (texts, max_seqlen, ...) back into (tokens, ...)."""
        flat = padded.flatten(0, 1)
        return flat if self.slots is None else flat.index_select(0, self.slots)
