"""The work on a training batch captured as a CUDA graph for each of a few shapes, and replayed.

A graph launches all kernels of forward, loss and backward at once, on the memory they were captured
with. Nothing in it may depend on what the batch holds: a batch is filled up with texts that nobody
reads to one of a few shapes, its bucket, and copied to the bucket's own memory before each replay.
Dropout inside a graph draws from PyTorch's default generator, other numbers than launched singly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.encoder.attention import has_packed_kernel
from ranklet.encoder.families import AnyEncoder
from ranklet.encoder.layers import NativeEncoder
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.training.optimizer_step import AddGradients

# Graphs of a training. AG News in batches of 256 texts fills about a dozen buckets.
MOST_GRAPHS = 16

# Batches of a bucket until one is captured; rare shapes are not worth the time of a capture.
CAPTURED_FROM = 3

# Runs before a capture, on its stream, as PyTorch's notes on CUDA graphs prescribe.
WARM_UPS = 3

# Smallest step between the token counts of buckets, and smallest limit of a text's length.
SMALLEST_GRAIN = 64
SMALLEST_MAX_SEQLEN = 128

Work = Callable[[], list[Tensor | None]]
"""Computes on memory of its own -> loss and gradients; finds no gradients and leaves none."""

Capture = Callable[[Work], Work]
"""Work -> its repetition: the same kernels on the same memory, the outcome in the same tensors.

