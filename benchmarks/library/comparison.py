"""Contenders side by side: run in turn, then a table for people and a JSON line for each."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from library.measure import Job, Result, WorkerError, medians, run_worker, table
from library.results import record

Results = dict[str, list[Result]]
Rates = dict[str, float]


def run_in_turn(
    script: Path, jobs: Mapping[str, Job], repeats: int, device: str
) -> tuple[Results, Rates]:
    """Run every contender once, then all of them again, as often as asked.

    Args:
        script: The benchmark that does the jobs.
        jobs: The job of each contender; it is given a seed, and a folder if it names none.
        repeats: Rounds.
        device: Where the GEMM rate is measured, once a round.

    Returns:
        The results of each contender, and the best GEMM rate by dtype, FLOP/s. A contender that
        fails is told of and has no result for that round.
    """
    results: Results = {name: [] for name in jobs}
    rates: Rates = {}
    for repeat in range(repeats):
        found = run_worker(script, {"kind": "gemm", "device": device})
        rates = {name: max(rate, rates.get(name, 0.0)) for name, rate in found.items()}
        for name, job in jobs.items():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    result = run_worker(script, {"folder": folder, **job, "seed": repeat})
                except WorkerError as error:
                    print(f"repeat {repeat + 1} {name}: not measured: {error}", flush=True)
                    continue
            results[name].append(result)
            print(
                f"repeat {repeat + 1} {name}: {result['texts_per_s']:.2f} texts/s, "
                f"{result['texts']} texts in {result['seconds']:.2f} s",
                flush=True,
            )
    return results, rates


def compare(
    results: Results, rates: Rates, flops_per_token: Mapping[str, int], own: Sequence[str]
) -> dict[str, Result]:
    """Return medians by contender with what follows from them.

    Args:
        results: As `run_in_turn` returns them.
        rates: GEMM rates, FLOP/s; the best one is what every contender's share is of.
        flops_per_token: Work of each contender.
        own: Contenders that ratios may refer to; the first one measured is taken.
    """
    middle = {name: medians(found) for name, found in results.items() if found}
    base = next((middle[name]["texts_per_s"] for name in own if name in middle), None)
    return {
        name: {
            **result,
            "lowest_texts_per_s": min(each["texts_per_s"] for each in results[name]),
            "highest_texts_per_s": max(each["texts_per_s"] for each in results[name]),
            "gemm_share": flops_per_token[name] * result["tokens_per_s"] / max(rates.values()),
            "ranklet_is_faster_by": None if base is None else base / result["texts_per_s"],
        }
        for name, result in middle.items()
    }


def report(
    benchmark: str,
    title: str,
    columns: Mapping[str, str],
    figures: Mapping[str, Result],
    rates: Rates,
) -> None:
    """Print a table of some figures, and all of them as one JSON line for each contender."""
    speeds = ", ".join(f"{name} {rate / 1e12:.3f}" for name, rate in rates.items())
    print(f"\n{title}\nGEMM, TFLOP/s: {speeds}")
    rows = [
        (name, *(result.get(key) for key in columns.values())) for name, result in figures.items()
    ]
    print(table(("contender", *columns), rows))
    for name, result in figures.items():
        record(benchmark, {"contender": name, **result, "gemm_flops": rates})
