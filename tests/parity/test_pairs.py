"""Pairs of texts against transformers': their tokens, their types, and what an encoder computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import save, transformers_encoder
from tokenizers import Tokenizer

from ranklet.batch import Batch
from ranklet.data.texts import Text
from ranklet.data.tokens.corpus import TokenCorpus, build_corpus, corpus_of
from ranklet.data.tokens.long_texts import longest_first
from ranklet.data.tokens.tokenizer import load_tokenizer, tokenize, write_tokenizer
from ranklet.encoder.config import read_config
from ranklet.encoder.families import AnyEncoder
from ranklet.encoder.weights import load_encoder
from ranklet.training.captured_steps import Bucket, fill_up
from ranklet.training.frozen_layers import cache_states
from ranklet.training.resident_corpus import resident

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TEXTS = ("", "Hello World.", "naïve 中文 [SEP] </s> 😀", "one two three " * 9, "x" * 90)
PAIRS: list[Text] = [*product(TEXTS, repeat=2)]
TOLERANCE = 1e-5


@pytest.fixture(params=["roberta", "bert"])
def folder(request: pytest.FixtureRequest) -> Path:
    name = {"roberta": "roberta_base_folder", "bert": "minilm_folder"}[request.param]
    real: Path = request.getfixturevalue(name)
    return real


def rows(corpus: TokenCorpus, values: np.ndarray) -> list[list[int]]:
    parts = zip(corpus.offsets, corpus.offsets[1:], strict=False)
    return [values[start:end].tolist() for start, end in parts]


@cache
def own_tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


@cache
def auto_tokenizer(folder: Path) -> Any:
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(folder)


def ours(folder: Path, max_length: int) -> TokenCorpus:
    return corpus_of(tokenize(own_tokenizer(folder), PAIRS, max_length), None)


def theirs(folder: Path, max_length: int) -> Any:
    first, second = zip(*PAIRS, strict=True)
    tokenizer = auto_tokenizer(folder)
    return tokenizer(list(first), list(second), truncation="longest_first", max_length=max_length)


@pytest.mark.parametrize("max_length", [6, 7, 8, 16, 33, 512])
def test_tokens_and_types_equal_transformers(folder: Path, max_length: int) -> None:
    corpus, expected = ours(folder, max_length), theirs(folder, max_length)
    assert corpus.token_types is not None
    assert rows(corpus, corpus.token_ids) == expected["input_ids"]
    if "token_type_ids" in expected:
        assert rows(corpus, corpus.token_types) == expected["token_type_ids"]
    else:
        assert not corpus.token_types.any()
    whole = theirs(folder, 512)["input_ids"]
    assert corpus.truncated == sum(len(row) > max_length for row in whole)


def test_sabotaged_by_cutting_the_second_text_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ranklet.data.tokens.tokenizer.longest_first",
        lambda first, second, room: (min(first, room), room - min(first, room)),
    )
    corpus = ours(folder, 45)
    assert rows(corpus, corpus.token_ids) != theirs(folder, 45)["input_ids"]


@pytest.mark.parametrize(
    ("first", "second", "room", "kept"),
    [(9, 9, 6, (3, 3)), (9, 9, 7, (3, 4)), (2, 9, 6, (2, 4)), (9, 2, 6, (4, 2)), (9, 8, 7, (4, 3))],
)
def test_the_longer_text_is_cut_first(
    first: int, second: int, room: int, kept: tuple[int, int]
) -> None:
    assert longest_first(first, second, room) == kept


def test_a_saved_tokenizer_says_whether_types_are_read(minilm_folder: Path, tmp_path: Path) -> None:
    auto = pytest.importorskip("transformers").AutoTokenizer
    for told_apart in (False, True):
        folder = tmp_path / str(told_apart)
        folder.mkdir()
        write_tokenizer(own_tokenizer(minilm_folder), folder, 128, told_apart)
        assert ("token_type_ids" in auto.from_pretrained(folder)("a", "b")) == told_apart


@pytest.fixture(scope="module")
def tiny_tokenizer() -> Tokenizer:
    from tokenizers import models, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh"]
    tokenizer = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


@pytest.fixture
def corpus(tiny_tokenizer: Tokenizer) -> TokenCorpus:
    pairs: Sequence[Text] = [("a b c", "d"), ("e", "f g h a b"), ("", "c")]
    return build_corpus(tiny_tokenizer, pairs, [0, 1, 0], 9, None)


def states(encoder: AnyEncoder, batch: Batch) -> torch.Tensor:
    with torch.inference_mode():
        return encoder(batch)


@pytest.mark.parametrize("attention", ["reference", "sdpa"])
@pytest.mark.parametrize("family", ["bert", "electra", "roberta", "albert"])
def test_states_equal_transformers(
    family: str, attention: str, corpus: TokenCorpus, tmp_path: Path
) -> None:
    model = transformers_encoder(family, type_vocab_size=1 if family == "roberta" else 2)
    folder = save(model, tmp_path)
    encoder = load_encoder(folder, read_config(folder), torch.float32, attention=attention)
    batch = corpus.batch(np.arange(3))
    assert batch.token_types is not None
    own = states(encoder, batch)
    for row in range(3):
        part = slice(*batch.cu_seqlens[row : row + 2].tolist())
        types = {} if family == "roberta" else {"token_type_ids": batch.token_types[part][None]}
        with torch.inference_mode():
            expected = model(input_ids=batch.token_ids[part][None], **types).last_hidden_state[0]
        assert (own[part] - expected).abs().max() <= TOLERANCE
    sabotaged = states(encoder, replace(batch, token_types=None))
    assert torch.equal(own, sabotaged) == (family == "roberta")


def test_a_corpus_on_a_device_and_a_filled_batch_keep_the_types(corpus: TokenCorpus) -> None:
    expected = corpus.batch(np.array([2, 0]))
    batch = resident(corpus, torch.device("cpu")).batch(np.array([2, 0]))
    assert expected.token_types is not None
    assert batch.token_types is not None
    assert batch.token_types.tolist() == expected.token_types.tolist()
    filled = fill_up(batch, Bucket(32, 2, 16))
    assert filled.token_types is not None
    assert filled.token_types.tolist() == [*batch.token_types.tolist(), *[0] * (32 - 4 - 7)]


def test_caches_tell_pairs_from_texts_and_types_from_none(
    corpus: TokenCorpus, tiny_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    inputs: list[list[Text]] = [[("a", "b"), ("c", "d")], ["a", "b", "c", "d"], [("a b", "c d")]]
    for texts in (*inputs, *inputs):
        fresh = build_corpus(tiny_tokenizer, texts, None, 9, None)
        cached = build_corpus(tiny_tokenizer, texts, None, 9, tmp_path)
        assert cached.token_ids.tolist() == fresh.token_ids.tolist()
        assert (cached.token_types is None) == isinstance(texts[0], str)
        assert fresh.token_types is None or np.array_equal(cached.token_types, fresh.token_types)
    assert len(list((tmp_path / "tokens").iterdir())) == len(inputs)

    folder = save(transformers_encoder("bert"), tmp_path / "encoder")
    encoder = load_encoder(folder, read_config(folder), torch.float32)
    told_apart = cache_states(encoder, corpus, 1, tmp_path / "states", 2**30)
    alike = cache_states(encoder, replace(corpus, token_types=None), 1, tmp_path / "states", 2**30)
    assert not torch.equal(told_apart.states, alike.states)
    batch = told_apart.batch(np.arange(3))
    assert (states(encoder, batch) - states(encoder, corpus.batch(np.arange(3)))).abs().max() < 1e-5
