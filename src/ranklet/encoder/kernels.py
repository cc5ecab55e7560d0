"""Which of several kernels for the same numbers this machine is faster with.

Libraries differ by up to a factor of four from processor to processor, and by the last bits of
their sums. So each question is timed once, briefly, when it first comes up; the answer is kept on
disk by processor, threads and version of PyTorch. A run writes down what it was computed with, and
goes on with that after an interruption. `RANKLET_KERNELS=fixed` times nothing and takes the first
kernel, which is the same on all machines.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from ranklet.cache import default_cache_folder, read_cached, write_cached
from ranklet.encoder.processor import processor_and_flags

Kernel = Callable[[], object]

logger = logging.getLogger(__name__)

ROUNDS = 5
LIMIT_S = 0.5

# A kernel takes the place of the first one if it needs this share of its time at most: two that
# are as fast are not to change places with the noise of the machine.
MUST_TAKE_AT_MOST = 0.9

# Of answers on disk; each file is smaller than a kilobyte, compiled kernels lie beside them.
MAX_BYTES = 2**26

# What this process was told or measured so far, by question.
_answers: dict[str, int] = {}


def fastest(question: str, kernels: Callable[[], Sequence[Kernel]]) -> int:
    """Return the index of the fastest of some kernels; the first unless another is clearly faster.

    Args:
        question: Names what is computed and all that its speed depends on but the machine.
        kernels: Returns them; they compute the same, each call anew.
    """
    return _answer(question, 0, lambda: _fastest(kernels()))


def faster_up_to(
    question: str, sizes: Sequence[int], fixed: int, kernels: Callable[[int], Sequence[Kernel]]
) -> int:
    """Return the largest size up to which the first of two kernels is not the slower one; or 0.

    Args:
        question: As of `fastest`.
        sizes: To be tried, ascending.
        fixed: The answer where nothing is to be timed.
        kernels: Returns the two for a size.
    """

    def measure() -> int:
        answer = 0
        for size in sizes:
            if _fastest(kernels(size)):
                break
            answer = size
        return answer

    return _answer(question, fixed, measure)


def answered_questions() -> dict[str, int]:
    """Return what this process computes with, by question."""
    return dict(_answers)


def take_answers(answers: Mapping[str, int]) -> None:
    """Compute with what was measured elsewhere or earlier, whatever is faster now."""
    _answers.update(answers)


def _answer(question: str, fixed: int, measure: Callable[[], int]) -> int:
    if question not in _answers:
        _answers[question] = fixed if _is_fixed() else _remembered(question, measure)
        logger.debug("kernel: %s: %d", question, _answers[question])
    return _answers[question]


def _is_fixed() -> bool:
    return os.environ.get("RANKLET_KERNELS") == "fixed"


def _remembered(question: str, measure: Callable[[], int]) -> int:
    path = _path()
    known = _read(path)
    if question not in known:
        # A first prediction asks too, and kernels may be timed with their gradients.
        with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices=[]):
            known[question] = measure()
        # Another process may have answered other questions meanwhile.
        write_cached(path, json.dumps(_read(path) | known).encode(), MAX_BYTES)
    return known[question]


def _path() -> Path:
    described = "\0".join(
        [processor_and_flags(), torch.__version__, str(torch.get_num_threads()), "1"]
    )
    name = hashlib.sha256(described.encode()).hexdigest()
    return default_cache_folder() / "kernels" / f"{name}.json"


def _read(path: Path) -> dict[str, int]:
    content = read_cached(path, lambda line: None)
    answers: dict[str, int] = {} if content is None else json.loads(content)
    return answers


def _fastest(kernels: Sequence[Kernel]) -> int:
    seconds = _seconds(kernels)
    best = seconds.index(min(seconds))
    return best if seconds[best] <= MUST_TAKE_AT_MOST * seconds[0] else 0


def _seconds(kernels: Sequence[Kernel]) -> list[float]:
    """Return the shortest time of each kernel; they take turns, so that noise meets all of them."""
    best = [float("inf")] * len(kernels)
    for kernel in kernels:
        kernel()  # the first call makes what later ones find
    end = time.perf_counter() + LIMIT_S
    for _ in range(ROUNDS):
        for index, kernel in enumerate(kernels):
            start = time.perf_counter()
            kernel()
            best[index] = min(best[index], time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    return best
