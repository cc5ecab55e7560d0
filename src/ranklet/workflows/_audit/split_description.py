"""Rows, labels, lengths and oddities of one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from ranklet.data.audit.oddities import find_oddities
from ranklet.data.audit.result import Finding, Lengths, SplitAudit
from ranklet.data.cleaning import clean_text
from ranklet.data.examples import Examples
from ranklet.data.texts import Text, in_one
from ranklet.data.tokens.tokenizer import Tokens, load_tokenizer, tokenize, unknown_share
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
    plain = map(in_one, examples.texts)
    odd = {row: kinds for row, text in enumerate(plain) if (kinds := find_oddities(text))}
    cleaned = [clean_text(text, cleaning) for text in examples.texts]
    tokenizer = None if encoder is None else load_tokenizer(EncoderSource(encoder).folder)
    tokens = None if tokenizer is None else tokenize(tokenizer, cleaned, NO_LIMIT)
    audit = SplitAudit(
        name=name,
        source=examples.source,
        rows=len(examples),
        labels=_label_counts(examples),
        words=_lengths([count_words(in_one(text)) for text in cleaned]),
        tokens=None if tokens is None else _lengths(np.diff(tokens.offsets).tolist()),
        truncated=None if tokens is None else int((np.diff(tokens.offsets) > max_length).sum()),
        unknown=None if tokenizer is None or tokens is None else _unknown(tokenizer, tokens),
        oddities=dict(Counter(kind for kinds in odd.values() for kind in kinds)),
    )
    findings = tuple(
        Finding(kind, name, examples.lines[row], None, None, "", shown(examples.texts[row]))
        for row, kinds in odd.items()
        for kind in kinds
    )
    return audit, findings


def shown(text: Text) -> str:
    """Return the start of a text."""
    text = in_one(text)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _unknown(tokenizer: Tokenizer, tokens: Tokens) -> float:
    texts = len(tokens.offsets) - 1
    return unknown_share(tokenizer, tokens.token_ids, texts, tokens.token_types is not None)


def _lengths(lengths: Sequence[int]) -> Lengths:
    median, p95 = np.percentile(lengths, [50, 95])
    return Lengths(float(np.mean(lengths)), float(median), float(p95), max(lengths))


def _label_counts(examples: Examples) -> dict[str, int]:
    counts = Counter(name for label in examples.labels or () for name in names_of(label))
    if len(counts) < 2:
        return dict(counts)
    names = examples.label_names or LabelSet.from_values(counts).names
    return {name: counts[name] for name in names}
