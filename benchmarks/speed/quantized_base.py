"""Training over frozen weights in few bits against full precision: memory, time and accuracy.

    python benchmarks/speed/quantized_base.py --data ../shared/ag_news --seeds 0 1 2
    python benchmarks/speed/quantized_base.py --ways none "int8 products" --seeds 0 1 2 3 4

`int8` and `nf4` keep the weights in few bits and multiply them in full; `int8 products` multiplies
in integers.

Every run is a process of its own and adds a JSON line to the results; what stands there already is
not run again. Differences of accuracy are paired by seed; test figures are reported only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

import torch
from library.arms import Row, read_rows
from library.results import record
from library.sample_rows import ag_news_files, sample_rows

import ranklet
from ranklet.encoder.config import read_config
from ranklet.encoder.quantization import frozen_bytes
from ranklet.encoder.source import EncoderSource
from ranklet.encoder.weights import load_encoder

WAYS = {
    "none": (),
    "int8": ("engine.quantization=int8",),
    "nf4": ("engine.quantization=nf4",),
    "int8 products": ("engine.products=int8",),
}


def run(job: Row, train: Path, test: Path, out: Path) -> Row:
    folder = out / f"{job['way']}-{job['seed']}"
    command = [sys.executable, "-m", "ranklet", "train", job["recipe"], "--out", str(folder)]
    for setting in (
        f"encoder={job['encoder']}",
        f"data.train={train}",
        f"data.test={test}",
        f"seed={job['seed']}",
        *WAYS[job["way"]],
        *job["set"],
    ):
        command += ["--set", setting]
    if not ranklet.Run(folder).is_finished:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = ranklet.open_run(folder)
    about = json.loads(found.environment.read_text(encoding="utf-8"))
    accuracy = {
        split: json.loads((found.evaluation / f"{split}.json").read_text(encoding="utf-8"))
        for split in ("validation", "test")
    }
    return {
        **job,
        **{split: figures["accuracy"] for split, figures in accuracy.items()},
        "seconds": round(about["seconds"], 1),
        "precision": about["machine"]["precision"],
    }


def frozen_share(encoder: str, quantization: Any) -> float | None:
    """Return the bytes of an encoder's frozen weights as a share of those in float32."""
    if quantization == "int8 products":
        return None
    folder = EncoderSource(encoder).folder
    config = read_config(folder)
    loaded = load_encoder(folder, config, torch.float32, quantization=quantization)
    share = frozen_bytes(loaded) / frozen_bytes(load_encoder(folder, config, torch.float32))
    return round(share, 4)


def show(rows: Sequence[Row], encoder: str) -> list[Row]:
    plain = {row["seed"]: row for row in rows if row["way"] == "none"}
    lines = []
    for way in WAYS:
        own = [row for row in rows if row["way"] == way]
        if not own:
            continue
        pairs = [100 * (r["test"] - plain[r["seed"]]["test"]) for r in own if r["seed"] in plain]
        scores = [100 * row["test"] for row in own]
        lines.append(
            {
                "way": way,
                "share_of_float32": frozen_share(encoder, way),
                "seeds": [row["seed"] for row in own],
                "test": round(statistics.mean(scores), 2),
                "std": round(statistics.stdev(scores), 2) if len(scores) > 1 else None,
                "difference": round(statistics.mean(pairs), 2) if pairs else None,
                "differences": [round(pair, 2) for pair in pairs],
                "seconds": statistics.median(row["seconds"] for row in own),
            }
        )
        print(json.dumps(lines[-1]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/ag_news"))
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--texts", type=int, help="training rows to draw; default: all")
    parser.add_argument("--test-texts", type=int, help="test rows to draw; default: all")
    parser.add_argument("--recipe", default="ag_news")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--out", type=Path, default=Path("runs/quantized_base"))
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    options = parser.parse_args()
    train_file, test_file = ag_news_files(options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    train = sample_rows(train_file, options.texts, options.out)
    test = sample_rows(test_file, options.test_texts, options.out)
    rows = read_rows(results)
    wanted = [
        {
            "encoder": options.encoder,
            "texts": options.texts,
            "test_texts": options.test_texts,
            "recipe": options.recipe,
            "set": options.extra,
            "way": way,
            "seed": seed,
        }
        for seed in options.seeds
        for way in options.ways
    ]
    chosen = []
    for job in wanted:
        held = next((row for row in rows if {name: row.get(name) for name in job} == job), None)
        if held is None:
            held = run(job, train, test, options.out)
            with results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(held) + "\n")
        chosen.append(held)
        print(json.dumps(held), flush=True)
    record("quantized_base", {"lines": show(chosen, options.encoder), "runs": chosen})


if __name__ == "__main__":
    main()
