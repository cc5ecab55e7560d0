"""What holds for any texts, lengths and seeds on the way from texts to batches."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from ranklet.batch import Batch
from ranklet.data.tokens.batching import epoch_batches, sorted_batches
from ranklet.data.tokens.corpus import TokenCorpus, build_corpus, corpus_of
from ranklet.data.tokens.long_texts import LongTexts
from ranklet.data.tokens.token_dropout import drop_tokens
from ranklet.data.tokens.tokenizer import load_tokenizer, tokenize, write_tokenizer


@cache
def word_piece() -> Tokenizer:
    letters = "abcdehinotw-é中"
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    vocab = {name: index for index, name in enumerate((*names, "the", "##ing"))}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    return tokenizer


@cache
def byte_level_bpe() -> Tokenizer:
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("-", "-"), ("--", "--"), ("Ġ", "Ġ")]
    names = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocab = {name: index for index, name in enumerate((*names, *(a + b for a, b in merges)))}
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


# How long an example takes says nothing about these promises.
patient = settings(deadline=None)

KINDS = pytest.mark.parametrize("kind", [word_piece, byte_level_bpe])
Kind = Callable[[], Tokenizer]

any_text = st.text(max_size=60) | st.text("the ing-é中\n", max_size=60)
pieces = st.sampled_from(
    ["the", " ", "the ing ", "-", "é", "\n\t", "中", "😀", "<b>", "w" * 150, "e\u0301", "[SEP]"]
)
# Up to 8,000 characters: for a max_length of 7 first 396 are looked at, at most 9,216.
long_text = st.lists(
    st.builds(
        lambda piece, count: piece * min(count, 2_000 // len(piece)), pieces, st.integers(1, 2_000)
    ),
    max_size=4,
).map("".join)

lengths_of_texts = st.lists(st.integers(0, 200), max_size=120).map(
    lambda values: np.array(values, dtype=np.int64)
)
seeds = st.integers(0, 2**32)


def row(tokenizer: Tokenizer, text: str, max_length: int) -> list[int]:
    ids: list[int] = tokenize(tokenizer, [text], max_length).token_ids.tolist()
    return ids


def texts_of(corpus: TokenCorpus, indices: np.ndarray) -> list[list[int]]:
    batch = corpus.batch(indices)
    starts = batch.cu_seqlens.tolist()
    return [batch.token_ids[a:b].tolist() for a, b in pairwise(starts)]


@KINDS
@patient
@given(texts=st.lists(any_text, max_size=8), max_length=st.integers(3, 20))
def test_texts_do_not_depend_on_their_mates(kind: Kind, texts: list[str], max_length: int) -> None:
    tokens = tokenize(kind(), texts, max_length)
    alone = [row(kind(), text, max_length) for text in texts]
    assert tokens.token_ids.tolist() == [token for ids in alone for token in ids]
    assert np.diff(tokens.offsets).tolist() == [len(ids) for ids in alone]


@KINDS
@patient
@given(text=long_text, max_length=st.integers(7, 12))
def test_looking_at_a_part_gives_the_tokens_of_the_whole(
    kind: Kind, text: str, max_length: int
) -> None:
    reference = Tokenizer.from_str(kind().to_str())
    whole = len(reference.encode(text).ids)
    reference.enable_truncation(max_length)
    tokens = tokenize(kind(), [text], max_length)
    assert tokens.token_ids.tolist() == reference.encode(text).ids
    assert tokens.truncated == (whole > max_length)


@KINDS
@patient
@given(
    texts=st.lists(any_text | long_text, max_size=5),
    max_length=st.integers(3, 20),
    overlap=st.floats(0, 1, exclude_max=True),
)
def test_windows_of_real_tokenizers(
    kind: Kind, texts: list[str], max_length: int, overlap: float
) -> None:
    long_texts = LongTexts("windows", overlap)
    corpus = corpus_of(tokenize(kind(), texts, max_length, long_texts), np.arange(len(texts)))
    assert corpus.truncated == 0
    assert corpus.text_starts is not None
    assert len(corpus.text_starts) == len(texts) + 1
    assert corpus.text_starts[-1] == len(corpus)
    assert (corpus.lengths <= max_length).all()
    assert corpus.labels is not None
    for text, (start, end) in enumerate(pairwise(corpus.text_starts.tolist())):
        whole = kind().encode(texts[text]).ids
        assert (end - start > 1) == (len(whole) > max_length)
        assert corpus.labels[start:end].tolist() == [text] * (end - start)
        rows = [corpus.batch(np.array([row])).token_ids.tolist() for row in range(start, end)]
        assert all((row[0], row[-1]) == (whole[0], whole[-1]) for row in rows)
        assert rows[0][:-1] == whole[: len(rows[0]) - 1]
        assert rows[-1][1:] == whole[len(whole) - len(rows[-1]) + 1 :]


@KINDS
@patient
@given(texts=st.lists(any_text | long_text, max_size=4), max_length=st.integers(3, 20))
def test_short_texts_are_the_same_in_every_mode(
    kind: Kind, texts: list[str], max_length: int
) -> None:
    short = [text for text in texts if len(kind().encode(text).ids) <= max_length]
    plain = tokenize(kind(), short, max_length)
    for mode in ("head_tail", "windows"):
        found = tokenize(kind(), short, max_length, LongTexts(mode))  # type: ignore[arg-type]
        assert found.token_ids.tolist() == plain.token_ids.tolist()
        assert found.offsets.tolist() == plain.offsets.tolist()


@KINDS
@patient
@given(text=any_text)
def test_written_tokenizer_reads_back(kind: Kind, text: str) -> None:
    assert written(kind).encode(text).ids == kind().encode(text).ids


@cache
def written(kind: Kind) -> Tokenizer:
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(kind(), Path(folder), 16)
        return load_tokenizer(Path(folder))


@KINDS
@patient
@given(texts=st.lists(any_text, min_size=1, max_size=8), data=st.data())
def test_unpacked_batch_gives_each_text_back(
    kind: Kind, texts: list[str], data: st.DataObject
) -> None:
    corpus = build_corpus(kind(), texts, list(range(len(texts))), 12, None)
    indices = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=10))
    assert texts_of(corpus, np.array(indices, dtype=np.int64)) == [
        row(kind(), texts[index], 12) for index in indices
    ]
    batch = corpus.batch(np.array(indices, dtype=np.int64))
    assert batch.labels is not None
    assert batch.labels.tolist() == indices
    assert batch.max_seqlen == max(batch.lengths.tolist(), default=0)


@settings(deadline=None, max_examples=25)
@given(texts=st.lists(any_text, max_size=6), max_length=st.integers(3, 12))
def test_cache_hit_equals_rebuild(texts: list[str], max_length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpora = [
            build_corpus(word_piece(), texts, None, max_length, cache)
            for cache in (Path(folder), Path(folder), None)
        ]
    for corpus in corpora[:2]:
        assert corpus.token_ids.tolist() == corpora[2].token_ids.tolist()
        assert corpus.offsets.tolist() == corpora[2].offsets.tolist()
        assert corpus.truncated == corpora[2].truncated
        assert corpus.token_ids.dtype == np.int32


@patient
@given(lengths=lengths_of_texts, size=st.integers(1, 40), seed=seeds, epoch=st.integers(0, 99))
def test_batches_of_a_size_hold_every_text_once(
    lengths: np.ndarray, size: int, seed: int, epoch: int
) -> None:
    for batches in (
        epoch_batches(lengths, batch_size=size, batch_tokens=None, seed=seed, epoch=epoch),
        sorted_batches(lengths, batch_size=size),
    ):
        assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(lengths)))
        assert len(batches) == -(-len(lengths) // size)
        assert all(1 <= len(batch) <= size for batch in batches)
        assert all(batch.dtype == np.int64 for batch in batches)


@patient
@given(lengths=lengths_of_texts, budget=st.integers(1, 600), seed=seeds, epoch=st.integers(0, 99))
def test_batches_hold_every_text_once_within_their_tokens(
    lengths: np.ndarray, budget: int, seed: int, epoch: int
) -> None:
    for batches in (
        epoch_batches(lengths, batch_size=None, batch_tokens=budget, seed=seed, epoch=epoch),
        sorted_batches(lengths, batch_tokens=budget),
    ):
        assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) >= 1
            assert len(batch) == 1 or lengths[batch].max() * len(batch) <= budget


def drawn(lengths: np.ndarray, by_size: bool, seed: int, epoch: int) -> list[list[int]]:
    size, tokens = (4, None) if by_size else (None, 300)
    batches = epoch_batches(lengths, batch_size=size, batch_tokens=tokens, seed=seed, epoch=epoch)
    return [batch.tolist() for batch in batches]


@patient
@given(lengths=lengths_of_texts, seed=seeds, epoch=st.integers(0, 99), by_size=st.booleans())
def test_same_seed_and_epoch_give_the_same_batches(
    lengths: np.ndarray, seed: int, epoch: int, by_size: bool
) -> None:
    before = lengths.copy()
    first = drawn(lengths, by_size, seed, epoch)
    assert first == drawn(lengths, by_size, seed, epoch)
    assert np.array_equal(lengths, before)


@patient
@given(
    lengths=st.lists(st.integers(0, 200), min_size=60, max_size=120).map(np.array),
    seed=seeds,
    epoch=st.integers(0, 99),
    by_size=st.booleans(),
)
def test_another_seed_or_epoch_gives_other_batches(
    lengths: np.ndarray, seed: int, epoch: int, by_size: bool
) -> None:
    first = drawn(lengths, by_size, seed, epoch)
    assert first != drawn(lengths, by_size, seed, epoch + 1)
    assert first != drawn(lengths, by_size, seed + 1, epoch)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.floats(0, 1), st.integers(0, 99))
def test_dropped_tokens_leave_texts_in_order_with_both_ends(
    lengths: list[int], share: float, seed: int
) -> None:
    starts = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    total = int(starts[-1])
    states = torch.arange(total, dtype=torch.float32)[:, None]
    batch = Batch(torch.arange(total), starts, max(lengths), None, states, first_layer=1)
    shorter = drop_tokens(batch, share, torch.Generator().manual_seed(seed))
    again = drop_tokens(batch, share, torch.Generator().manual_seed(seed))
    assert torch.equal(again.token_ids, shorter.token_ids)
    assert shorter.num_texts == len(lengths)
    assert shorter.max_seqlen == int(shorter.lengths.max())
    assert shorter.hidden_states is not None
    assert torch.equal(shorter.hidden_states[:, 0].long(), shorter.token_ids)
    for text, length in enumerate(lengths):
        own = shorter.token_ids[shorter.cu_seqlens[text] : shorter.cu_seqlens[text + 1]].tolist()
        first = int(starts[text])
        assert own == sorted(own)
        assert (own[0], own[-1]) == (first, first + length - 1)
    if share == 0:
        assert torch.equal(shorter.token_ids, batch.token_ids)