That memory is shared: an outcome is lost when anything else captured with it runs.
"""


@dataclass(frozen=True)
class Bucket:
    """A shape that batches are filled up to.

    Attributes:
        tokens: Tokens of all texts.
        fillers: Texts behind the labelled ones, each of 1 to `max_seqlen` tokens.
        max_seqlen: No text is longer, tokens.
    """

    tokens: int
    fillers: int
    max_seqlen: int


def choose_bucket(tokens: int, max_seqlen: int, longest: int) -> Bucket:
    """Return the shape to fill a batch up to: on average about 5 % more tokens.

    All are counts of tokens: of the batch, its longest text, and the longest of the training. No
    filler is longer, so that every position that it asks for is in the encoder's table.
    """
    limit = max(SMALLEST_MAX_SEQLEN, 1 << (max_seqlen - 1).bit_length())
    limit = max(2, min(limit, longest))
    grain = max(SMALLEST_GRAIN, (1 << (tokens.bit_length() - 1)) // 8)
    fillers = -(-(grain - 1) // (limit - 1))
    return Bucket(-(-(tokens + fillers) // grain) * grain, fillers, limit)


def fill_up(batch: Batch, bucket: Bucket) -> Batch:
    """Bring a batch to the shape of its bucket by texts of token 0; nothing waits for a GPU."""
    extra = bucket.tokens - batch.num_tokens
    turns = torch.arange(1, bucket.fillers + 1, device=batch.cu_seqlens.device)
    ends = batch.num_tokens + turns * extra // bucket.fillers
    states, types = batch.hidden_states, batch.token_types
    return replace(
        batch,
        token_ids=F.pad(batch.token_ids, (0, extra)),
        cu_seqlens=torch.cat([batch.cu_seqlens, ends.int()]),
        max_seqlen=bucket.max_seqlen,
        hidden_states=None if states is None else F.pad(states, (0, 0, 0, extra)),
        token_types=None if types is None else F.pad(types, (0, extra)),
    )


@dataclass(eq=False)
class CapturedGradients:
    """Adds the gradients of a batch as `add_gradients` does, by replaying what it did.

    Batches of another number of texts, and of shapes seen too rarely, go to `add_gradients`.

    Attributes:
        add_gradients: The work on one batch.
        parameters: All that it gives gradients to.
        texts: Texts of a batch that may be captured.
        longest: Longest text of the training, tokens.
        capture: Captures work and returns its repetition, see `cuda_graphs`.
        captured_from: Batches of a bucket until one is captured.
        most_graphs: Buckets that are captured.
        graphs: Those that are, by bucket.
        seen: Batches of each bucket so far.
        frequent: Buckets that are captured at their next batch, or are already.
    """

    add_gradients: AddGradients
    parameters: Sequence[nn.Parameter]
    texts: int
    longest: int
    capture: Capture
    captured_from: int = CAPTURED_FROM
    most_graphs: int = MOST_GRAPHS
    graphs: dict[Bucket, _Graph] = field(default_factory=dict)
    seen: Counter[Bucket] = field(default_factory=Counter)
    frequent: set[Bucket] = field(default_factory=set)

    def __call__(self, batch: Batch, share: float | Tensor) -> Tensor:
        """Add the gradients of a batch's share of the loss and return that share, a scalar."""
        if batch.num_texts != self.texts:
            return self.add_gradients(batch, share)
        bucket = choose_bucket(batch.num_tokens, batch.max_seqlen, self.longest)
        self.seen[bucket] += 1
        if self.seen[bucket] >= self.captured_from and len(self.frequent) < self.most_graphs:
            self.frequent.add(bucket)
        if bucket not in self.frequent:
            return self.add_gradients(batch, share)
        filled = fill_up(batch, bucket)
        # Copied, since they may lie where the graph computes.
        earlier = [
            None if gradient is None else gradient.clone() for gradient in _take(self.parameters)
        ]
        if bucket not in self.graphs:
            self.graphs[bucket] = self._captured(filled)
        loss, gradients = self.graphs[bucket].replay(filled, share)
        for parameter, gradient, before in zip(self.parameters, gradients, earlier, strict=True):
            if gradient is not None and before is not None:
                gradient += before
            parameter.grad = before if gradient is None else gradient
        return loss

    def _captured(self, batch: Batch) -> _Graph:
        assert batch.labels is not None
        weights = None if batch.weights is None else batch.weights.clone()
        own = replace(batch, labels=batch.labels.clone(), weights=weights)
        share = torch.ones((), device=batch.labels.device)

        def work() -> list[Tensor | None]:
            loss = self.add_gradients(own, share)
            return [loss, *_take(self.parameters)]

        return _Graph(own, share, self.capture(work))

    def state_dict(self) -> dict[str, Any]:
        """Return which shapes were seen how often, and which are captured."""
        return {
            "seen": [[*astuple(bucket), count] for bucket, count in self.seen.items()],
            "frequent": [list(astuple(bucket)) for bucket in self.frequent],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Capture from here on what was captured then, each shape at its next batch."""
        self.seen = Counter({Bucket(*sizes): count for *sizes, count in state_dict["seen"]})
        self.frequent = {Bucket(*sizes) for sizes in state_dict["frequent"]}


@dataclass(frozen=True, eq=False)
class _Graph:
    """Work on memory of its own.

    Attributes:
        batch: What it computes on.
        share: Its share of the step, a scalar float32.
        repeat: Computes.
    """

    batch: Batch
    share: Tensor
    repeat: Work

    def replay(self, batch: Batch, share: float | Tensor) -> tuple[Tensor, list[Tensor | None]]:
        """Compute on another batch of the same shape: its loss and gradients."""
        for own, new in zip(_tensors(self.batch), _tensors(batch), strict=True):
            own.copy_(new)
        self.share.copy_(share) if isinstance(share, Tensor) else self.share.fill_(share)
        loss, *gradients = self.repeat()
        assert loss is not None
        return loss.clone(), gradients


def _take(parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Return all gradients and leave none."""
    gradients = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return gradients


def _tensors(batch: Batch) -> list[Tensor]:
    of_tokens = (batch.token_ids, batch.token_types, batch.hidden_states)
    every = (*of_tokens, batch.cu_seqlens, batch.labels, batch.weights)
    return [tensor for tensor in every if tensor is not None]


def cuda_graphs(device: torch.device) -> Capture:
    """Return what captures work as CUDA graphs; all of them share one pool of memory.

    Raises:
        RecipeError: From the capture, if the work contains what a graph cannot hold.
    """
    pool = torch.cuda.graph_pool_handle()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def capture(work: Work) -> Work:
        current = torch.cuda.current_stream(device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                work()
        current.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                outcome = work()
        except RuntimeError as error:
            # Not worked around: after a failed capture the generator draws for dropout no more.
            reason = (str(error).strip().splitlines() or ["no reason given"])[0]
            message = f"auto could not capture a step ({reason}); set it to never"
            raise RecipeError([RecipeIssue("", "engine.capture_steps", message)]) from error

        def repeat() -> list[Tensor | None]:
            graph.replay()
            return outcome

        return repeat

    return capture


def reason_not_to_capture(
    encoder: AnyEncoder, device: torch.device, dtype: torch.dtype, batch_size: int | None
) -> str | None:
    """Say why work on a batch cannot be captured, or had better not be; None when it can.

    The batch size is None where batches have a budget of tokens.
    """
    if not isinstance(encoder, NativeEncoder) or not encoder.fused:
        return "only encoders with fused layers compute without waiting for the GPU"
    if not has_packed_kernel(device, dtype, encoder.config.head_dim):
        return "attention to packed texts needs half precision and a GPU of 2020 or later"
    if batch_size is None:
        return "batches of training.batch_tokens have no fixed number of texts"
    if encoder.activation_checkpointing:
        return "engine.activation_checkpointing spares memory that graphs would hold"
    return None
