"""Frozen layers below the lowest adapter: computed once, kept on disk, read in every epoch.

Nothing trains there and nothing is dropped out, so the states that enter the first trained layer
are a function of the texts alone (Liu et al. 2021, arXiv:2102.01386, cache the same way). Files are
found again by everything the states depend on, so that later runs share them. They may be deleted
at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.cache import is_whole, remove_oldest, seal, sealed_bytes
from ranklet.classifier import PREDICTION_BATCH_TOKENS, evaluation_mode
from ranklet.data.tokens.batching import sorted_batches
from ranklet.data.tokens.corpus import DerivedCorpus, TokenCorpus
from ranklet.encoder.families import AnyEncoder
from ranklet.encoder.int8.linear import integer_weights
from ranklet.files import flush_folder
from ranklet.head import module_device

# Part of every key: raise it whenever the same texts would give other states or another file.
CACHE_FORMAT = "ranklet frozen layers 2"

# Passes over the texts from which storing their states is worth its disk space.
PAYS_FROM_PASSES = 2


@dataclass(frozen=True, eq=False)
class StateCorpus(DerivedCorpus):
    """The texts of one split as the hidden states that enter a layer.

    Attributes:
        tokens: The same texts as token ids.
        states: (tokens, hidden) in the compute dtype, on the CPU, mapped from a file.
        first_layer: The layer they enter, counted from 0.
    """

    tokens: TokenCorpus
    states: Tensor
    first_layer: int

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts, in the order given; their states lie in memory of their own."""
        rows = torch.from_numpy(self.tokens.rows(np.asarray(indices, dtype=np.int64)))
        return replace(
            self.tokens.batch(indices),
            hidden_states=self.states[rows],
            first_layer=self.first_layer,
        )


def lowest_trained_layer(encoder: AnyEncoder) -> int:
    """Return the first layer that holds anything trained; 0 where the embeddings do."""
    if any(_trains(module) for module in encoder.entrance):
        return 0
    trained = (index for index, layer in enumerate(encoder.layers) if _trains(layer))
    return next(trained, len(encoder.layers) - 1)


def states_suffice(encoder: AnyEncoder, corpus: TokenCorpus, first_layer: int) -> bool:
    """Tell whether an encoder answers alike when it is entered above its frozen layers.

    Some networks of transformers do not: the Fourier transform of FNet and the convolutions of
    ConvBERT mix what stands in padding, which is not kept, into the states of tokens.

    The shortest and the longest text are tried, in one batch.
    """
    ends = np.array([corpus.lengths.argmin(), corpus.lengths.argmax()])
    with evaluation_mode(encoder):
        batch = corpus.batch(ends).to(module_device(encoder))
        states = encoder.states_entering(first_layer, batch)
        above = replace(batch, hidden_states=states, first_layer=first_layer)
        return _agree(encoder(above), encoder(batch))


def states_bytes(encoder: AnyEncoder, corpora: Iterable[TokenCorpus]) -> int:
    """Return the bytes that the states of some splits take."""
    tokens = sum(len(corpus.token_ids) for corpus in corpora)
    return tokens * encoder.config.hidden_size * _dtype(encoder).itemsize


def reason_not_to_cache(
    passes: float, needed_bytes: int, limit_bytes: int, folder: Path
) -> str | None:
    """Say why states are better computed in each of `passes`; None when caching them pays."""
    if passes < PAYS_FROM_PASSES:
        return "the texts are visited less than twice"
    if needed_bytes > limit_bytes:
        size, limit = needed_bytes / 2**30, limit_bytes / 2**30
        return f"{size:.1f} GiB are more than engine.cache_limit_gib allows, {limit:g}"
    if needed_bytes > _free_bytes(folder):
        return f"{needed_bytes / 2**30:.1f} GiB do not fit on the disk of {folder}"
    return None


def cache_states(
    encoder: AnyEncoder,
    corpus: TokenCorpus,
    first_layer: int,
    folder: Path,
    limit_bytes: int,
    report: Callable[[str], None] = lambda line: None,
) -> StateCorpus:
    """Compute the states that enter a layer, or take those of an earlier run.

    States of earlier runs that were used longest ago are deleted where the folder, made if missing,
    would take more than the limit. The layer is at least 1, those below it are frozen; `report`
    receives a line where the states of an earlier run are damaged.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{_key(encoder, corpus, first_layer)}.states"
    if is_whole(path, report):
        return StateCorpus(corpus, _map(path, encoder, corpus, writable=False), first_layer)
    size = states_bytes(encoder, [corpus])
    remove_oldest(folder, max(0, limit_bytes - sealed_bytes(size)))
    with _appearing_whole(path, size) as partial:
        states = _map(partial, encoder, corpus, writable=True)
        _fill(states, encoder, corpus, first_layer)
    return StateCorpus(corpus, states, first_layer)


def _fill(states: Tensor, encoder: AnyEncoder, corpus: TokenCorpus, first_layer: int) -> None:
    for indices in sorted_batches(corpus.lengths, batch_tokens=PREDICTION_BATCH_TOKENS):
        rows = torch.from_numpy(corpus.rows(indices))
        states[rows] = _compute(encoder, corpus, indices, first_layer)


def _compute(
    encoder: AnyEncoder, corpus: TokenCorpus, indices: NDArray[np.int64], first_layer: int
) -> Tensor:
    with evaluation_mode(encoder):
        batch = corpus.batch(indices).to(module_device(encoder))
        return encoder.states_entering(first_layer, batch).cpu()


def _agree(states: Tensor, others: Tensor) -> bool:
    tolerance = 1e-3 if states.dtype == torch.float32 else 0.1
    return torch.allclose(states.float(), others.float(), atol=tolerance)


def _map(path: Path, encoder: AnyEncoder, corpus: TokenCorpus, writable: bool) -> Tensor:
    rows, width = len(corpus.token_ids), encoder.config.hidden_size
    flat = torch.from_file(str(path), shared=writable, size=rows * width, dtype=_dtype(encoder))
    return flat.view(rows, width)


@contextmanager
def _appearing_whole(path: Path, size: int) -> Iterator[Path]:
    partial = path.with_suffix(f".partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            os.chmod(partial, 0o600)  # states tell nearly as much as the texts
            # Claimed beforehand: a disk that fills under a mapped file kills the program.
            os.posix_fallocate(file.fileno(), 0, size)
        yield partial
        seal(partial)
        os.replace(partial, path)
        flush_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _key(encoder: AnyEncoder, corpus: TokenCorpus, first_layer: int) -> str:
    described = f"{CACHE_FORMAT} {encoder.config} {encoder.fused} {first_layer}"
    digest = hashlib.sha256(described.encode())
    frozen = [*encoder.entrance, *encoder.layers[:first_layer]]
    tensors = [tensor for module in frozen for tensor in module.state_dict().values()]
    for tensor in (*tensors, *integer_weights(frozen)):
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    for array in (corpus.token_ids, corpus.offsets, corpus.token_types):
        if array is None:
            continue
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _free_bytes(folder: Path) -> int:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return shutil.disk_usage(existing).free


def _dtype(encoder: AnyEncoder) -> torch.dtype:
    return next(tensor for module in encoder.entrance for tensor in module.parameters()).dtype


def _trains(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
