"""What a count of words shows of how texts differ."""

from __future__ import annotations

import random

from ranklet.evaluation.unlabelled.text_differences import text_differences

SMALL = ["the", "of", "a", "in", "to", "and", "is", "for", "on", "that", "with", "as", "it", "was"]
GERMAN = ["der", "die", "das", "und", "in", "zu", "den", "von", "mit", "ist", "auf", "nicht"]


def sentences(words: list[str], own: str, length: int, number: int = 60) -> list[str]:
    """Half small words of a language, half words of a subject."""
    generator = random.Random(own)
    subject = [f"{own}{index}" for index in range(80)]
    return [
        " ".join(generator.choice(words if place % 2 else subject) for place in range(length))
        for _ in range(number)
    ]


def test_the_same_kind_of_text_shows_nothing() -> None:
    texts = sentences(SMALL, "market", 20, 120)
    assert text_differences(texts[:60], texts[60:]) == []


def test_length_is_told_both_ways() -> None:
    texts = sentences(SMALL, "market", 20)
    short = [" ".join(text.split()[:10]) for text in texts]
    assert text_differences(texts, short) == ["they are shorter (10 words, not 20)"]
    assert text_differences(short, texts) == ["they are longer (20 words, not 10)"]


def test_another_subject_has_new_words() -> None:
    (clause,) = text_differences(sentences(SMALL, "market", 20), sentences(SMALL, "goal", 20))
    # Small words make half of the words, some of them twice in a text.
    assert clause.endswith("of their words are new, 0% of those of a usual text")


def test_another_language_is_told_by_its_commonest_words() -> None:
    (clause,) = text_differences(sentences(SMALL, "market", 20), sentences(GERMAN, "markt", 20))
    assert clause.startswith("they are in another language or hold no sentences (")


def test_texts_without_any_word_show_no_error() -> None:
    assert text_differences(["?!", "..."], ["!", "?"]) == []
    assert text_differences(["one two"] * 3, ["!"]) != []
