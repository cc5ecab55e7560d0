"""Rows, labels, lengths and oddities of one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ranklet.data.audit.oddities import find_oddities
from ranklet.data.audit.result import Finding, Lengths, SplitAudit
from ranklet.data.cleaning import clean
from ranklet.data.examples import Examples
from ranklet.data.tokens.tokenizer import load_tokenizer, tokenize
from ranklet.data.words import count_words
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet, names_of
from ranklet.vocabulary import CleaningStep

# More than any text has: tokens are counted uncut.
NO_LIMIT = 1_000_000
SHOWN_CHARACTERS = 120


def describe_split(
    examples: Examples,
    name: str,
    encoder: str | None,
    cleaning: Sequence[CleaningStep],
    max_length: int,
) -> tuple[SplitAudit, tuple[Finding, ...]]:
    """Describe a split by itself.

    Args:
        examples: The rows as they stand in the source.
        name: `train` or `test`.
        encoder: Encoder whose tokenizer counts, or None.
        cleaning: Steps before tokens are counted.
        max_length: Longest text in tokens.

    Returns:
        The figures, and a finding for each odd text.
    """
    odd = {row: kinds for row, text in enumerate(examples.texts) if (kinds := find_oddities(text))}
    cleaned = [clean(text, cleaning) for text in examples.texts]
    tokens = None if encoder is None else _count_tokens(encoder, cleaned)
    audit = SplitAudit(
        name=name,
        source=examples.source,
        rows=len(examples),
        labels=_label_counts(examples),
        words=_lengths([count_words(text) for text in cleaned]),
        tokens=None if tokens is None else _lengths(tokens),
        truncated=None if tokens is None else sum(n > max_length for n in tokens),
        oddities=dict(Counter(kind for kinds in odd.values() for kind in kinds)),
    )
    findings = tuple(
        Finding(kind, name, examples.lines[row], None, None, "", shown(examples.texts[row]))
        for row, kinds in odd.items()
        for kind in kinds
    )
    return audit, findings


def shown(text: str) -> str:
    """Return the start of a text."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _count_tokens(encoder: str, texts: Sequence[str]) -> list[int]:
    tokens = tokenize(load_tokenizer(EncoderSource(encoder).folder), texts, NO_LIMIT)
    lengths: list[int] = np.diff(tokens.offsets).tolist()
    return lengths


def _lengths(lengths: Sequence[int]) -> Lengths:
    median, p95 = np.percentile(lengths, [50, 95])
    return Lengths(float(np.mean(lengths)), float(median), float(p95), max(lengths))


def _label_counts(examples: Examples) -> dict[str, int]:
    counts = Counter(name for label in examples.labels or () for name in names_of(label))
    if len(counts) < 2:
        return dict(counts)
    names = examples.label_names or LabelSet.from_values(counts).names
    return {name: counts[name] for name in names}
