"""DistilBERT in plain PyTorch: BERT's arithmetic under other names, without token types.

Sanh et al. 2019 (arXiv:1910.01108). Modules carry Hugging Face's names. There is no dropout but
what a training sets.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.encoder.attention import ATTENTION_BACKENDS, Attend
from ranklet.encoder.bert import ACTIVATION_FUNCTIONS, Embeddings, LayerNorm, Linear
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.fused.layer import ACTIVATION_GRADIENTS, LayerMaps, layer_maps, norm
from ranklet.encoder.fused.linear_maps import joined_map, single_map
from ranklet.encoder.layers import Layers, NativeEncoder, attend_in_heads, equal_attention
from ranklet.vocabulary import AttentionBackend


class SelfAttention(nn.Module):
    """Query, key, value and output projections and the attention between them."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.q_lin = Linear(config.hidden_size, config.hidden_size)
        self.k_lin = Linear(config.hidden_size, config.hidden_size)
        self.v_lin = Linear(config.hidden_size, config.hidden_size)
        self.out_lin = Linear(config.hidden_size, config.hidden_size)

    def projections(self) -> tuple[nn.Module, ...]:
        """Return the maps to query, key and value."""
        return self.q_lin, self.k_lin, self.v_lin

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Let (rows, hidden) look at (tokens, hidden): (rows, hidden)."""
        context = attend_in_heads(self.projections(), rows, hidden, attend, self.head_dim)
        attended: Tensor = self.out_lin(context)
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

    def projections(self) -> tuple[nn.Module, ...]:
        """Return the maps to query, key and value."""
        return self.attention.projections()

    def intermediate_map(self) -> nn.Module:
        """Return the first map of the feed-forward network."""
        return self.ffn.lin1

    def maps(self) -> LayerMaps | None:
        """Describe the layer for `fused_layer`; None while it is more than frozen low-rank maps."""
        if self.dropout and self.training:
            return None
        return layer_maps(
            projections=joined_map(self.projections()),
            attention_output=single_map(self.attention.out_lin),
            attention_norm=norm(self.sa_layer_norm),
            intermediate=single_map(self.ffn.lin1),
            output=single_map(self.ffn.lin2),
            output_norm=norm(self.output_layer_norm),
            head_dim=self.attention.head_dim,
            activation=self.ffn.activation,
            activation_gradient=self.ffn.activation_gradient,
        )


class DistilBertEncoder(NativeEncoder):
    """A pretrained DistilBERT; see `build_encoder` for what it takes."""

    def __init__(self, config: EncoderConfig, attention: AttentionBackend = "sdpa") -> None:
        super().__init__(config, fused=attention != "reference")
        self.build_attention = ATTENTION_BACKENDS[attention]
        self.embeddings = Embeddings(config)
        self.transformer = Layers(Layer(config) for _ in range(config.num_hidden_layers))

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, first to last."""
        return self.transformer.layer

    @property
    def entrance(self) -> list[nn.Module]:
        """The embeddings."""
        return [self.embeddings]

    def attention(self, batch: Batch, first_only: bool = False) -> list[Attend]:
        """Return the attention of each layer; with `first_only` the last takes first tokens."""
        return equal_attention(self.build_attention, batch, first_only, len(self.layers))
