"""Everything about speed on a GPU in one go, correctness first, within eight minutes.

    python benchmarks/speed/gpu_speed.py --tokenizer ../shared/roberta-base \
        --texts ../shared/ag_news/train.csv --out gpu_speed.json

In this order, each part in a process of its own:

    parity      logits and adapter gradients of every precision against float32 with reference
                attention on the same device; captured steps against the same steps launched
                singly; sabotaged twins must be refused
    gemm        rate of a large matrix product by dtype
    training    one epoch of 120,000 texts by `ranklet train`'s own workflow, after an epoch that
                warms up; the given file is repeated to that size; on a GPU once more without
                captured steps
    prediction  120,000 texts by ranklet, from texts and from token ids
    rivals      transformers + peft on the same device: a slice of the same epoch as people run it
                (A), with larger batches, and in configurations known to be fast (B); prediction

What fails or does not fit into the time is named in the JSON, which is written after every part.
`--device cpu --texts-limit 64 --steps 2` runs the whole course on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library import (
    own_parity,
    own_training,
    prediction_contenders,
    prediction_models,
    rival_training,
)
from library.measure import Job, Result, WorkerError, gemm_rates, machine, run_worker, serve, table
from library.results import record
from library.rival_training import USUAL, Options, as_json
from library.workload import prediction_flops, prepare_encoder, training_flops, write_texts

SCRIPT = Path(__file__).resolve()
EPOCH_TEXTS = 120_000
VALIDATION_TEXTS = 8

FAST = Options(precision="bfloat16", bfloat16_adapters=True, grouped=True, fused_optimizer=True)
USUAL_BATCH = 32


def main() -> None:
    options = parse()
    if options.worker:
        serve(options.worker, WORKS)
        return
    deadline = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as name:
        figures = measure(options, Path(name), deadline)
    print(table(("part", "texts/s", "tokens/s", "GEMM", "GPU, MiB", "note"), summary(figures)))
    record("gpu_speed", figures)
    print(f"written to {options.out}")
    if not figures["complete"]:
        sys.exit("error: not everything was measured or correct, see the notes")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--encoder", default="roberta-base", help="roberta-base (random weights), minilm, FOLDER")
    add("--tokenizer", type=Path, default=Path("../shared/roberta-base"))
    add("--texts", type=Path, default=Path("../shared/ag_news/train.csv"))
    add("--texts-limit", type=int, default=EPOCH_TEXTS, help="texts of an epoch")
    add("--steps", type=int, default=200, help="most measured steps of each rival")
    add("--batch-size", type=int, default=256, help="of ranklet and of all rivals but A")
    add("--max-length", type=int, default=128)
    add("--device", choices=("cuda", "cpu"), default="cuda")
    add("--minutes", type=float, default=8.0)
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="of ranklet's recipe")
    add("--out", type=Path, default=Path("gpu_speed.json"))
    add("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.texts.is_file():
        sys.exit(f"error: {options.texts}: no such file; give --texts, columns text,label")
    return options


def measure(options: argparse.Namespace, folder: Path, deadline: float) -> Result:
    """Run all parts in turn; each one's figures, or why there are none, are written at once."""
    figures: Result = {"machine": machine()}
    started = time.monotonic()
    encoder = run_worker(SCRIPT, encoder_job(options, folder))
    jobs = part_jobs(options, encoder, folder)
    for name, job in jobs.items():
        left = deadline - time.monotonic()
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as own:
            try:
                if left < 1:
                    raise WorkerError("no time left")
                figures[name] = run_worker(SCRIPT, {"folder": own, **job}, left)
            except WorkerError as error:
                figures[name] = {"error": str(error)}
        figures[name]["part_s"] = round(time.monotonic() - began, 1)
        print(f"{name}: {figures[name].get('error', 'done')} ({figures[name]['part_s']} s)")
        sys.stdout.flush()
        conclude(figures, encoder, options)
        figures["minutes"] = round((time.monotonic() - started) / 60, 2)
        write(options.out, figures)
    return figures


def encoder_job(options: argparse.Namespace, folder: Path) -> Job:
    return {
        "kind": "encoder",
        "encoder": options.encoder,
        "tokenizer": str(options.tokenizer),
        "folder": str(folder / "encoder"),
    }


