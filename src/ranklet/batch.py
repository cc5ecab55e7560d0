"""Batch: the one thing a model eats.

Always packed: the tokens of all texts lie behind each other and `cu_seqlens` says where each text
starts. Padding, where an attention kernel needs it, lives inside that kernel's backend.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Texts of one step, packed.

    Attributes:
        token_ids: (tokens,) int64, the ids of all texts behind each other, special tokens included.
        cu_seqlens: (texts + 1,) int32, text i owns `token_ids[cu_seqlens[i]:cu_seqlens[i + 1]]`.
        max_seqlen: Length of the longest text, tokens.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1 where a text may
            have several; None when they are not known. Texts behind the labelled ones only fill the
            batch up to a shape.
        hidden_states: (tokens, hidden) in the compute dtype, what enters layer `first_layer` when
            the layers below have been computed already; None: begin with the embeddings.
        first_layer: The layer to begin with, counted from 0.
        targets: (texts, classes) float32, the probabilities that a teacher gives, softened by the
            temperature; None without one.
        weights: (texts,) float32, how much the loss of each labelled text counts; None: 1 each.
        token_types: (tokens,) int64, 1 in the second text of a pair, else 0; None: 0 everywhere.
    """

    token_ids: Tensor
    cu_seqlens: Tensor
    max_seqlen: int
    labels: Tensor | None = None
    hidden_states: Tensor | None = None
    first_layer: int = 0
    targets: Tensor | None = None
    weights: Tensor | None = None
    token_types: Tensor | None = None

    @property
    def num_texts(self) -> int:
        """Number of texts."""
        return len(self.cu_seqlens) - 1

    @property
    def num_tokens(self) -> int:
        """Number of tokens over all texts."""
        return len(self.token_ids)

    @property
    def lengths(self) -> Tensor:
        """Tokens of each text, (texts,) int32."""
        return self.cu_seqlens[1:] - self.cu_seqlens[:-1]

    def to(self, device: torch.device) -> Batch:
        """Return the batch with its tensors on a device."""
        return replace(
            self,
            token_ids=self.token_ids.to(device),
            cu_seqlens=self.cu_seqlens.to(device),
            labels=None if self.labels is None else self.labels.to(device),
            hidden_states=None if self.hidden_states is None else self.hidden_states.to(device),
            targets=None if self.targets is None else self.targets.to(device),
            weights=None if self.weights is None else self.weights.to(device),
            token_types=None if self.token_types is None else self.token_types.to(device),
        )
