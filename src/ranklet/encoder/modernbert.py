"""ModernBERT in plain PyTorch: pre-norm, rotary positions, GeGLU, global and local attention.

Warner et al. 2024 (arXiv:2412.13663). Modules carry Hugging Face's names. There are no biases, and
no dropout but what a training sets. Local layers cost the same for each token whatever the length
of its text, see `local_attention`; global ones grow with it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.encoder.attention import ATTENTION_BACKENDS, Attend
from ranklet.encoder.bert import ACTIVATION_FUNCTIONS, LayerNorm, Linear
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.layers import NativeEncoder, table
from ranklet.encoder.local_attention import LOCAL_BACKENDS, first_token_attention
from ranklet.encoder.packing import positions_in_text
from ranklet.vocabulary import AttentionBackend


def _linear(in_features: int, out_features: int) -> nn.Linear:
    return Linear(in_features, out_features, bias=False)


def _norm(config: EncoderConfig) -> nn.LayerNorm:
    return LayerNorm(config.hidden_size, config.layer_norm_eps, bias=False)


class Rotation:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864, section 3.2.2), in float32.

    Args:
        positions: (tokens,) int64 index of each token in its text.
        theta: Base of the wave lengths.
        head_dim: Width of an attention head, even.
    """

    def __init__(self, positions: Tensor, theta: float, head_dim: int) -> None:
        steps = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
        angles = positions[:, None, None] * theta ** (-steps / head_dim)
        self.cos, self.sin = angles.cos(), angles.sin()  # (tokens, 1, head_dim / 2)

    def __call__(self, states: Tensor) -> Tensor:
        """Rotate (tokens, heads, head_dim), keeping its dtype."""
        first, second = states.float().chunk(2, -1)
        turned = (first * self.cos - second * self.sin, second * self.cos + first * self.sin)
        return torch.cat(turned, -1).to(states.dtype)


def rotated(attend: Attend, rotation: Rotation, first_only: bool) -> Attend:
    """Return attention whose queries and keys are rotated before.

    First tokens stand at position 0 and do not turn.
    """
    if first_only:
        return lambda query, key, value: attend(query, rotation(key), value)
    return lambda query, key, value: attend(rotation(query), rotation(key), value)


class Embeddings(nn.Module):
    """Word embeddings, normalised; positions come with the attention."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.tok_embeddings = table(config.vocab_size, config.hidden_size)
        self.norm = _norm(config)

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch: (tokens, hidden)."""
        hidden: Tensor = self.norm(self.tok_embeddings(batch.token_ids))
        return hidden


class SelfAttention(nn.Module):
    """One projection to query, key and value, the attention between them, one back."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.Wqkv = _linear(config.hidden_size, 3 * config.hidden_size)
        self.Wo = _linear(config.hidden_size, config.hidden_size)

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Let (rows, hidden) look at (tokens, hidden): (rows, hidden)."""
        query, key, value = self._projected(hidden)
        if rows is not hidden:
            query = self._projected(rows)[0]
        attended: Tensor = self.Wo(attend(query, key, value).flatten(1))
        return attended

    def _projected(self, states: Tensor) -> tuple[Tensor, ...]:
        joined: Tensor = self.Wqkv(states)
        return joined.view(len(states), 3, -1, self.head_dim).unbind(1)  # (., heads, head_dim)


class GatedFeedForward(nn.Module):
    """GeGLU (Shazeer 2020, arXiv:2002.05202): one half of the inner states gates the other."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.Wi = _linear(config.hidden_size, 2 * config.intermediate_size)
        self.activation = ACTIVATION_FUNCTIONS[config.hidden_act]
        self.Wo = _linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        inner, gate = self.Wi(hidden).chunk(2, -1)
        states: Tensor = self.Wo(self.activation(inner) * gate)
        return states


class Layer(nn.Module):
    """Attention, then the feed-forward network, each of normalised states and added."""

    def __init__(self, config: EncoderConfig, index: int) -> None:
        super().__init__()
        # The embeddings are normalised already.
        self.attn_norm = _norm(config) if index else nn.Identity()
        self.attn = SelfAttention(config)
        self.mlp_norm = _norm(config)
        self.mlp = GatedFeedForward(config)
        self.dropout = 0.0

    def forward(self, rows: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """Compute the layer for (rows, hidden), which look at (tokens, hidden): (rows, hidden)."""
        seen = self.attn_norm(hidden)
        seeing = seen if rows is hidden else self.attn_norm(rows)
        rows = rows + self._dropped(self.attn(seeing, seen, attend))
        states: Tensor = rows + self._dropped(self.mlp(self.mlp_norm(rows)))
        return states

    def _dropped(self, added: Tensor) -> Tensor:
        return F.dropout(added, self.dropout, self.training)


class PredictionHead(nn.Module):
    """The pretrained map of the pooled state, which transformers' classifier reads."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = _linear(config.hidden_size, config.hidden_size)
        self.activation = ACTIVATION_FUNCTIONS[config.classifier_activation]
        self.norm = _norm(config)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (texts, hidden) to (texts, hidden)."""
        mapped: Tensor = self.norm(self.activation(self.dense(pooled)))
        return mapped


class ModernBertEncoder(NativeEncoder):
    """A pretrained ModernBERT; see `build_encoder` for what it takes."""

    layers: nn.ModuleList

    def __init__(
        self, config: EncoderConfig, with_pooler: bool = False, attention: AttentionBackend = "sdpa"
    ) -> None:
        super().__init__(config, fused=False)  # its layers are not of the kind that is fused
        self.build_global = ATTENTION_BACKENDS[attention]
        self.build_local = LOCAL_BACKENDS[attention]
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(
            Layer(config, index) for index in range(config.num_hidden_layers)
        )
        self.final_norm = _norm(config)
        self.pooler = PredictionHead(config) if with_pooler else None

    @property
    def entrance(self) -> list[nn.Module]:
        """The embeddings."""
        return [self.embeddings]

    def attention(self, batch: Batch, first_only: bool = False) -> list[Attend]:
        """Return the attention of each layer; with `first_only` the last takes first tokens."""
        local_layers = set(self.config.local_layers)
        is_local = [index in local_layers for index in range(len(self.layers))]
        kinds = {local: self._attend(batch, local, False) for local in set(is_local)}
        every = [kinds[local] for local in is_local]
        if first_only:
            every[-1] = self._attend(batch, is_local[-1], True)
        return every

    def _attend(self, batch: Batch, local: bool, first_only: bool) -> Attend:
        config, texts = self.config, (batch.cu_seqlens, batch.max_seqlen)
        if not local:
            attend = self.build_global(*texts, first_only)
        elif first_only:
            attend = first_token_attention(*texts, config.window, self.build_global)
        else:
            attend = self.build_local(*texts, config.window)
        positions = positions_in_text(batch.cu_seqlens, batch.num_tokens)
        theta = config.local_rope_theta if local else config.global_rope_theta
        return rotated(attend, Rotation(positions, theta, config.head_dim), first_only)
