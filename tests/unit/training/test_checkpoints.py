"""Checkpoints on disk: whole or not there, whatever crashes, is cut off or flips."""

from __future__ import annotations

import errno
import io
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ranklet.errors import RunError
from ranklet.training import checkpoint_writer
from ranklet.training.checkpoint_writer import CheckpointWriter
from ranklet.training.checkpoints import (
    Checkpoint,
    checkpoint_folders,
    newest_checkpoint,
    read_checkpoint,
    remove_checkpoints,
    write_checkpoint,
)


def checkpoint(step: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    state = {
        "model": {"a.weight": torch.rand(3, 4, generator=generator)},
        "optimizer": {
            "state": {0: {"step": torch.tensor(float(step)), "buffer": None}},
            "param_groups": [{"lr": 0.1 + step, "betas": (0.9, 0.999), "params": [0]}],
        },
        "random": generator.get_state(),
        "metrics": {"loss": 1 / 3, "limit": float("inf")},
    }
    return Checkpoint(step, state, {"recipe": "abc"})


def same(first: Any, other: Any) -> bool:
    """Equal down to the bits and the types, unlike `==` on tensors and on lists against tuples."""
    if type(first) is not type(other):
        return False
    if isinstance(first, Tensor):
        return first.dtype == other.dtype and first.equal(other)
    if isinstance(first, Mapping):
        return first.keys() == other.keys() and all(same(first[key], other[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(other) and all(map(same, first, other))
    return bool(first == other)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    written = checkpoint(7)
    size = write_checkpoint(tmp_path / "below" / "run", written)
    read, damaged = newest_checkpoint(tmp_path / "below" / "run")
    assert read is not None
    assert (read.step, read.origin, damaged) == (7, {"recipe": "abc"}, [])
    assert same(read.state, written.state)
    assert not same(read.state, checkpoint(8).state)
    (path,) = checkpoint_folders(tmp_path / "below" / "run")
    assert path.name == "step-00000007"
    assert size == sum(file.stat().st_size for file in path.iterdir())


def test_dtypes_and_strides_of_tensors_survive(tmp_path: Path) -> None:
    numbers = torch.arange(6.0).view(2, 3)
    state = {
        "transposed": numbers.T,
        "twice": [numbers, numbers[0]],
        "half": numbers.bfloat16(),
        "bytes": numbers.byte(),
        "empty": numbers[:0],
    }
    write_checkpoint(tmp_path, Checkpoint(1, state).copied())
    read = newest_checkpoint(tmp_path)[0]
    assert read is not None
    assert same(read.state, state)


def test_a_copy_does_not_follow_the_training() -> None:
    weight = torch.ones(2)
    original = Checkpoint(1, {"model": {"weight": weight}})
    copy = original.copied()
    weight.zero_()
    assert copy.state["model"]["weight"].tolist() == [1.0, 1.0]


def test_there_may_be_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert newest_checkpoint(tmp_path / "none") == (None, [])
    assert newest_checkpoint(tmp_path) == (None, [])
    remove_checkpoints(tmp_path, 0)
    assert (tmp_path / "notes.txt").exists()


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 100, 20):
        write_checkpoint(tmp_path, checkpoint(step))
    (tmp_path / ".ranklet-0123.tmp").mkdir()
    remove_checkpoints(tmp_path, 2)
    assert sorted(os.listdir(tmp_path)) == ["step-00000020", "step-00000100"]


# Crashes


class Crash(BaseException):
    """The end of a process: nothing that would tidy up gets anything done."""


BOUNDARIES = ("mkdir", "open", "fsync", "replace", "rename", "unlink", "rmdir", "close")


def crash_at(number: int, patch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let the call of this number, and all after it, fail; return a counter of the calls."""
    calls = 0

    def counted(real: Callable[..., Any], partly: Callable[..., Any] | None = None) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number and partly is not None:
                partly(*arguments)
            if calls >= number:
                raise Crash
            return real(*arguments, **options)

        return call

    def write_half(stream: io.FileIO, data: bytes) -> None:
        io.FileIO.write(stream, bytes(data)[: len(data) // 2])

    from ranklet import files

    for name in BOUNDARIES:
        patch.setattr(os, name, counted(getattr(os, name)))
    patch.setattr(files._Output, "write", counted(files._Output.write, write_half))
    return lambda: calls


def write_two(folder: Path) -> None:
    for step in (10, 20):
        write_checkpoint(folder, checkpoint(step))
        remove_checkpoints(folder, 1)


def test_whatever_boundary_crashes_the_newest_whole_checkpoint_is_found(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        calls = crash_at(10**9, patch)
        write_two(tmp_path / "undisturbed")
        boundaries = calls()
    assert boundaries > 30, boundaries
    outcomes = []
    for number in range(1, boundaries + 1):
        folder = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(number, patch)
            with pytest.raises(Crash):
                write_two(folder)
        complete = [path for path in checkpoint_folders(folder) if read_checkpoint(path)]
        read, _ = newest_checkpoint(folder)
        assert (read is None) == (not complete)
        if read is not None:
            assert same(read.state, checkpoint(read.step).state)
        outcomes.append(0 if read is None else read.step)
        # The same command goes on, and ends with nothing but its newest checkpoint.
        write_two_more(folder, outcomes[-1])
        assert os.listdir(folder) == ["step-00000020"]
    # Never back: once a checkpoint is there, there is one after every later crash.
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {0, 10, 20}


def write_two_more(folder: Path, newest: int) -> None:
    for step in (10, 20):
        if step > newest:
            write_checkpoint(folder, checkpoint(step))
        remove_checkpoints(folder, 1)


def test_a_write_in_place_would_not_survive_its_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin of the test above: without the renaming, a half-written folder has its name."""
    from contextlib import contextmanager

    from ranklet.training import checkpoints

    @contextmanager
    def in_place(folder: Path) -> Any:
        folder.mkdir(exist_ok=True)
        yield folder

    monkeypatch.setattr(checkpoints, "folder_appearing_whole", in_place)
    for number in range(1, 15):
        with pytest.MonkeyPatch.context() as patch:
            crash_at(number, patch)
            with pytest.raises(Crash):
                write_two(tmp_path / str(number))
    assert any(newest_checkpoint(tmp_path / str(number))[1] for number in range(1, 15))


# Damage


def test_three_hundred_damaged_files_are_all_detected(tmp_path: Path) -> None:
    for step in (10, 20):
        write_checkpoint(tmp_path, checkpoint(step))
    newest = tmp_path / "step-00000020"
    drawn = random.Random(0)
    detected = []
    for turn in range(300):
        path = drawn.choice(sorted(newest.iterdir()))
        whole = path.read_bytes()
        path.write_bytes(cut(whole, drawn) if turn % 2 else flipped(whole, drawn))
        read, damaged = newest_checkpoint(tmp_path)
        detected.append(read is not None and read.step == 10 and damaged == [newest])
        path.write_bytes(whole)
    assert detected == [True] * 300
    assert newest_checkpoint(tmp_path)[1] == []


def cut(content: bytes, drawn: random.Random) -> bytes:
    return content[: drawn.randrange(len(content))]


def flipped(content: bytes, drawn: random.Random) -> bytes:
    position = drawn.randrange(len(content))
    changed = content[position] ^ (1 << drawn.randrange(8))
    return content[:position] + bytes([changed]) + content[position + 1 :]


def test_without_the_manifest_a_flipped_bit_would_go_unnoticed(tmp_path: Path) -> None:
    from safetensors.torch import load

    write_checkpoint(tmp_path, checkpoint(1))
    path = tmp_path / "step-00000001" / "tensors.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert load(path.read_bytes()).keys() == load(content).keys()
    assert read_checkpoint(tmp_path / "step-00000001") is None


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "manifest.json"])
def test_a_missing_file_is_damage(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path, checkpoint(1))
    (tmp_path / "step-00000001" / name).unlink()
    assert newest_checkpoint(tmp_path) == (None, [tmp_path / "step-00000001"])


# The thread


def test_the_writer_writes_in_order_and_keeps_the_newest(tmp_path: Path) -> None:
    with CheckpointWriter(tmp_path, keep=2) as writer:
        for step in (1, 2, 3):
            writer.write(checkpoint(step))
    assert [path.name for path in checkpoint_folders(tmp_path)] == [
        "step-00000003",
        "step-00000002",
    ]
    size = sum(file.stat().st_size for file in (tmp_path / "step-00000003").iterdir())
    assert writer.figures.written == 3
    assert abs(writer.figures.bytes - 3 * size) < 100  # numbers in JSON differ in length
    assert writer.figures.writing_s > 0


def test_what_is_written_is_the_moment_of_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    may_write = threading.Event()

    def late(folder: Path, given: Checkpoint) -> int:
        may_write.wait(10)
        return write_checkpoint(folder, given)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", late)
    weight = torch.ones(2)
    with CheckpointWriter(tmp_path, keep=1) as writer:
        writer.write(Checkpoint(1, {"weight": weight}))
        weight.zero_()  # training goes on while the thread has not written yet
        may_write.set()
    read = newest_checkpoint(tmp_path)[0]
    assert read is not None
    assert read.state["weight"].tolist() == [1.0, 1.0]


def full_disk(folder: Path, given: Checkpoint) -> int:
    raise RunError("cannot write: no space left on device; free some space")


def test_an_error_of_the_thread_comes_with_the_next_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CheckpointWriter(tmp_path, 1) as writer:
        writer.write(checkpoint(1))
        writer.finish()
        monkeypatch.setattr(checkpoint_writer, "write_checkpoint", full_disk)
        writer.write(checkpoint(2))
        with pytest.raises(RunError, match="no space"):
            writer.write(checkpoint(3))
    read = newest_checkpoint(tmp_path)[0]
    assert read is not None
    assert read.step == 1


def test_an_error_of_the_last_write_comes_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", full_disk)
    with pytest.raises(RunError, match="no space"), CheckpointWriter(tmp_path, 1) as writer:
        writer.write(checkpoint(1))


def test_what_went_wrong_first_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", full_disk)

    def diverge() -> None:
        with CheckpointWriter(tmp_path, 1) as writer:
            writer.write(checkpoint(1))
            raise KeyError

    with pytest.raises(KeyError):
        diverge()


def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, checkpoint(1))

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(RunError, match=r"cannot write .*: no space left on device; free "):
        write_checkpoint(tmp_path, checkpoint(2))
    assert os.listdir(tmp_path) == ["step-00000001"]
    read = newest_checkpoint(tmp_path)[0]
    assert read is not None
    assert read.step == 1
