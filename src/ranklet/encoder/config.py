"""EncoderConfig: the sizes of an encoder, from its config.json or from the table below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ranklet.encoder.config_fields import encoder_fields, layers_between_globals
from ranklet.encoder.transformers_config import TransformersSpec, transformers_fields
from ranklet.errors import WeightsError
from ranklet.files import read_json_object
from ranklet.vocabulary import Pooling


@dataclass(frozen=True)
class Architecture:
    """What distinguishes one `model_type` from another.

    Attributes:
        prefix: Name under which transformers' classifiers hold the encoder.
        positions_after_padding: Positions count from `pad_token_id + 1` instead of 0.
        pooler_feeds_head: transformers' sequence classifier reads a pretrained map of the pooled
            state.
        pooler: Name of that map in files.
    """

    prefix: str
    positions_after_padding: bool = False
    pooler_feeds_head: bool = False
    pooler: str = "pooler"


ARCHITECTURES: Mapping[str, Architecture] = {
    "bert": Architecture("bert", pooler_feeds_head=True),
    "roberta": Architecture("roberta", positions_after_padding=True),
    "xlm-roberta": Architecture("roberta", positions_after_padding=True),
    "distilbert": Architecture("distilbert"),
    "electra": Architecture("electra"),
    "modernbert": Architecture("model", pooler_feeds_head=True, pooler="head"),
}


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder, under Hugging Face's names.

    Attributes:
        model_type: Key of `ARCHITECTURES`, or any other with `transformers`.
        vocab_size: Token ids.
        hidden_size: Width of a hidden state.
        num_hidden_layers: Layers.
        num_attention_heads: Attention heads of a layer.
        intermediate_size: Width inside the feed-forward network.
        max_position_embeddings: Rows of the position table.
        type_vocab_size: Rows of the token type table; 0: there is none.
        layer_norm_eps: Added to the variance in every LayerNorm.
        pad_token_id: Id of the padding token.
        hidden_act: One of `config_fields.ACTIVATIONS`.
        embedding_size: Width of the embedding tables where it is not `hidden_size`, or None.
        local_layers: Layers that attend to near tokens only, counted from 0.
        local_attention: Width of what they attend to, tokens: half of it on either side.
        local_rope_theta: Base of their rotary positions.
        global_rope_theta: Base of the rotary positions of the other layers.
        classifier_pooling: Pooling of transformers' sequence classifier.
        classifier_activation: Activation in its map of the pooled state.
        transformers: How transformers builds it, where it is not native.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    pad_token_id: int
    hidden_act: str = "gelu"
    embedding_size: int | None = None
    local_layers: tuple[int, ...] = ()
    local_attention: int = 0
    local_rope_theta: float = 0.0
    global_rope_theta: float = 0.0
    classifier_pooling: Pooling = "cls"
    classifier_activation: str = "gelu"
    transformers: TransformersSpec | None = None

    @property
    def architecture(self) -> Architecture:
        """Traits of this `model_type`."""
        if self.transformers is not None:
            return Architecture(self.transformers.prefix)
        return ARCHITECTURES[self.model_type]

    @property
    def position_offset(self) -> int:
        """Row of the position table that the first token of a text uses."""
        if self.transformers is not None:
            return self.transformers.first_position
        return self.pad_token_id + 1 if self.architecture.positions_after_padding else 0

    @property
    def max_length(self) -> int:
        """Most tokens a text may have, special ones included."""
        return self.max_position_embeddings - self.position_offset

    @property
    def window(self) -> int:
        """Largest distance of a token that a local layer attends to."""
        return self.local_attention // 2

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads


_BERT_BASE = EncoderConfig("bert", 30522, 768, 12, 12, 3072, 512, 2, 1e-12, 0)
_BERT_LARGE = EncoderConfig("bert", 30522, 1024, 24, 16, 4096, 512, 2, 1e-12, 0)
_MINILM = replace(_BERT_BASE, hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
_ROBERTA_BASE = EncoderConfig("roberta", 50265, 768, 12, 12, 3072, 514, 1, 1e-5, 1)
_ROBERTA_LARGE = EncoderConfig("roberta", 50265, 1024, 24, 16, 4096, 514, 1, 1e-5, 1)
_DISTILBERT = replace(_BERT_BASE, model_type="distilbert", num_hidden_layers=6, type_vocab_size=0)
_ELECTRA_SMALL = EncoderConfig(
    "electra", 30522, 256, 12, 4, 1024, 512, 2, 1e-12, 0, embedding_size=128
)
_XLM_BASE = replace(_ROBERTA_BASE, model_type="xlm-roberta", vocab_size=250002)
_XLM_LARGE = replace(_ROBERTA_LARGE, model_type="xlm-roberta", vocab_size=250002)
_MODERNBERT_BASE = EncoderConfig(
    model_type="modernbert",
    vocab_size=50368,
    hidden_size=768,
    num_hidden_layers=22,
    num_attention_heads=12,
    intermediate_size=1152,
    max_position_embeddings=8192,
    type_vocab_size=0,
    layer_norm_eps=1e-5,
    pad_token_id=50283,
    local_layers=layers_between_globals(22, 3),
    local_attention=128,
    local_rope_theta=10_000.0,
    global_rope_theta=160_000.0,
    classifier_pooling="mean",
)
_MODERNBERT_LARGE = replace(
    _MODERNBERT_BASE,
    hidden_size=1024,
    num_hidden_layers=28,
    num_attention_heads=16,
    intermediate_size=2624,
    local_layers=layers_between_globals(28, 3),
)

# Sizes of well-known encoders, so that a plan needs neither weights nor a network.
_WITH_OWNER: Mapping[str, EncoderConfig] = {
    "sentence-transformers/all-MiniLM-L6-v2": _MINILM,
    "google-bert/bert-base-uncased": _BERT_BASE,
    "google-bert/bert-base-cased": replace(_BERT_BASE, vocab_size=28996),
    "google-bert/bert-large-uncased": _BERT_LARGE,
    "FacebookAI/roberta-base": _ROBERTA_BASE,
    "FacebookAI/roberta-large": _ROBERTA_LARGE,
    "distilbert/distilroberta-base": replace(_ROBERTA_BASE, num_hidden_layers=6),
    "distilbert/distilbert-base-uncased": _DISTILBERT,
    "distilbert/distilbert-base-cased": replace(_DISTILBERT, vocab_size=28996),
    "answerdotai/ModernBERT-base": _MODERNBERT_BASE,
    "answerdotai/ModernBERT-large": _MODERNBERT_LARGE,
    "google/electra-small-discriminator": _ELECTRA_SMALL,
    "google/electra-base-discriminator": replace(_BERT_BASE, model_type="electra"),
    "google/electra-large-discriminator": replace(_BERT_LARGE, model_type="electra"),
    "FacebookAI/xlm-roberta-base": _XLM_BASE,
    "FacebookAI/xlm-roberta-large": _XLM_LARGE,
}
# Repositories that the hub also knows by a name without an owner.
_FIRST_OWNERS = ("google-bert/", "FacebookAI/", "distilbert/")
KNOWN_ENCODERS: Mapping[str, EncoderConfig] = {
    "minilm": _MINILM,
    **_WITH_OWNER,
    **{
        name.partition("/")[2]: config
        for name, config in _WITH_OWNER.items()
        if name.startswith(_FIRST_OWNERS)
    },
}


def read_config(folder: Path) -> EncoderConfig:
    """Read `config.json` of a Hugging Face model folder.

    Raises:
        WeightsError: The file is missing or broken, or describes an encoder that is not supported.
        MissingExtraError: An encoder that is not native, without transformers.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise WeightsError(
            f"{folder}: no config.json; name a Hugging Face model folder "
            "(config.json, model.safetensors, tokenizer.json)"
        )
    fields = read_json_object(path, WeightsError)
    return _config_from_fields(fields, path)


def _config_from_fields(fields: Mapping[str, object], path: Path) -> EncoderConfig:
    model_type, native = fields.get("model_type"), ", ".join(ARCHITECTURES)
    if not isinstance(model_type, str):
        raise WeightsError(
            f"{path}: model_type {model_type!r} is not supported; choose an encoder of type "
            + native
        )
    if model_type in ARCHITECTURES:
        return EncoderConfig(model_type, **encoder_fields(fields, model_type, path))
    return EncoderConfig(model_type, **transformers_fields(fields, native, path))
