"""Cleaning of texts, the same function in training and prediction, and the word-count filter."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ranklet.data.examples import Examples
from ranklet.data.texts import Text, each_part, in_one, is_blank
from ranklet.data.words import count_words
from ranklet.errors import DataError
from ranklet.vocabulary import CleaningStep, EmptyPolicy

MAX_PASSES = 32
ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
BLOCK_TAGS = "blockquote|br|center|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|table|tbody|td|th|thead|tr|ul"
INLINE_TAGS = (
    "a|abbr|b|big|body|cite|code|del|em|font|head|html|i|img|input|ins|kbd|link|mark|meta|nobr|"
    "option|q|s|samp|script|select|small|span|strike|strong|style|sub|sup|title|tt|u|var"
)
# Known names with nothing but attributes behind them, so that `a <b and c> d` is left alone.
TAG = re.compile(
    rf"</?(?:(?P<block>{BLOCK_TAGS})|{INLINE_TAGS})"
    r"""(?:\s+[a-z][\w:-]*\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))*\s*/?>|<!--[^<>]*-->""",
    re.IGNORECASE,
)
# AG News lost the ampersand of its entities: a space stands in its place (`week #39;s`).
BARE_ENTITY = re.compile(r"(?: |(?<![\w&]))(?:#(?P<code>\d{2,4})|(?P<name>quot|amp|lt|gt|nbsp));")
QUOTING_CODES = frozenset({34, 36, 37, 38, 39})
BACKSLASHES = re.compile(r"\\+")
UNDECIDED = re.compile(r"[&<>;\\]")


def clean_text(text: Text, steps: Sequence[CleaningStep]) -> Text:
    """Apply cleaning steps to a text, or to both of a pair, see `clean`."""
    return each_part(text, lambda part: clean(part, steps))


def clean(text: str, steps: Sequence[CleaningStep]) -> str:
    r"""Apply cleaning steps in the given order, until nothing changes any more.

    `html` decodes entities and removes tags (`a < b` stays); `ag_news` restores the entities whose
    ampersand AG News lost and turns its backslashes, which stand for line breaks, into spaces;
    `whitespace` makes one space of every run and strips the ends. Escaped twice is decoded twice,
    so cleaning a clean text changes nothing. A text that is still changing after 32 passes is
    nested on purpose: it loses the characters `& < > ; \`.
    """
    for _ in range(MAX_PASSES):
        cleaned = _one_pass(text, steps)
        if cleaned == text:
            return text
        text = cleaned
    return _one_pass(UNDECIDED.sub(" ", text), steps) if steps else text


def _one_pass(text: str, steps: Sequence[CleaningStep]) -> str:
    for step in steps:
        text = STEPS[step](text)
    return text


def _clean_html(text: str) -> str:
    if "&" in text:
        text = ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return TAG.sub(lambda match: " " if match["block"] else "", text) if "<" in text else text


def _clean_ag_news(text: str) -> str:
    return BACKSLASHES.sub(" ", restore_entities(text))


def restore_entities(text: str) -> str:
    """Decode the entities that lost their ampersand, as in AG News: `week #39;s` is `week's`."""
    return BARE_ENTITY.sub(_restore, text) if ";" in text else text


def _restore(match: re.Match[str]) -> str:
    if match["name"]:
        return html.unescape(f"&{match['name']};")
    # Below 128 only punctuation was ever escaped: `ranked #50; the` is no entity.
    code = int(match["code"])
    return html.unescape(f"&#{code};") if code in QUOTING_CODES or code > 127 else match[0]


def _clean_whitespace(text: str) -> str:
    return " ".join(text.split())


STEPS: Mapping[CleaningStep, Callable[[str], str]] = MappingProxyType(
    {"html": _clean_html, "ag_news": _clean_ag_news, "whitespace": _clean_whitespace}
)


def is_within(words: int, min_words: int | None, max_words: int | None) -> bool:
    """Tell whether a text has at least `min_words` and at most `max_words`; None bounds nothing."""
    return (min_words or 0) <= words and (max_words is None or words <= max_words)


def filter_by_words(
    examples: Examples, min_words: int | None, max_words: int | None
) -> tuple[Examples, int]:
    """Keep the rows with `min_words` to `max_words` words; None bounds nothing.

    Returns:
        The rows kept, and how many were dropped.

    Raises:
        DataError: No row is left.
    """
    rows = [
        row
        for row, text in enumerate(examples.texts)
        if is_within(count_words(in_one(text)), min_words, max_words)
    ]
    if not rows:
        high = float("inf") if max_words is None else max_words
        raise DataError(
            f"no row has {min_words or 0} to {high} words; widen data.min_words and data.max_words",
            examples.source,
        )
    return examples.select(rows), len(examples) - len(rows)


def drop_empty(examples: Examples, policy: EmptyPolicy) -> tuple[Examples, int]:
    """Leave out the rows whose text is empty, such as one that cleaning has left empty.

    Returns:
        The rows kept, and how many were dropped, blank ones that a reader left out included.

    Raises:
        DataError: The policy is `refuse` and a text is empty, or no row is left.
    """
    empty = {row for row, text in enumerate(examples.texts) if is_blank(text)}
    if policy == "keep" or not empty:
        return examples, examples.blank
    if policy == "refuse":
        message = "empty text after cleaning; delete the row, or set data.empty to drop or keep"
        raise DataError(message, examples.source, examples.lines[min(empty)])
    if len(empty) == len(examples):
        raise DataError(
            "every text is empty; fill them in, or set data.empty to keep", examples.source
        )
    rows = [row for row in range(len(examples)) if row not in empty]
    return examples.select(rows), len(empty) + examples.blank
