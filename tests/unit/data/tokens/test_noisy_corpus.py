"""Noise on texts: what each kind may change and what it may not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from ranklet.data.perturbations import TextNoise, add_noise
from ranklet.data.tokens.corpus import build_corpus
from ranklet.data.tokens.long_texts import LongTexts
from ranklet.data.tokens.noisy_corpus import NoisyCorpus

NEARLY_ALWAYS = 1 - 1e-12
TEXT = "The minister left.  He said: “Never again!” Then\nhe came back. Nobody asked."


def noisy(text: str, seed: int = 0, **rates: float) -> str:
    return add_noise(text, TextNoise(**rates), np.random.default_rng(seed))


def many(text: str, **rates: float) -> set[str]:
    return {noisy(text, seed, **rates) for seed in range(60)}


@pytest.mark.parametrize(
    ("text", "rates", "outcomes"),
    [
        ("one two", {"word_swap": NEARLY_ALWAYS}, {"one two"}),  # there and back
        ("one\n\ttwo ", {"word_swap": 0.5}, {"one\n\ttwo ", "two\n\tone "}),
        ("alone", {"word_swap": NEARLY_ALWAYS}, {"alone"}),
        ("Word", {"case_noise": NEARLY_ALWAYS}, {"word", "WORD"}),
        ("word", {"case_noise": NEARLY_ALWAYS}, {"WORD", "Word"}),
        ("42 %", {"case_noise": NEARLY_ALWAYS}, {"42 %"}),
        ("abcd", {"typo_noise": NEARLY_ALWAYS}, {"acbd", "abd", "acd"}),
        ("abcde", {"typo_noise": NEARLY_ALWAYS}, {"acbde", "abdce", "acde", "abde", "abce"}),
        ("the", {"typo_noise": NEARLY_ALWAYS}, {"the"}),
        (
            TEXT,
            {"sentence_truncation": NEARLY_ALWAYS},
            {
                "The minister left.",
                "The minister left.  He said: “Never again!”",
                "The minister left.  He said: “Never again!” Then\nhe came back.",
            },
        ),
        ("3.5 percent", {"sentence_truncation": NEARLY_ALWAYS}, {"3.5 percent"}),
        ("One sentence. ", {"sentence_truncation": NEARLY_ALWAYS}, {"One sentence. "}),
        ("一。二", {"sentence_truncation": NEARLY_ALWAYS}, {"一。"}),
    ],
)
def test_every_outcome_by_hand(text: str, rates: dict[str, float], outcomes: set[str]) -> None:
    assert many(text, **rates) == outcomes


words = st.text(max_size=40) | st.just(TEXT)


@given(text=words, share=st.floats(0, 0.99), seed=st.integers(0, 99))
def test_a_swap_keeps_words_and_white_space(text: str, share: float, seed: int) -> None:
    found = noisy(text, seed, word_swap=share)
    assert Counter(found.split()) == Counter(text.split())
    assert len(found) == len(text)


@given(text=words, share=st.floats(0, 0.99), seed=st.integers(0, 99))
def test_case_and_typos_keep_the_number_of_words(text: str, share: float, seed: int) -> None:
    found = noisy(text, seed, case_noise=share, typo_noise=share)
    assert len(found.split()) == len(text.split())
    # Deletions only shorten; in another case some letters become several.
    typos = noisy(text, seed, typo_noise=share)
    assert len(text) - len(text.split()) <= len(typos) <= len(text)


@given(text=words, seed=st.integers(0, 99))
def test_nothing_is_drawn_for_what_is_off(text: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    assert add_noise(text, TextNoise(), generator) == text
    assert generator.random() == np.random.default_rng(seed).random()


def test_about_the_asked_share_of_words_changes() -> None:
    text = " ".join(f"word{number}" for number in range(2_000))
    for rates in ({"case_noise": 0.1}, {"typo_noise": 0.1}):
        found = noisy(text, **rates)
        changed = sum(a != b for a, b in zip(text.split(), found.split(), strict=True))
        assert 140 < changed < 260  # 200 and four standard deviations of 13, rounded up


def tokenizer() -> Tokenizer:
    names = ["[UNK]", "[CLS]", "[SEP]", "one", "two", "three", "four", "five"]
    found = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    found.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return found


TEXTS = ("one two three four five", "five four three", "two one")


def corpus(noise: TextNoise, seed: int = 1, step: int = 1) -> NoisyCorpus:
    plain = build_corpus(tokenizer(), TEXTS, [0, 1, 0], 7, None)
    found = NoisyCorpus(plain, TEXTS, noise, tokenizer(), 7, LongTexts(), seed)
    found.begin_step(step)
    return found


def rows(corpus: NoisyCorpus, *indices: int) -> list[list[int]]:
    batch = corpus.batch(np.array(indices))
    ends = batch.cu_seqlens.tolist()
    return [batch.token_ids[a:b].tolist() for a, b in pairwise(ends)]


SWAPS = TextNoise(word_swap=0.5)


def test_a_text_depends_on_seed_step_and_row_alone() -> None:
    first = rows(corpus(SWAPS), 0, 1, 2)
    assert rows(corpus(SWAPS), 2, 0) == [first[2], first[0]]
    moved = corpus(SWAPS, step=9)
    rows(moved, 1)
    moved.begin_step(1)
    assert rows(moved, 0, 1, 2) == first
    assert rows(corpus(SWAPS, step=2), 0, 1, 2) != first
    assert rows(corpus(SWAPS, seed=2), 0, 1, 2) != first


def test_without_noise_it_is_the_corpus_itself() -> None:
    quiet = corpus(replace(SWAPS, word_swap=0.0))
    assert not quiet.noise.is_on
    ours, plain = quiet.batch(np.array([2, 0])), quiet.tokens.batch(np.array([2, 0]))
    assert ours.token_ids.equal(plain.token_ids)
    assert ours.cu_seqlens.equal(plain.cu_seqlens)
    assert ours.labels is not None
    assert plain.labels is not None
    assert ours.labels.equal(plain.labels)
