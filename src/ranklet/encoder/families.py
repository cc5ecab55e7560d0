"""From a `model_type` to the encoder that computes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ranklet.encoder.bert import Encoder
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.distilbert import DistilBertEncoder
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.modernbert import ModernBertEncoder
from ranklet.encoder.transformers_encoder import TransformersEncoder, build_transformers_encoder
from ranklet.vocabulary import AttentionBackend

AnyEncoder = NativeEncoder | TransformersEncoder
"""Called as `encoder(batch, first_only)`; has `config`, `pooler`, `layers`, `entrance` and
`states_entering`."""


@contextmanager
def unfused(encoder: AnyEncoder) -> Iterator[None]:
    """Let an encoder call all of its modules, so that their hooks run; a fused layer calls none."""
    fused = encoder.fused
    encoder.fused = False
    try:
        yield
    finally:
        encoder.fused = fused


def build_encoder(
    config: EncoderConfig, with_pooler: bool = False, attention: AttentionBackend = "sdpa"
) -> AnyEncoder:
    """Build an encoder without values, in Hugging Face's module names.

    `with_pooler` holds the pretrained map of the pooled state too, where there is one; with
    attention `reference` native encoders run every layer plainly.

    Raises:
        MissingExtraError: An encoder that is not native, without transformers.
    """
    if config.transformers is not None:
        return build_transformers_encoder(config)
    if config.model_type == "distilbert":
        return DistilBertEncoder(config, attention)
    if config.model_type == "modernbert":
        return ModernBertEncoder(config, with_pooler, attention)
    return Encoder(config, with_pooler, attention)
