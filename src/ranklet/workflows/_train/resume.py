"""The checkpoints of a run while it trains, and the way back to the newest.

A checkpoint knows what its training began from. Only the same recipe, texts, encoder, library
versions and kind of device go on from it: anything else would end in a model that no recipe
describes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ranklet.data.encoded_splits import Splits
from ranklet.encoder.kernels import answered_questions, take_answers
from ranklet.encoder.source import EncoderSource
from ranklet.encoder.weight_files import weight_files
from ranklet.errors import RunError
from ranklet.recipe import Recipe, recipe_hash
from ranklet.run.environment import environment
from ranklet.run.folder import Run
from ranklet.training.checkpoint_writer import CheckpointWriter
from ranklet.training.checkpoints import Checkpoint, newest_checkpoint
from ranklet.training.steps import Step
from ranklet.workflows._train.signals import StopRequest

# Raise it whenever what `fit` puts into a checkpoint changes.
CHECKPOINT_FORMAT = "2"

# Where a recipe says nothing, an end without a signal costs no more than this, in seconds. A
# checkpoint stops the training for milliseconds, so it could be less; a minute is hardly missed.
SECONDS_BETWEEN_CHECKPOINTS = 60.0

# Everything else of an environment may change: it only describes.
_VERSIONS = ("ranklet", "torch", "tokenizers", "numpy", "scikit-learn")

# Name under which a checkpoint carries its recipe with the rank of every adapter chosen.
_RESOLVED = "resolved recipe"

# Name under which it carries the kernels that computed it: another sums in another order.
_KERNELS = "kernels"


@dataclass(frozen=True)
class Beginning:
    """Where a training begins.

    Attributes:
        checkpoint: Where it was interrupted; None: at its start.
        damaged: Checkpoints that are newer but not whole.
    """

    checkpoint: Checkpoint | None
    damaged: tuple[Path, ...]

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of the interrupted training with the rank of every adapter chosen."""
        if self.checkpoint is None:
            return None
        return Recipe.model_validate_json(self.checkpoint.origin[_RESOLVED])

    def take_kernels(self) -> None:
        """Compute with the kernels of the interrupted training, whatever is faster now."""
        if self.checkpoint is not None:
            take_kernels_of(self.checkpoint)

    def describe(self, report: Callable[[str], None]) -> None:
        """Say where the training begins, if not at its start, and remove what is damaged."""
        for path in self.damaged:
            report(f"warning: {path} is damaged and left out")
            shutil.rmtree(path, ignore_errors=True)  # the training will need its name again
        if self.checkpoint is not None:
            report(f"continues after step {self.checkpoint.step}, from its checkpoint")


AT_ITS_START = Beginning(None, ())


def take_kernels_of(checkpoint: Checkpoint) -> None:
    """Compute with the kernels that a checkpoint was computed with."""
    take_answers(json.loads(checkpoint.origin.get(_KERNELS, "{}")))


def origin_of(
    recipe: Recipe,
    encoder: EncoderSource,
    splits: Splits,
    dtype: torch.dtype,
    device: torch.device,
    targets: Tensor | None = None,
    processes: int = 1,
    unlabelled: Sequence[str] = (),
) -> dict[str, str]:
    """Describe what a training begins from.

    Args:
        recipe: As it was given.
        encoder: Where its encoder is.
        splits: Its data.
        dtype: Compute dtype.
        device: Where it computes.
        targets: What teachers answered, (texts, classes) float32, or None.
        processes: How many train together; another number sums in another order.
        unlabelled: Its texts without labels.

    Raises:
        WeightsError: The encoder's folder holds no weights.
        HubError: The encoder is to be downloaded and cannot be had.
    """
    description = environment(device, dtype)
    return {
        "recipe": recipe_hash(recipe),
        "data": _splits_hash(splits, unlabelled),
        "teacher": "none" if targets is None else _sha256(targets),
        "encoder": _encoder_checksum(encoder.folder),
        "arithmetic": f"{description['precision']} on {device.type}"
        + (f" of {processes} processes" if processes > 1 else ""),
        "checkpoint format": CHECKPOINT_FORMAT,
        **{name: description[name] for name in _VERSIONS},
    }


