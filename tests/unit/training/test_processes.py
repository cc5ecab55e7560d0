"""Processes: the sum over them is what one process computes. Threads stand for processes here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.data.tokens.corpus import CorpusPart, TokenCorpus
from ranklet.launch import Launch
from ranklet.training.fit import fit
from ranklet.training.losses import cross_entropy
from ranklet.training.optimizer_step import Objective, StepHooks
from ranklet.training.processes import ALONE, Processes
from ranklet.training.selection import Selection
from ranklet.training.steps import training_steps
from ranklet.workflows._train.signals import StopRequest

TOKENS = torch.randint(0, 10, (11, 3), generator=torch.Generator().manual_seed(1))
LABELS = (TOKENS.sum(1) > 13).long()


class Table:
    """Where the threads of a test add up."""

    def __init__(self, count: int) -> None:
        self.barrier = Barrier(count, timeout=20)
        self.laid = [torch.zeros(0)] * count


class ThreadProcesses(Processes):
    def __init__(self, index: int, table: Table) -> None:
        super().__init__(Launch(index, len(table.laid)))
        self.table = table

    def _sum(self, tensor: Tensor) -> None:
        self.table.laid[self.index] = tensor.clone()
        self.table.barrier.wait()
        total = torch.stack(self.table.laid).sum(0)
        self.table.barrier.wait()
        tensor.copy_(total)


class EachForItself(ThreadProcesses):
    """Sabotaged: nobody adds up."""

    def _sum(self, tensor: Tensor) -> None:
        pass


class UnweightedShares(ThreadProcesses):
    """Sabotaged: the mean over processes of each one's mean, as if their parts were equal."""

    def add_up(self, parameters: Any, loss: Tensor, counts: Any) -> tuple[Tensor, Any]:
        texts = counts[0] // 3
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad *= 4 / texts / 2
        return super().add_up(parameters, loss, counts)


def on_processes(
    count: int, kind: type[ThreadProcesses], work: Callable[[Processes], Any]
) -> list[Any]:
    table = Table(count)
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(lambda index: work(kind(index, table)), range(count)))


class BagOfTokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        drawn = torch.Generator().manual_seed(0)
        self.table = nn.Parameter(torch.randn(10, 4, generator=drawn))
        self.map = nn.Parameter(torch.randn(4, 2, generator=drawn))

    def forward(self, batch: Batch) -> Tensor:
        return self.table[batch.token_ids].view(-1, 3, 4).sum(1) @ self.map


def load_batch(indices: np.ndarray) -> Batch:
    rows = torch.from_numpy(indices)
    starts = torch.arange(len(indices) + 1, dtype=torch.int32) * 3
    return Batch(TOKENS[rows].flatten(), starts, 3, LABELS[rows])


