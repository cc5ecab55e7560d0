"""The processes of one training, and the few things that they say to each other.

Every process takes its rows of every batch, and the sum of the gradients over the processes is the
gradient of the batch. No DistributedDataParallel: it would hide that sum in hooks on the backward
pass, to overlap it with the computation. Less than a million trained parameters are one buffer of a
few MB, whose sum takes less time than the hooks; one explicit sum a step works with accumulated
batches, several passes and gradients that somebody else writes, and its order is the same on every
process, so that all of them hold the same weights to the bit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from ranklet.data.tokens.batching import Indices
from ranklet.errors import ProcessLostError, RunError
from ranklet.launch import Launch

Value = TypeVar("Value")

# How often a process that works by itself tells the others that it lives.
BEAT_S = 0.2


class Processes:
    """This process among those that train together.

    Processes are in step (each call below is made by all of them) or apart: each works by itself
    for as long as it takes, and a thread of its own tells the others that it lives. So no wait ever
    depends on how long somebody's work takes, and a process that dies, is stopped or is cut off
    ends the others within the timeout, wherever they are.

    Raises:
        ProcessLostError: From every method that waits for another process, which does not answer.
    """

    def __init__(self, launch: Launch) -> None:
        self.index = launch.index
        self.count = launch.count
        self._local_index = launch.local_index
        self._own_work_done = Event()
        self._given_up = Event()
        self._beats: Future[None] | None = None

    def part(self, indices: Indices) -> Indices:
        """Return this process's rows of a batch: every n-th, so that lengths are even."""
        return indices[self.index :: self.count]

    def add_up(
        self, parameters: Sequence[Tensor], loss: Tensor, counts: Sequence[int]
    ) -> tuple[Tensor, Sequence[int] | Tensor]:
        """Replace gradients by their sums over the processes.

        Args:
            parameters: What trains, in the same order on every process. A process without rows adds
                nothing to a gradient.
            loss: This process's share of the loss, a scalar.
            counts: What it was computed from, such as tokens.

        Returns:
            Loss and counts of all processes together; the latter (counts,) float32 if there are
            several, so that nobody waits for a GPU.
        """
        if self.count == 1:
            return loss, counts
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in parameters
        ]
        numbers = loss.new_tensor(counts, dtype=torch.float32)
        flat = torch.cat(
            [*(gradient.flatten() for gradient in gradients), loss.float()[None], numbers]
        )
        self._sum(flat)
        *sums, numbers = flat.split_with_sizes(
            [*(parameter.numel() for parameter in parameters), 1 + len(counts)]
        )
        for parameter, total in zip(parameters, sums, strict=True):
            parameter.grad = total.view_as(parameter)
        return numbers[0], numbers[1:]

    def any(self, flag: bool) -> bool:
        """Tell whether a flag is set on any process."""
        if self.count == 1:
            return flag
        raised = torch.tensor([int(flag)])
        self._sum(raised)
        return bool(raised)

    def assemble(self, rows: Tensor, total: int) -> Tensor:
        """Put together a table of which every process has its `part`.

        Args:
            rows: (rows of this process, columns) float32, on the CPU.
            total: Rows of all processes.

        Returns:
            (total, columns), the same on every process.
        """
        if self.count == 1:
            return rows
        table = torch.zeros(total, rows.shape[1])
        table[self.index :: self.count] = rows
        self._sum(table)
        return table

    def of_first(self, value: Value) -> Value:
        """Return what process 0 gives; what the others give is not looked at."""
        if self.count == 1:
            return value
        message = [value]
        with _in_contact(self.index):
            dist.broadcast_object_list(message, src=0, device=torch.device("cpu"))
        return message[0]

    def align(self, tensors: Sequence[Tensor]) -> None:
        """Give tensors the values that they have on process 0."""
        if self.count > 1:
            flat = torch.cat([tensor.detach().float().flatten() for tensor in tensors])
            with _in_contact(self.index):
                dist.broadcast(flat, src=0)
            values = flat.split_with_sizes([tensor.numel() for tensor in tensors])
            with torch.no_grad():
                for tensor, value in zip(tensors, values, strict=True):
                    tensor.copy_(value.view_as(tensor))

    def draw_for(self, step: int, seed: int, generator: torch.Generator) -> None:
        """Seed PyTorch's own and another generator for a step, otherwise on every process.

        They depend on nothing before, so that a training goes on in the middle without the states
        of the generators of all processes. A single process draws on.
        """
        if self.count > 1:
            drawn = np.random.SeedSequence((seed, step, self.index)).generate_state(2, np.uint64)
            torch.manual_seed(int(drawn[0]))
            generator.manual_seed(int(drawn[1]))

    def take_device(self, device: torch.device) -> torch.device:
        """Return the device to compute on; of several GPUs of a machine, each process takes one.

        Raises:
            RunError: There are more processes than GPUs.
        """
        if self.count == 1 or device.type != "cuda":
            return device
        gpus = torch.cuda.device_count()
        if self._local_index >= gpus:
            raise RunError(
                f"process {self.index}: this machine has {gpus} GPUs and more processes; start at "
                f"most {gpus} of them here, or set engine.device=cpu"
            )
        torch.cuda.set_device(self._local_index)
        return device

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let every process work by itself; the block ends when all of them have ended it."""
        self._part_ways()
        try:
            yield
        except BaseException:
            self._given_up.set()
            wait_for([] if self._beats is None else [self._beats])
            raise
        self._meet()

    def in_turn(self, work: Callable[[], Value]) -> Value:
        """Let the first process of a machine work, then the others, which find what it has kept."""
        with self.apart():
            outcome = [work()] if self._local_index == 0 else []
        with self.apart():
            return outcome[0] if outcome else work()

    @contextmanager
    def leading(self) -> Iterator[None]:
        """On process 0: work, while the others wait in `next_work`, and send them home after."""
        with self.apart():
            yield
        self.of_first(None)

    @contextmanager
    def together(self, work: Any) -> Iterator[None]:
        """On process 0, which leads: hand out work, and do it in step with the others."""
        self._meet()
        self.of_first(work)
        with self.apart():
            pass
        yield
        self._part_ways()

    def next_work(self) -> Any:
        """On the other processes: return what process 0 hands out, None at the end.

        Whoever gets work makes ready for it `apart`.
        """
        with self.apart():
            pass
        return self.of_first(None)

    def _part_ways(self) -> None:
        if self.count > 1:
            self._own_work_done.clear()
            thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="processes")
            self._beats = thread.submit(self._beat)
            thread.shutdown(wait=False)

    def _meet(self) -> None:
        beats, self._beats = self._beats, None
        if beats is not None:
            self._own_work_done.set()
            beats.result()

    def _beat(self) -> None:
        while not self._given_up.is_set():
            working = torch.tensor([int(not self._own_work_done.is_set())])
            self._sum(working)
            if not working:
                return
            self._own_work_done.wait(BEAT_S)

    def _sum(self, tensor: Tensor) -> None:
        with _in_contact(self.index):
            dist.all_reduce(tensor)


ALONE = Processes(Launch())


@contextmanager
def join_processes(launch: Launch) -> Iterator[Processes]:
    """Bring the processes of a launch together while the block runs.

    Raises:
        RunError: The program uses torch.distributed itself.
        ProcessLostError: Not all of them come.
    """
    if launch.count == 1:
        yield Processes(launch)
        return
    if dist.is_initialized():
        raise RunError(
            "torch.distributed is in use; call destroy_process_group before training on "
            f"{launch.count} processes, or unset RANK and WORLD_SIZE"
        )
    with _in_contact(launch.index, "did not come together"):
        store = _store(launch)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            store=store,
            rank=launch.index,
            world_size=launch.count,
            timeout=timedelta(seconds=launch.timeout_s),
        )
    try:
        yield Processes(launch)
    except BaseException:
        # NCCL would wait for kernels that nobody ends any more; the end of the process cuts them.
        if not torch.cuda.is_available():
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def _store(launch: Launch) -> Any:
    """Return the store of addresses, after waiting for all processes."""
    patience = timedelta(seconds=launch.join_s)
    store, _, _ = next(rendezvous("env://", launch.index, launch.count, timeout=patience))
    if launch.shares_store:
        # The launcher's store outlives an attempt, and restarted processes would read the
        # addresses of dead ones (pytorch issues 135712 and 167288).
        prefix = f"attempt-{launch.attempt}"
        store = dist.PrefixStore(prefix, store)  # type: ignore[attr-defined]
    store.set(f"here-{launch.index}", "yes")
    store.wait([f"here-{index}" for index in range(launch.count)], patience)
    return store


@contextmanager
def _in_contact(
    index: int, message: str = "another process ended or does not answer"
) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[[^]]*\] *", "", str(error).partition("\n")[0])[:200]
        raise ProcessLostError(
            f"process {index}: {message} ({reason}); see what the other processes say, then run "
            "the same command again to continue"
        ) from error