def find_beginning(run: Run, origin: Callable[[], Mapping[str, str]]) -> Beginning:
    """Look for the checkpoint that a training is to go on from.

    Args:
        run: The run, which may not exist yet.
        origin: Describes what the training would begin from; asked only if there is a checkpoint.

    Raises:
        RunError: The newest checkpoint was written by another training, or records are missing.
    """
    checkpoint, damaged = newest_checkpoint(run.checkpoints)
    if checkpoint is not None:
        _check_origin(checkpoint, origin(), run)
        _check_records(checkpoint, run)
    return Beginning(checkpoint, tuple(damaged))


class CheckpointSchedule:
    """When a training writes a checkpoint, and what happens then.

    Args:
        writer: Writes them.
        origin: What the training began from.
        recipe: With the rank of every adapter chosen.
        stop: A signal asks for a checkpoint, and for the end of the training.
    """

    def __init__(
        self,
        writer: CheckpointWriter,
        origin: Mapping[str, str],
        recipe: Recipe,
        stop: StopRequest,
    ) -> None:
        self.writer = writer
        self.origin = {**origin, _RESOLVED: recipe.model_dump_json()}
        self.every = recipe.training.checkpoint_every
        self.stop = stop
        self.last_time = time.monotonic()

    def due(self, step: Step, last_step: int, any_process: Callable[[bool], bool]) -> bool:
        """Tell whether a checkpoint is wanted after a step.

        The last step always has one: an end during the final evaluation then costs no step.

        Args:
            step: Was just taken.
            last_step: Number of the last one.
            any_process: Tells whether something is true of any process.
        """
        self.stop.agree(any_process)
        if self.stop.signal is not None or step.number == last_step:
            return True
        if self.every is not None:
            return step.number % self.every == 0
        return step.validate or time.monotonic() - self.last_time >= SECONDS_BETWEEN_CHECKPOINTS

    def keep(self, checkpoint: Checkpoint) -> None:
        """Have a checkpoint written; after a signal, wait for it and end the training.

        Raises:
            RunError: It cannot be written.
            TrainingStoppedError: There was a signal.
        """
        origin = {**self.origin, _KERNELS: json.dumps(answered_questions())}
        self.writer.write(replace(checkpoint, origin=origin))
        self.last_time = time.monotonic()
        if self.stop.signal is not None:
            self.writer.finish()
            self.stop.obey(f" after step {checkpoint.step}")


def _check_origin(checkpoint: Checkpoint, origin: Mapping[str, str], run: Run) -> None:
    for name, expected in origin.items():
        actual = checkpoint.origin.get(name)
        if actual == expected:
            continue
        differs = f"another {name}"
        if len(expected) < 40:  # a hash would say nothing
            differs += f" ({actual}, here {expected})"
        raise RunError(
            f"{run.folder}: holds an unfinished training of {differs}; to start anew, remove "
            f"{run.checkpoints} or choose another --out"
        )


def _check_records(checkpoint: Checkpoint, run: Run) -> None:
    size = run.metrics.stat().st_size if run.metrics.is_file() else 0
    missing = checkpoint.state["records"]["bytes"] - size
    if missing > 0:
        raise RunError(
            f"{run.metrics}: {missing} bytes are missing since the last checkpoint; restore it, or "
            f"remove {run.checkpoints} to start anew"
        )


def _sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def _splits_hash(splits: Splits, unlabelled: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(splits.labels.names).encode())
    for split in (splits.train, splits.validation, splits.test):
        if split is None:
            digest.update(b"none")
            continue
        for text in split.texts:
            digest.update(f"{len(text)} {text}".encode())
        digest.update(split.labels.tobytes())
    for text in unlabelled:
        digest.update(f"{len(text)} {text}".encode())
    return digest.hexdigest()


def _encoder_checksum(folder: Path) -> str:
    # No SHA-256, which takes seconds where this takes tenths: nobody forges a file here.
    described = sorted({*folder.glob("*.json"), *folder.glob("*.txt"), *weight_files(folder)})
    checksum = 0
    for path in described:
        checksum = zlib.crc32(path.name.encode(), checksum)
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"
