from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from ranklet import cache
from ranklet.data.tokens import corpus as corpus_module
from ranklet.data.tokens.corpus import TokenCorpus, build_corpus
from ranklet.data.tokens.long_texts import LongTexts
from ranklet.errors import DataError, RunError
from ranklet.training.resident_corpus import resident

TEXTS = ["a b c", "b", "", "c c c c c c"]


def words(*names: str) -> Tokenizer:
    vocab = {name: index for index, name in enumerate(("?", *names))}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


ABC = words("a", "b", "c")


def build(cache_folder: Path | None, texts: list[str] = TEXTS) -> TokenCorpus:
    return build_corpus(ABC, texts, None, 4, cache_folder)


def content(corpus: TokenCorpus) -> tuple[list[int], list[int], int]:
    return corpus.token_ids.tolist(), corpus.offsets.tolist(), corpus.truncated


EXPECTED = ([1, 2, 3, 2, 3, 3, 3, 3], [0, 3, 4, 4, 8], 1)


def cache_file(cache_folder: Path) -> Path:
    (path,) = (cache_folder / "tokens").iterdir()
    return path


@pytest.fixture
def no_tokenizing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(*_: object) -> None:
        raise AssertionError("tokenized again")

    return lambda: monkeypatch.setattr(corpus_module, "tokenize", refuse)


def test_corpus_content() -> None:
    corpus = build_corpus(ABC, TEXTS, [1, 0, 1, 2], 4, None)
    assert content(corpus) == EXPECTED
    assert len(corpus) == 4
    assert corpus.lengths.tolist() == [3, 1, 0, 4]
    assert corpus.labels is not None
    assert (corpus.token_ids.dtype, corpus.offsets.dtype) == (np.int32, np.int64)
    assert corpus.labels.dtype == np.int64


def test_batch_content() -> None:
    corpus = build_corpus(ABC, TEXTS, [1, 0, 1, 2], 4, None)
    batch = corpus.batch(np.array([3, 2, 0, 3]))
    assert batch.token_ids.tolist() == [3, 3, 3, 3, 1, 2, 3, 3, 3, 3, 3]
    assert batch.cu_seqlens.tolist() == [0, 4, 4, 7, 11]
    assert batch.max_seqlen == 4
    assert batch.labels is not None
    assert batch.labels.tolist() == [2, 1, 1, 2]
    assert [t.dtype for t in (batch.token_ids, batch.cu_seqlens, batch.labels)] == [
        torch.int64,
        torch.int32,
        torch.int64,
    ]


def test_batch_of_nothing_and_without_labels() -> None:
    batch = build(None).batch(np.array([], dtype=np.int64))
    assert (batch.num_texts, batch.num_tokens, batch.max_seqlen) == (0, 0, 0)
    assert batch.labels is None


def test_batch_is_a_copy() -> None:
    corpus = build_corpus(ABC, TEXTS, [1, 0, 1, 2], 4, None)
    batch = corpus.batch(np.arange(4))
    assert batch.labels is not None
    batch.token_ids.zero_()
    batch.labels.zero_()
    assert corpus.labels is not None
    assert content(corpus) == EXPECTED
    assert corpus.labels.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize("indices", [[4], [-1], [0, 1, 99]])
def test_batch_outside_the_corpus(indices: list[int]) -> None:
    with pytest.raises(IndexError, match=r"0\.\.3"):
        build(None).batch(np.array(indices))


@pytest.mark.parametrize("cached", [True, False])
def test_texts_and_labels_must_fit(tmp_path: Path, cached: bool) -> None:
    folder = tmp_path if cached else None
    with pytest.raises(DataError, match=r"^labels: 1 labels for 2 texts"):
        build_corpus(ABC, ["a", "b"], [0], 4, folder)
    with pytest.raises(DataError, match=r"^texts\[1\]: half a character"):
        build_corpus(ABC, ["a", "\ud83d"], [0, 1], 4, folder)
    assert list(tmp_path.iterdir()) == []


def test_second_build_comes_from_the_cache(
    tmp_path: Path, no_tokenizing: Callable[[], None]
) -> None:
    build_corpus(ABC, TEXTS, [1, 0, 1, 2], 4, tmp_path)
    no_tokenizing()
    again = build_corpus(ABC, TEXTS, [0, 0, 0, 1], 4, tmp_path)
    assert content(again) == EXPECTED
    assert again.labels is not None
    assert again.labels.tolist() == [0, 0, 0, 1]
    assert build(tmp_path).labels is None


