"""Where an encoder is: looked up when first needed, and once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ranklet.encoder import source
from ranklet.encoder.config import KNOWN_ENCODERS
from ranklet.encoder.source import EncoderSource
from ranklet.errors import WeightsError


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the hub was asked for; it always answers with the same folder."""
    calls: list[str] = []

    def hub_folder(repo_id: str, *arguments: Any, **options: Any) -> Path:
        calls.append(repo_id)
        return tmp_path

    monkeypatch.setattr(source, "hub_folder", hub_folder)
    return calls


def test_the_sizes_of_a_known_encoder_need_no_files(requests: list[str]) -> None:
    assert EncoderSource("roberta-base").config == KNOWN_ENCODERS["roberta-base"]
    assert requests == []


def test_a_folder_is_looked_up_when_it_is_needed_and_once(
    requests: list[str], tmp_path: Path
) -> None:
    encoder = EncoderSource("roberta-base")
    assert requests == []
    assert encoder.folder == encoder.folder == tmp_path
    assert requests == ["roberta-base"]


def test_the_sizes_of_another_encoder_are_read_once(
    requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "read_config", lambda folder: KNOWN_ENCODERS["minilm"])
    encoder = EncoderSource("someone/something")
    assert encoder.config is encoder.config
    assert requests == ["someone/something"]


def test_a_local_folder_needs_no_hub(requests: list[str], tmp_path: Path) -> None:
    assert EncoderSource(str(tmp_path)).folder == tmp_path
    assert requests == []


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "~/nowhere", "a/b/c"])
def test_a_folder_that_is_not_there_is_no_hub_id(name: str, requests: list[str]) -> None:
    with pytest.raises(WeightsError, match="no such folder; name a Hugging Face model folder"):
        _ = EncoderSource(name).folder
    assert requests == []


def test_equal_names_are_the_same_source() -> None:
    assert EncoderSource("minilm") == EncoderSource("minilm") != EncoderSource("roberta-base")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, None),
        ('{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}', "cls"),
        ('{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}', "mean"),
    ],
)
def test_an_encoder_of_sentences_says_how_it_pools(
    tmp_path: Path, content: str | None, expected: str | None
) -> None:
    if content is not None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(content, encoding="utf-8")
    assert EncoderSource(str(tmp_path)).sentence_pooling == expected
