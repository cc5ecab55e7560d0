"""NativeEncoder: the one loop over layers that every native encoder computes with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ranklet.batch import Batch
from ranklet.encoder.attention import Attend, BuildAttention
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.fused.layer import FusibleLayer, LayerMaps, fused_layer
from ranklet.encoder.fused.linear_maps import base_linear, join_maps
from ranklet.encoder.packing import PaddedLayout


class NativeEncoder(nn.Module, ABC):
    """A pretrained text encoder: what lies below its layers, the layers, and the loop over them.

    Subclasses name their modules as Hugging Face does and say how their layers attend; the loop
    stays as it is here. Nothing is initialised: files fill every parameter.

    Args:
        config: Sizes.
        fused: Run layers as one function where that is possible.

    Attributes:
        activation_checkpointing: Compute activations again for the gradients, instead of keeping
            them: less memory, about a third more time.
        final_norm: Applied to what leaves the last layer, or None.
        pooler: Pretrained map of the pooled state, (texts, hidden) to (texts, hidden), or None.
    """

    if TYPE_CHECKING:  # at run time it would hide a module that has this name for Hugging Face

        @property
        def layers(self) -> nn.ModuleList:
            """The layers, first to last, each called as `layer(rows, hidden, attend)`."""

    def __init__(self, config: EncoderConfig, fused: bool) -> None:
        super().__init__()
        self.config = config
        self.fused = fused
        self.activation_checkpointing = False
        self.final_norm: nn.Module | None = None
        self._fixed_maps: tuple[LayerMaps | None, ...] | None = None
        self.pooler: nn.Module | None = None

    @property
    @abstractmethod
    def entrance(self) -> list[nn.Module]:
        """What lies below the first layer: one module embeds a batch, each next one maps states."""

    @abstractmethod
    def attention(self, batch: Batch, first_only: bool = False) -> list[Attend]:
        """Return the attention of each layer; with `first_only` the last takes first tokens."""

    @final
    def join_projections(self) -> None:
        """Prepare the layers for their fused twin; call again after moving or converting them."""
        for layer in self.layers:
            if isinstance(layer, FusibleLayer):
                join_maps([base_linear(part) for part in layer.projections()])

    @final
    def fix_maps(self) -> None:
        """Describe the layers once for all batches: nothing of them trains or moves any more."""
        with torch.no_grad():
            self._fixed_maps = self._maps(slice(None))

    @final
    def _maps(self, layers: slice) -> tuple[LayerMaps | None, ...]:
        """Return what each layer's fused twin computes with; None where it has none."""
        if self._fixed_maps is not None:
            return self._fixed_maps[layers]
        return tuple(
            layer.maps() if self.fused and isinstance(layer, FusibleLayer) else None
            for layer in self.layers[layers]
        )

    @final
    def states_entering(self, layer: int, batch: Batch) -> Tensor:
        """Return the hidden states that enter a layer: (tokens, hidden) in the compute dtype.

        Args:
            layer: Counted from 0, at least `batch.first_layer`.
            batch: Packed texts.
        """
        hidden = self._embed(batch) if batch.hidden_states is None else batch.hidden_states
        layout = PaddedLayout(batch.cu_seqlens, batch.max_seqlen)
        passed = slice(batch.first_layer, layer)
        attentions = self.attention(batch)[passed]
        for module, maps, attend in zip(
            self.layers[passed], self._maps(passed), attentions, strict=True
        ):
            if maps is not None:
                hidden = fused_layer(hidden, layout, maps, self.activation_checkpointing)
            elif self.activation_checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(module, hidden, hidden, attend, use_reentrant=False)
            else:
                hidden = module(hidden, hidden, attend)
        return hidden

    def forward(self, batch: Batch, first_only: bool = False) -> Tensor:
        """Return the last hidden states of a batch in the compute dtype.

        Args:
            batch: Packed texts; their states may enter at a higher layer than the first.
            first_only: Return each text's first token only; the last layer then computes no other.

        Returns:
            (tokens, hidden), or (texts, hidden) with `first_only`.
        """
        last = len(self.layers) - 1
        if first_only:
            hidden = self.states_entering(last, batch)
            rows = hidden[batch.cu_seqlens[:-1].long()]
            states: Tensor = self.layers[last](rows, hidden, self.attention(batch, True)[last])
        else:
            states = self.states_entering(last + 1, batch)
        return states if self.final_norm is None else self.final_norm(states)

    def _embed(self, batch: Batch) -> Tensor:
        embeddings, *maps = self.entrance
        hidden: Tensor = embeddings(batch)
        for module in maps:
            hidden = module(hidden)
        return hidden


class Layers(nn.Module):
    """All layers, first to last, under Hugging Face's name for them."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layer = nn.ModuleList(layers)


def attend_in_heads(
    projections: Sequence[nn.Module], rows: Tensor, hidden: Tensor, attend: Attend, head_dim: int
) -> Tensor:
    """Let (rows, hidden) look at (tokens, hidden): (rows, hidden), not yet projected back."""
    query, key, value = projections
    heads = [
        states.unflatten(-1, (-1, head_dim))  # (rows or tokens, heads, head_dim)
        for states in (query(rows), key(hidden), value(hidden))
    ]
    return attend(*heads).flatten(1)


def equal_attention(
    build: BuildAttention, batch: Batch, first_only: bool, num_layers: int
) -> list[Attend]:
    """Return the attention of each layer of an encoder whose layers all attend alike."""
    every = [build(batch.cu_seqlens, batch.max_seqlen, False)] * num_layers
    if first_only:
        every[-1] = build(batch.cu_seqlens, batch.max_seqlen, True)
    return every


def table(rows: int, width: int) -> nn.Embedding:
    """Return an embedding table without values; files fill it."""
    # Not nn.Embedding(rows, width): drawing its values on the meta device loads PyTorch's compiler,
    # 1.9 of the 4 seconds of a classify (2026-11-21), and files overwrite them anyway.
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width))