def part_jobs(options: argparse.Namespace, encoder: Result, folder: Path) -> dict[str, Job]:
    """Return the job of each part, in their order, and write the texts they read."""
    write_texts(options.texts, folder / "epoch.csv", options.texts_limit, None)
    write_texts(options.texts, folder / "validation.csv", VALIDATION_TEXTS, None)
    shared = {
        "encoder": encoder["folder"],
        "texts": str(folder / "epoch.csv"),
        "validation": str(folder / "validation.csv"),
        "max_length": options.max_length,
        "batch_size": options.batch_size,
        "settings": options.set,
        "device": options.device,
        "layers": None,
        "seed": 0,
    }
    rival = shared | {
        "kind": "rival",
        "warmup_steps": 10 if options.device == "cuda" else 1,
        "max_steps": options.steps,
        "limit_s": 30.0,
    }
    models = folder / "models"
    models.mkdir()
    predict = shared | {
        "kind": "predict",
        "folder": str(models),
        "batch_tokens": 65_536 if options.device == "cuda" else 4096,
        "latency_texts": 20,
        "load": {},
    }
    autocast = replace(FAST, precision="autocast", bfloat16_adapters=False)
    jobs = {
        "device": {"kind": "device", "device": options.device},
        "gemm": {"kind": "gemm", "device": options.device},
        "parity": shared | {"kind": "parity"},
        "training": shared | {"kind": "own"},
        "training-uncaptured": shared
        | {"kind": "own", "settings": [*options.set, "engine.capture_steps=never"]},
        "models": predict | {"kind": "models"},
        "prediction": predict | {"engine": "ranklet", "precision": "auto"},
        "rival-A": rival | {"options": as_json(USUAL), "batch_size": USUAL_BATCH},
        "rival-A-large": rival | {"options": as_json(USUAL)},
        "rival-B": rival | {"options": as_json(FAST)},
        "rival-B-autocast": rival | {"options": as_json(autocast)},
        "rival-prediction": predict | {"engine": "transformers", "precision": "bfloat16"},
    }
    if options.device == "cuda":  # on a CPU the compiler alone takes minutes
        jobs["rival-B-compiled"] = rival | {"options": as_json(replace(FAST, compiled=True))}
    else:  # where nothing is captured
        del jobs["training-uncaptured"]
    return jobs


def conclude(figures: Result, encoder: Result, options: argparse.Namespace) -> None:
    """Add what follows from the parts so far: shares, ratios, the epoch's time."""
    rates = [figures.get("gemm", {}).get(name, 0.0) for name in ("float32", "bfloat16", "float16")]
    work = {True: training_flops(encoder, None, cached=False), False: prediction_flops(encoder)}
    for name, part in parts(figures).items():
        training = "prediction" not in name
        if any(rates):
            part["gemm_share"] = part["tokens_per_s"] * work[training] / max(rates)
    for name, part in parts(figures).items():
        if name.startswith("training"):
            part["epoch_s"] = EPOCH_TEXTS / part["texts_per_s"]
            part["epoch_is_extrapolated"] = part["texts"] != EPOCH_TEXTS
    figures["ratios"] = ratios(figures)
    figures["complete"] = all(
        "error" not in part for part in figures.values() if isinstance(part, dict)
    ) and bool(figures.get("parity", {}).get("passed"))


def parts(figures: Result) -> dict[str, Result]:
    return {
        name: part
        for name, part in figures.items()
        if isinstance(part, dict) and "tokens_per_s" in part
    }


def ratios(figures: Result) -> dict[str, float]:
    """Return how many times as fast ranklet is; predictions are compared from token ids on."""
    measured = parts(figures)
    found = {}
    for name, part in measured.items():
        predicts = "prediction" in name
        own = measured.get("prediction" if predicts else "training")
        if name.startswith("rival") and own is not None:
            key = "tokenized_texts_per_s" if predicts else "texts_per_s"
            found[name] = own[key] / part[key]
    return found


def summary(figures: Result) -> list[tuple[object, ...]]:
    """Return the rows of the table for people."""
    rows: list[tuple[object, ...]] = []
    for name, part in figures.items():
        if not isinstance(part, dict) or name in ("machine", "device", "gemm", "ratios", "models"):
            continue
        numbers = ("texts_per_s", "tokens_per_s", "gemm_share", "peak_device_mib")
        rows.append((name, *(part.get(key) for key in numbers), note(name, part, figures)))
    return rows


def note(name: str, part: Result, figures: Result) -> str:
    if "error" in part:
        return f"failed: {part['error']}"
    if name == "parity":
        return "passed" if part["passed"] else "FAILED, see the JSON"
    if name.startswith("training"):
        kind = ", extrapolated" if part["epoch_is_extrapolated"] else ""
        return f"epoch of {EPOCH_TEXTS:,} texts: {part['epoch_s']:.1f} s{kind}"
    if name == "prediction":
        return f"from token ids {part['tokenized_texts_per_s']:,.0f} texts/s"
    ratio = figures["ratios"].get(name)
    return "" if ratio is None else f"ranklet is {ratio:.1f} times as fast"


def describe_device(job: Job) -> Result:
    import torch

    if job["device"] != "cuda":
        return {"name": "cpu"}
    properties = torch.cuda.get_device_properties(0)
    capability = f"{properties.major}.{properties.minor}"
    return {
        "name": properties.name,
        "capability": capability,
        "memory_mib": properties.total_memory // 2**20,
        "cuda": torch.version.cuda,
    }


def write(path: Path, figures: Result) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


WORKS = {
    "device": describe_device,
    "encoder": prepare_encoder,
    "gemm": gemm_rates,
    "parity": own_parity.check_parity,
    "own": own_training.train,
    "models": prediction_models.write_models,
    "predict": prediction_contenders.predict_speed,
    "rival": rival_training.train,
}

if __name__ == "__main__":
    main()
