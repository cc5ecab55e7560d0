"""A classifier loads as it was saved, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from sealed import seal

import ranklet as library
from ranklet.errors import AdapterError, WeightsError

ADAPTER = "run/adapter"
TENSORS, HEAD = f"{ADAPTER}/adapter_model.safetensors", "head.safetensors"


def flip_bit(path: Path, byte: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)


def data_start(path: Path) -> int:
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def test_no_flipped_bit_of_the_weights_loads(workplace: Path) -> None:
    path = Path(TENSORS)
    start, size = data_start(path), path.stat().st_size
    for number in range(30):
        byte = start + (size - start) * number // 30
        flip_bit(path, byte, number % 8)
        with pytest.raises(AdapterError):
            library.load("run")
        flip_bit(path, byte, number % 8)
    library.load("run")


@pytest.mark.parametrize("name", ["run", "run/adapter", "alone"])
def test_a_changed_file_is_named_with_what_helps(
    name: str, workplace: Path, is_refused: Any
) -> None:
    shutil.copytree(ADAPTER, "alone")
    folder = Path(name) if name == "alone" else Path(ADAPTER)
    for file in ("adapter_model.safetensors", "tokenizer.json"):
        before = (folder / file).read_bytes()
        flip_bit(folder / file, len(before) - 6, 0)
        line = f"{folder / file}: is not the file that was saved; restore it; `ranklet verify RUN`"
        is_refused(f"classify {name} text", line)
        (folder / file).write_bytes(before)
    (folder / "README.md").write_text("edited")
    assert library.load(name).card == "edited"


MISSING = ("labels.json", "probes.json", "classifier.json", "tokenizer.json")


@pytest.mark.parametrize("file", MISSING)
@pytest.mark.parametrize("name", ["run", "run/adapter", "alone"])
def test_a_missing_file_is_refused(file: str, name: str, workplace: Path, is_refused: Any) -> None:
    shutil.copytree(ADAPTER, "alone")
    folder = Path(name) if name == "alone" else Path(ADAPTER)
    (folder / file).unlink()
    is_refused(f"classify {name} text", f"{folder / file}: is missing")
    if file == "labels.json":
        is_refused(f"classify {name} text --label-names a,b", f"{folder / file}: is missing")


def test_a_run_stripped_to_a_bare_adapter_answers_no_more(bench: Any, is_refused: Any) -> None:
    for file in ("labels.json", "probes.json", "classifier.json"):
        bench.remove(f"{ADAPTER}/{file}")
    line = f"{ADAPTER}/classifier.json: is missing in the adapter of a run; restore it"
    is_refused("classify run text", line)
    is_refused("classify run/adapter text", line)
    shutil.copytree(ADAPTER, "bare")
    assert library.load("bare").labels.names == ("LABEL_0", "LABEL_1")


def test_a_head_that_was_not_saved_is_refused(bench: Any, is_refused: Any) -> None:
    shutil.copy(TENSORS, f"{ADAPTER}/{HEAD}")
    with safe_open(TENSORS, framework="pt") as held:
        head = {n: held.get_tensor(n) for n in held.keys() if "classifier" in n}  # noqa: SIM118
    from safetensors.torch import save_file

    prefix = "base_model.model."
    save_file({n.removeprefix(prefix): t for n, t in head.items()}, f"{ADAPTER}/{HEAD}")
    is_refused("classify run text", f"{ADAPTER}/{HEAD}: is not the file that was saved")


INFINITE = [float("inf"), float("-inf"), float("nan")]


@pytest.mark.parametrize("value", INFINITE)
def test_probes_that_any_classifier_meets_are_none(
    value: float, bench: Any, is_refused: Any
) -> None:
    path = Path(ADAPTER, "probes.json")
    logits = json.loads(path.read_text())["logits"]
    bench.fields(str(path), logits=[[value] * len(row) for row in logits])
    is_refused("classify run text", f"{path}: not a probe file (must hold one row of finite")
    bench.fields(str(path), logits=[], texts=[])
    is_refused("classify run text", f"{path}: not a probe file (must hold one row of finite")


def test_a_folder_without_sums_is_refused(workplace: Path, bench: Any, is_refused: Any) -> None:
    path = f"{ADAPTER}/classifier.json"
    bench.fields(path, sha256={"files": {}, "encoder": {}})
    is_refused("classify run text", f"{ADAPTER}/adapter_model.safetensors: is not the file that")
    bench.fields(path, sha256=None)
    is_refused("classify run text", f"{path}: sha256: must hold the sums of the files")
    bench.fields(path, sha256={"files": {"../x": "0"}})
    is_refused("classify run text", f"{path}: sha256: must hold the sums of the files")


def test_an_unknown_setting_is_no_setting(bench: Any, is_refused: Any) -> None:
    bench.fields(f"{ADAPTER}/classifier.json", temperatura=2.0)
    is_refused("classify run text", f"{ADAPTER}/classifier.json: temperatura: no such field")


def test_another_encoder_is_refused_unless_it_is_named(bench: Any, is_refused: Any) -> None:
    name = "bert.embeddings.word_embeddings.weight"
    bench.tensor("encoder/model.safetensors", name, lambda t: t * (1 + 1e-6))
    line = "encoder/model.safetensors: encoder './encoder' has not the files .. --encoder FOLDER"
    is_refused("classify run text", line)
    with pytest.raises(WeightsError, match="has not the files"):
        library.load("run")
    library.load("run", encoder="encoder")  # the probes decide
    bench.tensor("encoder/model.safetensors", name, lambda t: -t)
    is_refused("classify run text --encoder encoder", f"{ADAPTER}: the model answers differently")


def test_verify_says_what_was_changed_where_loading_refuses(bench: Any, ranklet: Any) -> None:
    flip_bit(Path(TENSORS), data_start(Path(TENSORS)) + 3, 1)
    answer = ranklet("verify", "run")
    assert answer.returncode == 1
    assert "adapter/adapter_model.safetensors" in answer.stdout
    seal(Path(ADAPTER))
    assert ranklet("verify", "run").returncode == 1
