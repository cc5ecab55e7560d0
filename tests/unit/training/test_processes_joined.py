"""How processes come together and hand out work: threads, and a stand-in of torch.distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock, local
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from ranklet.errors import ProcessLostError, RunError
from ranklet.launch import Launch
from ranklet.training import processes as module
from ranklet.training.processes import ALONE, Processes, join_processes

COUNT = 2


class Exchange:
    """`torch.distributed` among threads; the thread of process 0 is the source of a broadcast."""

    def __init__(self) -> None:
        self.barrier, self.lock, self.own = Barrier(COUNT, timeout=20), Lock(), local()
        self.laid: list[Any] = []

    def _lay(self, value: Any) -> list[Any]:
        with self.lock:
            self.laid.append(value)
        self.barrier.wait()
        everything = list(self.laid)
        if self.barrier.wait() == 0:
            self.laid.clear()
        self.barrier.wait()
        return everything

    def all_reduce(self, tensor: Tensor) -> None:
        tensor.copy_(torch.stack(self._lay(tensor.clone())).sum(0))

    def broadcast(self, tensor: Tensor, src: int) -> None:
        assert src == 0
        values = dict(self._lay((self.own.index, tensor.clone())))
        tensor.copy_(values[0])

    def broadcast_object_list(self, message: list[Any], src: int, device: torch.device) -> None:
        assert (src, device.type) == (0, "cpu")
        message[:] = dict(self._lay((self.own.index, list(message))))[0]


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    exchange = Exchange()
    monkeypatch.setattr(module, "dist", exchange)
    return exchange


def on_threads(exchange: Exchange, work: Callable[[Processes], Any]) -> list[Any]:
    def run(index: int) -> Any:
        exchange.own.index = index
        return work(Processes(Launch(index, COUNT, local_index=index)))

    with ThreadPoolExecutor(COUNT) as threads:
        return list(threads.map(run, range(COUNT)))


def test_all_get_what_the_first_has(exchange: Exchange) -> None:
    def work(processes: Processes) -> tuple[str, list[float], list[list[float]]]:
        vector = torch.full((2,), 1.0 + processes.index)
        matrix = torch.full((1, 2), 5.0 + processes.index, dtype=torch.bfloat16)
        processes.align([vector, matrix])
        return processes.of_first(f"of {processes.index}"), vector.tolist(), matrix.tolist()

    assert on_threads(exchange, work) == [("of 0", [1.0, 1.0], [[5.0, 5.0]])] * 2


def test_a_process_by_itself_asks_nobody(exchange: Exchange) -> None:
    vector = torch.ones(2)
    ALONE.align([vector])
    assert ALONE.of_first("mine") == "mine"
    assert [ALONE.any(flag) for flag in (True, False)] == [True, False]
    assert ALONE.add_up([vector], vector.sum(), (3,)) == (vector.sum(), (3,))
    assert ALONE.in_turn(lambda: 7) == 7
    assert not exchange.laid


def test_work_is_handed_out_until_the_first_has_no_more(exchange: Exchange) -> None:
    def lead(processes: Processes) -> list[Any]:
        done: list[Any] = []
        with processes.leading():
            for work in ("a", "b"):
                with processes.together(work):
                    done.append((work, processes.any(False)))
        return done

    def follow(processes: Processes) -> list[Any]:
        done: list[Any] = []
        while (work := processes.next_work()) is not None:
            with processes.apart():
                pass
            done.append((work, processes.any(work == "b")))
        return done

    outcomes = on_threads(
        exchange, lambda processes: follow(processes) if processes.index else lead(processes)
    )
    assert outcomes == [[("a", False), ("b", True)]] * 2


def test_the_first_of_a_machine_works_before_the_others(exchange: Exchange) -> None:
    order: list[int] = []

    def work(processes: Processes) -> int:
        def note() -> int:
            order.append(processes.index)
            return processes.index

        return processes.in_turn(note)

    assert on_threads(exchange, work) == [0, 1]
    assert order == [0, 1]


def test_a_process_that_does_not_answer_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(tensor: Tensor) -> None:
        raise RuntimeError("[gloo/tcp.cc:12] Connection closed by peer\nsecond line")

    monkeypatch.setattr(dist, "all_reduce", fail)
    with pytest.raises(
        ProcessLostError,
        match=r"^process 1: another process .* does not answer \(Connection closed by peer\);",
    ):
        Processes(Launch(1, 2)).any(True)


def test_of_several_gpus_every_process_takes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert Processes(Launch(5, 8, local_index=1)).take_device(cuda) == cuda
    assert taken == [1]
    assert Processes(Launch(5, 8, local_index=1)).take_device(cpu) == cpu
    assert ALONE.take_device(cuda) == cuda
    assert taken == [1]
    with pytest.raises(RunError, match=r"^process 5: this machine has 2 GPUs and more processes"):
        Processes(Launch(5, 8, local_index=2)).take_device(cuda)


class Group:
    """Stand-in of a process group: what is begun and ended, with a store of this process alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[Any] = []
        self.store = dist.HashStore()

        def begin(backend: str, store: Any, rank: int, world_size: int, timeout: Any) -> None:
            self.events.append((backend, rank, world_size, timeout.total_seconds()))

        def meet(url: str, rank: int, world_size: int, timeout: Any) -> Iterator[Any]:
            assert url == "env://"
            yield self.store, rank, world_size

        monkeypatch.setattr(module, "rendezvous", meet)
        monkeypatch.setattr(dist, "init_process_group", begin)
        monkeypatch.setattr(dist, "destroy_process_group", lambda: self.events.append("ended"))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    return Group(monkeypatch)


def test_processes_join_for_the_time_of_the_block(group: Group) -> None:
    group.store.set("here-0", "yes")
    with join_processes(Launch(1, 2, timeout_s=7.5)) as processes:
        assert (processes.index, processes.count) == (1, 2)
        assert group.events == [("gloo", 1, 2, 7.5)]
    assert group.events[1:] == ["ended"]
    assert group.store.get("here-1") == b"yes"


def test_a_process_by_itself_joins_nothing(group: Group) -> None:
    with join_processes(Launch()) as processes:
        assert processes.count == 1
    assert group.events == []


def test_restarted_processes_meet_under_the_number_of_the_attempt(group: Group) -> None:
    group.store.set("attempt-2/here-0", "yes")
    with join_processes(Launch(1, 2, attempt=2, shares_store=True)):
        pass
    assert group.store.get("attempt-2/here-1") == b"yes"


def test_a_block_that_fails_ends_the_group_unless_a_gpu_may_wait_for_it(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.store.set("here-0", "yes")
    for has_gpu, events in ((False, [("gloo", 1, 2, 120.0), "ended"]), (True, [])):
        group.events.clear()
        monkeypatch.setattr(torch.cuda, "is_available", lambda has_gpu=has_gpu: has_gpu)
        with pytest.raises(ValueError, match="mine"), join_processes(Launch(1, 2)):
            raise ValueError("mine")
        expected = events or [("cpu:gloo,cuda:nccl", 1, 2, 120.0)]
        assert group.events == expected


def test_processes_that_do_not_come_are_lost(group: Group) -> None:
    with (
        pytest.raises(ProcessLostError, match=r"^process 1: did not come together \("),
        join_processes(Launch(1, 2, join_s=0.05)),
    ):
        pass
    assert group.events == []


def test_a_program_with_a_group_of_its_own_is_refused(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    with (
        pytest.raises(RunError, match=r"^torch\.distributed is in use; .* on 2 processes"),
        join_processes(Launch(0, 2)),
    ):
        pass
    assert group.events == []
