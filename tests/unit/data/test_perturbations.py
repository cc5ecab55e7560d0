"""Shifts of texts: what each may change and what it may not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranklet.data.cleaning import clean
from ranklet.data.perturbations import PERTURBATIONS, reverse_parts

TEXT = "The  Minister left.\nShe said: never Again!"
NEWS = "Oil Prices Soar (Reuters) Reuters - Crude rose on Monday."

Texts = st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=40), max_size=5)
kinds = pytest.mark.parametrize("kind", PERTURBATIONS)


def shifted(kind: str, text: str, strength: float = 1.0, seed: int = 0) -> str:
    (found,) = PERTURBATIONS[kind]([text], strength, seed)
    return found


@pytest.mark.parametrize(
    ("kind", "text", "outcomes"),
    [
        ("typos", "the abcd", {"the acbd", "the abd", "the acd"}),
        ("lower", TEXT, {"the  minister left.\nshe said: never again!"}),
        ("upper", "  Ab\tc. ", {"  AB\tC. "}),
        ("truncation", " one two three", {" one"}),
        ("word_drops", "one two\tthree", {"one", "two", "three"}),
        ("word_drops", "alone ", {"alone"}),
        ("reverse", NEWS, {"Crude rose on Monday. - Oil Prices Soar (Reuters) Reuters"}),
        ("reverse", TEXT, {"She said: never Again! The  Minister left."}),
        ("reverse", "One sentence only.", {"One sentence only."}),
        ("reverse", " - no beginning", {" - no beginning"}),
        ("entities", "it's", {"it #39;s"}),
        ("entities", '"A', {" quot;A"}),
        ("entities", "AT&T", {"AT&amp;T"}),
        ("entities", "<b>", {"&lt;b&gt;"}),
        ("entities", "café", {"caf&eacute;"}),
        (
            "entities",
            "{0}",
            {"&lt;b&gt;{0}&lt;/b&gt;", " quot;{0} quot;", " #39;{0} #39;", "{0}&nbsp;"},
        ),
    ],
)
def test_every_outcome_by_hand(kind: str, text: str, outcomes: set[str]) -> None:
    assert {shifted(kind, text, seed=seed) for seed in range(60)} == outcomes


@pytest.mark.parametrize(
    ("strength", "left"),
    [(0.0, "a b c d\te "), (0.2, "a b c d"), (0.4, "a b c"), (0.6, "a b"), (1.0, "a")],
)
def test_truncation_by_strength(strength: float, left: str) -> None:
    assert shifted("truncation", "a b c d\te ", strength) == left


def test_columns_are_joined_backwards() -> None:
    parts = [("Title", "Text"), ("A", "B")]
    assert reverse_parts(parts, 0.0, 0) == ["Title Text", "A B"]
    assert reverse_parts(parts, 1.0, 0) == ["Text Title", "B A"]
    half = reverse_parts(parts * 200, 0.5, 0)
    assert 150 < sum(text in ("Text Title", "B A") for text in half) < 250


@kinds
@given(texts=Texts, seed=st.integers(0, 9))
def test_strength_0_changes_nothing(kind: str, texts: Sequence[str], seed: int) -> None:
    assert PERTURBATIONS[kind](texts, 0.0, seed) == list(texts)


@kinds
@given(texts=Texts, strength=st.floats(0, 1), seed=st.integers(0, 9))
def test_equal_seeds_give_equal_texts_one_for_each(
    kind: str, texts: Sequence[str], strength: float, seed: int
) -> None:
    found = PERTURBATIONS[kind](texts, strength, seed)
    assert len(found) == len(texts)
    assert found == PERTURBATIONS[kind](texts, strength, seed)
    # A text changes by its own place alone, so fewer texts behind it make no difference.
    assert found[:1] == PERTURBATIONS[kind](texts[:1], strength, seed)


@pytest.mark.parametrize("kind", [kind for kind in PERTURBATIONS if kind != "truncation"])
def test_another_seed_changes_other_places(kind: str) -> None:
    texts = [f"Some  Words of text {row} - and More. Of it" for row in range(40)]
    assert len({tuple(PERTURBATIONS[kind](texts, 0.5, seed)) for seed in range(4)}) == 4


@pytest.mark.parametrize("kind", ["lower", "upper", "entities", "typos"])
@given(low=st.floats(0, 1), high=st.floats(0, 1), seed=st.integers(0, 9))
def test_a_larger_strength_changes_the_same_words_and_more(
    kind: str, low: float, high: float, seed: int
) -> None:
    low, high = sorted((low, high))
    word = {"lower": "Word", "upper": "Word", "entities": "it's", "typos": "abcdef"}[kind]
    text = " ".join([word] * 12)
    less, more = (changed_places(kind, text, word, each, seed) for each in (low, high))
    assert less <= more


def changed_places(kind: str, text: str, word: str, strength: float, seed: int) -> set[int]:
    # An escaped apostrophe brings a space of its own, so it is put back before counting.
    words = shifted(kind, text, strength, seed).replace(" #39;", "#39;").split(" ")
    return {place for place, found in enumerate(words) if found != word}


@pytest.mark.parametrize("strength", [0.25, 0.5])
@pytest.mark.parametrize("kind", ["lower", "upper", "entities", "typos", "word_drops"])
def test_the_strength_is_the_share_of_the_words(kind: str, strength: float) -> None:
    word = "it'Sx"
    texts = [" ".join([word] * 10)] * 400
    found = PERTURBATIONS[kind](texts, strength, 0)
    changed = 1 - sum(text.split(" ").count(word) for text in found) / 4000
    # 4,000 draws of probability a half stray by 0.008, one standard deviation
    assert changed == pytest.approx(strength, abs=0.032)


@given(texts=Texts, seed=st.integers(0, 9))
def test_cleaning_takes_out_remains(texts: Sequence[str], seed: int) -> None:
    steps = ("ag_news", "html", "whitespace")
    plain = ["".join(letter for letter in text if letter.isalpha()) for text in texts]
    for before, after in zip(plain, PERTURBATIONS["entities"](plain, 1.0, seed), strict=True):
        assert clean(after, steps).replace("'", "").replace('"', "").strip() == before
