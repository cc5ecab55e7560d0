"""The logits of a classifier that only transformers computes (extra `hf`), as a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ranklet.encoder.transformers_config import quiet
from ranklet.errors import MissingExtraError, WeightsError

BATCH_TEXTS = 64


@dataclass(frozen=True)
class Teacher:
    """A trained classifier.

    Attributes:
        labels: Names of its classes.
        answer: texts -> logits (texts, classes) float32, on the CPU.
    """

    labels: tuple[str, ...]
    answer: Callable[[Sequence[str]], Tensor]


def load_transformers_teacher(folder: Path, max_length: int) -> Teacher:
    """Load a classifier of transformers.

    Args:
        folder: Its folder, with weights in safetensors and its tokenizer.
        max_length: Tokens kept of a text, special ones included.

    Returns:
        The classifier, with the class names of its `id2label`.

    Raises:
        MissingExtraError: transformers is not installed.
        WeightsError: It is no trained sequence classifier, or its files are unusable.
    """
    try:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError(f"teacher {folder}", "hf") from error
    try:
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{folder}: transformers cannot load it ({reason})") from error
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise WeightsError(f"{folder}: no trained classifier, it has no {missing[0]}")
    names = tuple(model.config.id2label[index] for index in range(model.config.num_labels))
    return Teacher(names, partial(_answer, model.eval(), tokenizer, max_length))


@torch.inference_mode()
def _answer(model: Any, tokenizer: Any, max_length: int, texts: Sequence[str]) -> Tensor:
    logits = torch.empty(len(texts), model.config.num_labels)
    # Texts of near lengths together: less padding.
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    for start in range(0, len(order), BATCH_TEXTS):
        rows = order[start : start + BATCH_TEXTS]
        batch = tokenizer(
            [texts[row] for row in rows],
            padding=True,
            truncation=True,
            max_length=max_length,
            return_tensors="pt",
        )
        logits[rows] = model(**batch).logits.float()
    return logits
