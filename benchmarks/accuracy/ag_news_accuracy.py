"""Accuracy of the `ag_news` recipe with MiniLM over several seeds, on official AG News test.

    python benchmarks/accuracy/ag_news_accuracy.py --train ../shared/ag_news/train.csv \
        --test ../shared/ag_news/test.csv --seeds 0 1 2

Each run is a process of its own, as a person would start it. Prints a table and one JSON line.
Test figures are reported only; every choice in the recipe was made on validation.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from typing import Any

from library.results import record

# Two-sided 95 % quantiles of Student's t for n - 1 degrees of freedom, n = 2 .. 6.
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571}


def run_seed(train: Path, test: Path, seed: int, out: Path, extra: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "ranklet", "train", "ag_news", "--out", str(out)]
    for setting in ("encoder=minilm", f"data.train={train}", f"data.test={test}", f"seed={seed}"):
        command += ["--set", setting]
    for setting in extra:
        command += ["--set", setting]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    about = json.loads((out / "environment.json").read_text(encoding="utf-8"))
    figures = {
        split: json.loads((out / "evaluation" / f"{split}.json").read_text(encoding="utf-8"))
        for split in ("validation", "test")
    }
    return {
        "seed": seed,
        "validation": figures["validation"]["accuracy"],
        "test": figures["test"]["accuracy"],
        "parameters": json.loads((out / "certificate.json").read_text(encoding="utf-8"))["counted"],
        "wall_s": round(wall, 1),
        "peak_rss_mib": about["peak_memory_bytes"] // 2**20,
        "precision": about["machine"]["precision"],
        "processor": about["machine"]["processor"],
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    scores = [row["test"] for row in rows]
    mean = statistics.mean(scores)
    deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
    half = T_95.get(len(scores), 1.96) * deviation / len(scores) ** 0.5
    return {
        "test_mean": round(mean, 4),
        "test_std": round(deviation, 4),
        "test_interval_95_over_seeds": [round(mean - half, 4), round(mean + half, 4)],
        "validation_mean": round(statistics.mean(row["validation"] for row in rows), 4),
        "longest_wall_s": max(row["wall_s"] for row in rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, default=Path("../shared/ag_news/train.csv"))
    parser.add_argument("--test", type=Path, default=Path("../shared/ag_news/test.csv"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    options = parser.parse_args()
    for path in (options.train, options.test):
        if not path.is_file():
            sys.exit(f"error: {path}: no such file; give --train and --test, columns text,label")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            out = Path(folder) / str(seed)
            rows.append(run_seed(options.train, options.test, seed, out, options.extra))
            print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
    record("ag_news_accuracy", {**summary(rows), "runs": rows})


if __name__ == "__main__":
    main()