def trained(
    processes: Processes, accumulation: int = 1
) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Train on batches of 4, 4 and 3 texts, the last no multiple of two processes or more."""
    model, records = BagOfTokens(), []
    epochs = [[np.arange(0, 4), np.arange(4, 8), np.arange(8, 11)]] * 4
    fit(
        model,
        training_steps(epochs, accumulation, None, None),
        load_batch,
        Objective(
            cross_entropy(0.1), torch.optim.SGD(model.parameters(), lr=0.1), max_grad_norm=0.5
        ),
        Selection(
            lambda: {"accuracy": 1.0, "loss": 1.0 - len(records) / 100, "macro_f1": 1.0}, "loss"
        ),
        StepHooks(record=records.append),
        processes=processes,
    )
    return {name: tensor.detach() for name, tensor in model.named_parameters()}, records


def distance(first: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((first[name] - other[name]).abs().max()) for name in first)


@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("count", [2, 3, 4])  # four processes: one has no row of the last batch
def test_processes_train_to_the_weights_of_one_process(count: int, accumulation: int) -> None:
    expected, alone = trained(ALONE, accumulation)
    outcomes = on_processes(
        count, ThreadProcesses, lambda processes: trained(processes, accumulation)
    )
    for weights, records in outcomes:
        assert distance(weights, expected) <= 1e-6
        assert distance(weights, outcomes[0][0]) == 0
        for record, other in zip(records, alone, strict=True):
            assert record["loss"] == pytest.approx(other["loss"], abs=1e-6)
            if record["kind"] == "train":
                assert (record["texts"], record["tokens"]) == (other["texts"], other["tokens"])
                assert record["grad_norm"] == pytest.approx(other["grad_norm"], abs=1e-6)


@pytest.mark.parametrize("kind", [EachForItself, UnweightedShares])
def test_what_would_be_wrong_is_noticed(kind: type[ThreadProcesses]) -> None:
    expected, _ = trained(ALONE)
    assert distance(on_processes(2, kind, trained)[0][0], expected) > 1e-4


def test_gradients_by_hand() -> None:
    """Process 0 has gradient 1 and 2, process 1 has 10 and none."""

    def add(processes: Processes) -> tuple[list[float], float, list[int]]:
        first, second = torch.zeros(1, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
        first.grad = torch.tensor([1.0 if processes.index == 0 else 10.0])
        second.grad = torch.tensor([[2.0], [3.0]]) if processes.index == 0 else None
        loss, counts = processes.add_up(
            [first, second], torch.tensor(0.25 + processes.index), (7, 9)
        )
        assert second.grad is not None
        assert second.grad.shape == (2, 1)
        return (
            [*first.grad.tolist(), *second.grad.flatten().tolist()],
            float(loss),
            list(map(int, counts)),
        )

    assert on_processes(2, ThreadProcesses, add) == [([11.0, 2.0, 3.0], 1.5, [14, 18])] * 2


def test_rows_are_shared_and_put_together_again() -> None:
    rows = torch.arange(14, dtype=torch.float32).view(7, 2)

    def assemble(processes: Processes) -> Tensor:
        return processes.assemble(rows[processes.part(np.arange(7))], 7)

    assert [table.tolist() for table in on_processes(3, ThreadProcesses, assemble)] == [
        rows.tolist()
    ] * 3
    assert ALONE.assemble(rows, 7) is rows


def test_part_of_a_split() -> None:
    ids, offsets = np.arange(9, dtype=np.int32), np.array([0, 2, 5, 9])
    whole = TokenCorpus(ids, offsets, np.array([0, 1, 1]), 0)
    part = CorpusPart(whole, np.array([0, 2]))
    assert (len(part), part.lengths.tolist()) == (2, [2, 4])
    assert part.labels is not None
    assert part.labels.tolist() == [0, 1]
    assert part.batch(np.array([1])).token_ids.tolist() == [5, 6, 7, 8]


def test_random_numbers_of_a_step_differ_between_ranks_and_depend_on_nothing_before() -> None:
    def drawn(index: int, step: int, count: int = 2) -> list[float]:
        own = torch.Generator()
        Processes(Launch(index, count)).draw_for(step, 5, own)
        return [float(torch.rand(1)), float(torch.rand(1, generator=own))]

    first = drawn(0, 1)
    assert drawn(1, 1) != first
    assert drawn(0, 2) != first
    torch.rand(3)
    assert drawn(0, 1) == first
    torch.manual_seed(1)
    alone = drawn(0, 1, count=1)[0]
    torch.manual_seed(1)
    assert alone == float(torch.rand(1))


def test_a_signal_to_one_rank_is_one_to_all() -> None:
    def agree(processes: Processes) -> str | None:
        stop = StopRequest()
        stop.agree(processes.any)
        assert stop.signal is None
        stop.signal = "SIGTERM" if processes.index == 1 else None
        stop.agree(processes.any)
        return stop.signal

    assert on_processes(2, ThreadProcesses, agree) == ["a signal to another process", "SIGTERM"]


def test_apart_lasts_until_the_slowest() -> None:
    ended: list[int] = []

    def work(processes: Processes) -> list[int]:
        with processes.apart():
            if processes.index == 1:
                torch.rand(1)
                ended.append(1)
        return list(ended)

    assert on_processes(2, ThreadProcesses, work) == [[1], [1]]


def test_who_fails_apart_does_not_keep_the_others() -> None:
    def work(processes: Processes) -> str:
        try:
            with processes.apart():
                if processes.index == 1:
                    processes.table.barrier.abort()  # type: ignore[attr-defined]
                    raise ValueError("mine")
        except Exception as error:
            return type(error).__name__
        return "ended"

    assert on_processes(2, ThreadProcesses, work) == ["BrokenBarrierError", "ValueError"]