@pytest.mark.parametrize(
    ("tokenizer", "texts", "max_length"),
    [
        (words("b", "a", "c"), ["a b", "c"], 4),
        (ABC, ["a b", "c"], 5),
        (ABC, ["c", "a b"], 4),
        (ABC, ["a b", "C"], 4),
        (ABC, ["a bc", ""], 4),
        (ABC, ["a b"], 4),
        (ABC, ["a b", "c", ""], 4),
    ],
)
def test_key_covers_every_input(
    tmp_path: Path, tokenizer: Tokenizer, texts: list[str], max_length: int
) -> None:
    build_corpus(ABC, ["a b", "c"], None, 4, tmp_path)
    cached = build_corpus(tokenizer, texts, None, max_length, tmp_path)
    assert content(cached) == content(build_corpus(tokenizer, texts, None, max_length, None))
    assert len(list((tmp_path / "tokens").iterdir())) == 2


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced_by_other_tensors(path: Path) -> None:
    save_file({"token_ids": np.zeros(3, np.int32), "offsets": np.array([0, 3])}, path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not safetensors" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:20]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"I32", b"U32")),
        lambda path: path.write_bytes(path.read_bytes().replace(b"offsets", b"0ffsets")),
        replaced_by_folder,
        replaced_by_other_tensors,
    ],
)
def test_damaged_cache_is_rebuilt(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    build(tmp_path)
    path = cache_file(tmp_path)
    sound = path.read_bytes()
    damage(path)
    lines: list[str] = []
    again = build_corpus(ABC, TEXTS, None, 4, tmp_path, report=lines.append)
    assert content(again) == EXPECTED
    said = f"cache: {path} is damaged, thrown away and made again"
    assert lines == ([] if path.is_dir() else [said])
    assert path.is_dir() or path.read_bytes() == sound


def test_every_flipped_byte_is_noticed(tmp_path: Path, no_tokenizing: Callable[[], None]) -> None:
    build(tmp_path)
    path = cache_file(tmp_path)
    sound = path.read_bytes()
    no_tokenizing()
    for position in range(len(sound)):
        damaged = bytearray(sound)
        damaged[position] ^= 0x15
        path.write_bytes(damaged)
        with pytest.raises(AssertionError, match="tokenized again"):
            build(tmp_path)
    path.write_bytes(sound)
    assert content(build(tmp_path)) == EXPECTED


def test_unwritable_cache_only_means_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    assert content(build(tmp_path / "file")) == EXPECTED

    def fail(path: Path, _: bytes) -> None:
        raise RunError(f"cannot write {path}: no space left on device")

    monkeypatch.setattr(cache, "write_atomically", fail)
    assert content(build(tmp_path / "full")) == EXPECTED


def test_oldest_entries_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, ["a"])
    first = cache_file(tmp_path)
    build(tmp_path, ["b"])
    (second,) = set((tmp_path / "tokens").iterdir()) - {first}
    (tmp_path / "tokens" / ".ranklet-left.tmp").write_bytes(b"x")
    for age, path in enumerate([first, second, tmp_path / "tokens" / ".ranklet-left.tmp"]):
        os.utime(path, (1_000 - age, 1_000 - age))
    build(tmp_path, ["b"])  # a hit makes the entry the newest
    monkeypatch.setattr(corpus_module, "MAX_CACHE_BYTES", int(2.5 * first.stat().st_size))
    build(tmp_path, ["c"])
    names = {path.name for path in (tmp_path / "tokens").iterdir()}
    assert len(names) == 2
    assert second.name in names
    assert first.name not in names


@given(st.lists(st.integers(0, 4), max_size=12), st.data())
def test_a_resident_corpus_gives_the_same_batches(lengths: list[int], data: st.DataObject) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    corpus = TokenCorpus(
        np.arange(offsets[-1], dtype=np.int32), offsets, np.arange(len(lengths)), truncated=0
    )
    indices = np.array(
        data.draw(st.lists(st.integers(0, max(0, len(lengths) - 1)), max_size=8 * bool(lengths))),
        dtype=np.int64,
    )
    here, there = corpus.batch(indices), resident(corpus, torch.device("cpu")).batch(indices)
    assert there.max_seqlen == here.max_seqlen
    for name in ("token_ids", "cu_seqlens", "labels"):
        assert torch.equal(getattr(there, name), getattr(here, name)), name
        assert getattr(there, name).dtype == getattr(here, name).dtype


def test_windows_of_another_overlap_are_not_taken_from_the_cache(tmp_path: Path) -> None:
    rows = [
        build_corpus(ABC, TEXTS, None, 4, tmp_path, LongTexts("windows", overlap)).lengths.tolist()
        for overlap in (0.0, 0.5, 0.0)
    ]
    assert rows == [[3, 1, 0, 4, 2], [3, 1, 0, 4, 4], [3, 1, 0, 4, 2]]
    assert len(list((tmp_path / "tokens").iterdir())) == 2
