"""DistilBERT in plain PyTorch: BERT's arithmetic under other names, without token types.

Sanh et al. 2019 (arXiv:1910.01108). Modules carry Hugging Face's names. There is no dropout but
what a training sets.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.encoder.attention import ATTENTION_BACKENDS, Attend
from ranklet.encoder.bert import ACTIVATION_FUNCTIONS, LayerNorm, Linear
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.fused.layer import ACTIVATION_GRADIENTS, LayerMaps, layer_maps, norm
from ranklet.encoder.fused.linear_maps import (
    LinearMap,
    base_linear,
    join_maps,
    joined_map,
    single_map,
)
from ranklet.encoder.layers import equal_attention, last_states, states_entering, table
from ranklet.encoder.packing import positions_in_text
from ranklet.vocabulary import AttentionBackend


class Embeddings(nn.Module):
    """Sum of word and position embeddings, normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.position_offset = config.position_offset
        self.word_embeddings = table(config.vocab_size, config.hidden_size)
        self.position_embeddings = table(config.max_position_embeddings, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch: (tokens, hidden)."""
        positions = positions_in_text(batch.cu_seqlens, batch.num_tokens) + self.position_offset
        words, places = self.word_embeddings(batch.token_ids), self.position_embeddings(positions)
        hidden: Tensor = self.LayerNorm(words + places)
        return hidden


class SelfAttention(nn.Module):
    """Query, key, value and output projections and the attention between them."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.q_lin = Linear(config.hidden_size, config.hidden_size)
        self.k_lin = Linear(config.hidden_size, config.hidden_size)
        self.v_lin = Linear(config.hidden_size, config.hidden_size)
        self.out_lin = Linear(config.hidden_size, config.hidden_size)

    def join_projections(self) -> None:
        """Lay the three weights, and biases, below each other in memory; their names stay."""
        join_maps([base_linear(part) for part in self._projections()])

    def projections(self) -> LinearMap | None:
        """Describe the three as one map; None where they do not lie so or are more than a map."""
        return joined_map(self._projections())

    def _projections(self) -> tuple[nn.Module, ...]:
        return self.q_lin, self.k_lin, self.v_lin

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Let (rows, hidden) look at (tokens, hidden): (rows, hidden)."""
        heads = [
            states.unflatten(-1, (-1, self.head_dim))  # (rows or tokens, heads, head_dim)
            for states in (self.q_lin(rows), self.k_lin(hidden), self.v_lin(hidden))
        ]
        attended: Tensor = self.out_lin(attend(*heads).flatten(1))
        return attended


class FeedForward(nn.Module):
    """The feed-forward network."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.lin1 = Linear(config.hidden_size, config.intermediate_size)
        self.lin2 = Linear(config.intermediate_size, config.hidden_size)
        self.activation = ACTIVATION_FUNCTIONS[config.hidden_act]
        self.activation_gradient = ACTIVATION_GRADIENTS[config.hidden_act]

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        states: Tensor = self.lin2(self.activation(self.lin1(hidden)))
        return states


class Layer(nn.Module):
    """Attention, then the feed-forward network, each added and normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.sa_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.ffn = FeedForward(config)
        self.output_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = 0.0

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Compute the layer for (rows, hidden), which look at (tokens, hidden): (rows, hidden)."""
        rows = self.sa_layer_norm(self._dropped(self.attention(rows, hidden, attend)) + rows)
        states: Tensor = self.output_layer_norm(self._dropped(self.ffn(rows)) + rows)
        return states

    def _dropped(self, added: Tensor) -> Tensor:
        return F.dropout(added, self.dropout, self.training)

    def maps(self) -> LayerMaps | None:
        """Describe the layer for `fused_layer`; None while it is more than frozen low-rank maps."""
        if self.dropout and self.training:
            return None
        return layer_maps(
            projections=self.attention.projections(),
            attention_output=single_map(self.attention.out_lin),
            attention_norm=norm(self.sa_layer_norm),
            intermediate=single_map(self.ffn.lin1),
            output=single_map(self.ffn.lin2),
            output_norm=norm(self.output_layer_norm),
            head_dim=self.attention.head_dim,
            activation=self.ffn.activation,
            activation_gradient=self.ffn.activation_gradient,
        )


class Layers(nn.Module):
    """All layers, first to last, under Hugging Face's name for them."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))


class DistilBertEncoder(nn.Module):
    """A pretrained DistilBERT; every parameter is filled from a file.

    Args:
        config: Sizes.
        attention: Attention backend.
    """

    def __init__(self, config: EncoderConfig, attention: AttentionBackend = "sdpa") -> None:
        super().__init__()
        self.config = config
        self.build_attention = ATTENTION_BACKENDS[attention]
        self.fused = attention != "reference"
        self.activation_checkpointing = False
        self.embeddings = Embeddings(config)
        self.transformer = Layers(config)
        self.pooler = None

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, first to last."""
        return self.transformer.layer

    @property
    def entrance(self) -> list[nn.Module]:
        """What lies below the first layer."""
        return [self.embeddings]

    def embed(self, batch: Batch) -> Tensor:
        """Return the states that enter the first layer, (tokens, hidden), compute dtype."""
        hidden: Tensor = self.embeddings(batch)
        return hidden

    def attention(self, batch: Batch, first_only: bool = False) -> list[Attend]:
        """Return the attention of each layer; with `first_only` the last takes first tokens."""
        return equal_attention(self.build_attention, batch, first_only, len(self.layers))

    def join_projections(self) -> None:
        """Prepare the layers for their fused twin; call again after moving or converting them."""
        for layer in self.layers:
            assert isinstance(layer, Layer)
            layer.attention.join_projections()

    def states_entering(self, layer: int, batch: Batch) -> Tensor:
        """Return the states that enter a layer, see `layers.states_entering`."""
        return states_entering(self, layer, batch)

    def forward(self, batch: Batch, first_only: bool = False) -> Tensor:
        """Return the last hidden states of a batch in the compute dtype.

        Args:
            batch: Packed texts; their states may enter at a higher layer than the first.
            first_only: Return each text's first token only; the last layer then computes no other.

        Returns:
            (tokens, hidden), or (texts, hidden) with `first_only`.
        """
        return last_states(self, batch, first_only)
