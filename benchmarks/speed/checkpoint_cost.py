"""What checkpoints cost a training: time, bytes and memory, of the `ag_news` recipe with MiniLM.

    python benchmarks/speed/checkpoint_cost.py --steps 500

One training with the default of `training.checkpoint_every`, as its own record counts it. Time is
what the training stood still for copies and earlier writes; with the writing beside it, which takes
a processor, the upper limit. Memory is that of a copy on its way and its bytes as a file. Prints
one JSON line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from typing import Any

from library.results import record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, default=Path("../shared/ag_news/train.csv"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    options = parser.parse_args()
    if not options.train.is_file():
        sys.exit(f"error: {options.train}: no such file; give --train, columns text,label")
    settings = ["encoder=minilm", f"data.train={options.train}", "data.test=null"]
    settings += [f"training.max_steps={options.steps}", *options.extra]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "ranklet", "train", "ag_news", "--out", str(out)]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        about = json.loads((out / "environment.json").read_text(encoding="utf-8"))
    record("checkpoint_cost", {**figures(about), "set": settings[3:]})


def figures(about: dict[str, Any]) -> dict[str, float]:
    cost, seconds = about["checkpoints"], about["seconds"]
    size = cost["bytes"] / cost["written"]
    return {
        "seconds": round(seconds, 1),
        "checkpoints": cost["written"],
        "bytes_each": round(size),
        "waited_s": round(cost["waited_s"], 3),
        "writing_s": round(cost["writing_s"], 3),
        "time_share": round(cost["waited_s"] / seconds, 6),
        "time_share_with_writing": round((cost["waited_s"] + cost["writing_s"]) / seconds, 6),
        "peak_rss_mib": round(about["peak_memory_bytes"] / 2**20),
        "memory_share": round(2 * size / about["peak_memory_bytes"], 6),
    }


if __name__ == "__main__":
    main()
