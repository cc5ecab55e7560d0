"""The BERT family in plain PyTorch: BERT, RoBERTa, XLM-R and ELECTRA.

Devlin et al. 2018 (arXiv:1810.04805), Liu et al. 2019 (arXiv:1907.11692) and Clark et al. 2020
(arXiv:2003.10555). Modules carry Hugging Face's names, so that files and placements read alike.
There is no dropout but what a training sets. It knows nothing of adapters, labels or recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.encoder.attention import ATTENTION_BACKENDS, Attend
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.fused.layer import ACTIVATION_GRADIENTS, LayerMaps, layer_maps, norm
from ranklet.encoder.fused.linear_maps import joined_map, single_map
from ranklet.encoder.layers import Layers, NativeEncoder, attend_in_heads, equal_attention, table
from ranklet.encoder.packing import positions_in_text
from ranklet.vocabulary import AttentionBackend

ACTIVATION_FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


class Linear(nn.Linear):
    """`nn.Linear` whose parameters may be float32 (because they train) where its input is not."""

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features) in the dtype of `states`."""
        return F.linear(states, self.weight.to(states.dtype), like(self.bias, states))


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` whose parameters may be float32 (because they train), its input not."""

    def forward(self, states: Tensor) -> Tensor:
        """Normalise the last dimension of (..., hidden), keeping its dtype."""
        weight, bias = self.weight.to(states.dtype), like(self.bias, states)
        return F.layer_norm(states, self.normalized_shape, weight, bias, self.eps)


def like(parameter: Tensor | None, states: Tensor) -> Tensor | None:
    """Return a parameter in the dtype of what it is applied to."""
    return None if parameter is None else parameter.to(states.dtype)


class Embeddings(nn.Module):
    """Sum of word, position and, where there are any, token type embeddings, normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.position_offset = config.position_offset
        width = config.embedding_size or config.hidden_size
        self.word_embeddings = table(config.vocab_size, width)
        self.position_embeddings = table(config.max_position_embeddings, width)
        if config.type_vocab_size:
            self.token_type_embeddings = table(config.type_vocab_size, width)
        self.num_token_types = config.type_vocab_size
        self.LayerNorm = LayerNorm(width, config.layer_norm_eps)

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch: (tokens, width of the tables)."""
        positions = positions_in_text(batch.cu_seqlens, batch.num_tokens) + self.position_offset
        words = self.word_embeddings(batch.token_ids)
        if self.num_token_types:
            # Where the table has one row, as in RoBERTa, the texts of a pair are not told apart.
            types = batch.token_types if self.num_token_types > 1 else None
            words = words + self.token_type_embeddings(
                torch.zeros_like(positions) if types is None else types
            )
        hidden: Tensor = self.LayerNorm(words + self.position_embeddings(positions))
        return hidden


class SelfAttention(nn.Module):
    """Query, key and value projections and the attention between them."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.query = Linear(config.hidden_size, config.hidden_size)
        self.key = Linear(config.hidden_size, config.hidden_size)
        self.value = Linear(config.hidden_size, config.hidden_size)

    def projections(self) -> tuple[nn.Module, ...]:
        """Return the maps to query, key and value."""
        return self.query, self.key, self.value

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Let (rows, hidden) look at (tokens, hidden): (rows, hidden)."""
        return attend_in_heads(self.projections(), rows, hidden, attend, self.head_dim)


class Output(nn.Module):
    """Projection back to the hidden size, added to what came in, normalised."""

    def __init__(self, in_features: int, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = Linear(in_features, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = 0.0

    def forward(self, states: Tensor, residual: Tensor) -> Tensor:
        """Map (tokens, in_features) and (tokens, hidden) to (tokens, hidden)."""
        added = F.dropout(self.dense(states), self.dropout, self.training)
        hidden: Tensor = self.LayerNorm(added + residual)
        return hidden


class Attention(nn.Module):
    """Self-attention and its output projection."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.self = SelfAttention(config)
        self.output = Output(config.hidden_size, config)

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Let (rows, hidden) look at (tokens, hidden): (rows, hidden)."""
        attended: Tensor = self.output(self.self(rows, hidden, attend), rows)
        return attended


class Intermediate(nn.Module):
    """First half of the feed-forward network."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACTIVATION_FUNCTIONS[config.hidden_act]
        self.activation_gradient = ACTIVATION_GRADIENTS[config.hidden_act]

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (tokens, hidden) to (tokens, intermediate)."""
        return self.activation(self.dense(hidden))


class Layer(nn.Module):
    """Attention, then the feed-forward network."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Intermediate(config)
        self.output = Output(config.intermediate_size, config)

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Compute the layer for (rows, hidden), which look at (tokens, hidden): (rows, hidden)."""
        rows = self.attention(rows, hidden, attend)
        states: Tensor = self.output(self.intermediate(rows), rows)
        return states

    def projections(self) -> tuple[nn.Module, ...]:
        """Return the maps to query, key and value."""
        return self.attention.self.projections()

    def intermediate_map(self) -> nn.Module:
        """Return the first map of the feed-forward network."""
        return self.intermediate.dense

    def maps(self) -> LayerMaps | None:
        """Describe the layer for `fused_layer`; None while it is more than frozen low-rank maps."""
        if self.output.dropout and self.training:
            return None
        return layer_maps(
            projections=joined_map(self.projections()),
            attention_output=single_map(self.attention.output.dense),
            attention_norm=norm(self.attention.output.LayerNorm),
            intermediate=single_map(self.intermediate.dense),
            output=single_map(self.output.dense),
            output_norm=norm(self.output.LayerNorm),
            head_dim=self.attention.self.head_dim,
            activation=self.intermediate.activation,
            activation_gradient=self.intermediate.activation_gradient,
        )


class Pooler(nn.Module):
    """BERT's pretrained map of the first token's state."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)

    def forward(self, first: Tensor) -> Tensor:
        """Map (texts, hidden) to (texts, hidden)."""
        pooled: Tensor = self.dense(first).tanh()
        return pooled


class Encoder(NativeEncoder):
    """A pretrained BERT, RoBERTa, XLM-R or ELECTRA; see `build_encoder` for what it takes."""

    def __init__(
        self, config: EncoderConfig, with_pooler: bool = False, attention: AttentionBackend = "sdpa"
    ) -> None:
        super().__init__(config, fused=attention != "reference")
        self.build_attention = ATTENTION_BACKENDS[attention]
        self.embeddings = Embeddings(config)
        if config.embedding_size:
            self.embeddings_project = Linear(config.embedding_size, config.hidden_size)
        self.encoder = Layers(Layer(config) for _ in range(config.num_hidden_layers))
        self.pooler = Pooler(config) if with_pooler else None

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, first to last."""
        return self.encoder.layer

    @property
    def entrance(self) -> list[nn.Module]:
        """Embeddings, and in small ELECTRA the map to the hidden size."""
        projected = [self.embeddings_project] if self.config.embedding_size else []
        return [self.embeddings, *projected]

    def attention(self, batch: Batch, first_only: bool = False) -> list[Attend]:
        """Return the attention of each layer; with `first_only` the last takes first tokens."""
        return equal_attention(self.build_attention, batch, first_only, len(self.layers))
