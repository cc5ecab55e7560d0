"""Tiny random transformers models, written as Hugging Face folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SIZES: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 70,
    "type_vocab_size": 2,
    "initializer_range": 0.2,
    "layer_norm_eps": 1e-6,
}
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert")

# Where a family's config.json calls a size by another name.
OWN_NAMES: dict[str, dict[str, str]] = {
    "distilbert": {
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
    },
    "modernbert": {"layer_norm_eps": "norm_eps"},
}
# Sizes that a family does not have.
LACKS: dict[str, tuple[str, ...]] = {
    "distilbert": ("type_vocab_size", "layer_norm_eps"),
    "modernbert": ("type_vocab_size",),
}
# What a family has besides: ELECTRA's tables are narrower than its states, ModernBERT's layer 1
# looks 6 tokens around, DeBERTa's positions are those of version 3.
OWN_SIZES: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 20},
    "modernbert": {
        "local_attention": 12,
        "global_attn_every_n_layers": 2,
        "classifier_pooling": "mean",
    },
    "deberta-v2": {
        "type_vocab_size": 0,
        "relative_attention": True,
        "pos_att_type": ["c2p", "p2c"],
        "position_biased_input": False,
        "position_buckets": 16,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pooler_hidden_size": 48,
    },
    "longformer": {"attention_window": 8},
    "albert": {"embedding_size": 20},
}
PAD = {"roberta": 1, "xlm-roberta": 1, "mpnet": 1, "longformer": 1}


def transformers_config(family: str, **changes: Any) -> Any:
    from transformers import AutoConfig

    names, lacks = OWN_NAMES.get(family, {}), LACKS.get(family, ())
    sizes = {names.get(name, name): n for name, n in SIZES.items() if name not in lacks}
    pad = {"pad_token_id": PAD.get(family, 0)}
    return AutoConfig.for_model(family, **(sizes | OWN_SIZES.get(family, {}) | pad | changes))


def transformers_encoder(family: str, **changes: Any) -> Any:
    """A random transformers encoder; biases and norms are random too, so that each one matters."""
    from transformers import AutoModel

    torch.manual_seed(3)
    model = AutoModel.from_config(transformers_config(family, **changes))
    return randomise(model)


def transformers_classifier(family: str, num_labels: int, **changes: Any) -> Any:
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(4)
    config = transformers_config(family, num_labels=num_labels, **changes)
    return randomise(AutoModelForSequenceClassification.from_config(config))


def randomise(model: Any) -> Any:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def save(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder
