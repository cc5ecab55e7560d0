"""LoRA training speed of ranklet against transformers and peft, side by side on one machine.

    python benchmarks/speed/train_speed.py --encoder roberta-base \
        --tokenizer ../shared/roberta-base --texts ../shared/ag_news/train.csv \
        --steps 20 --repeats 3

Every contender trains LoRA r=8 on query, key and value and the classification head, over exactly
the same texts: one measured epoch of `--steps` batches, after a warm-up. Each run is a process of
its own; repeats are interleaved, figures are medians. The contenders:

    ranklet     `ranklet train`'s own workflow with its defaults, no dropout; the second epoch
    cached      the same, layers below the lowest adapter cached (only with --adapter-layers)
    all-layers  ranklet with adapters on every layer (only with --adapter-layers)
    int8        ranklet with engine.products=int8 (only on a CPU)
    A           transformers + peft as people run it: autocast bfloat16, dropout 0.1, shuffled
                batches padded to their longest text
    A32         A without autocast (only where the processor has no fast bfloat16: there A's
                autocast is emulated, and beating it would prove nothing)
    B           transformers + peft in the best configuration found by a short trial, printed
                first; `--best JSON` takes one that an earlier trial has found

The share of the GEMM rate is the same work for everybody, 2 FLOPs for each layer weight, token and
pass, over the best large matrix product of the same run, float32 or bfloat16. `--length 128` gives
all texts 128 tokens. Prints tables and one JSON line for each contender.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from shutil import which
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library import own_training, rival_training
from library.comparison import Results, compare, report, run_in_turn
from library.measure import Job, Result, WorkerError, gemm_rates, run_worker, serve, table
from library.rival_training import USUAL, USUAL_FLOAT32, Options, as_json
from library.workload import prepare_encoder, training_flops, write_texts

SCRIPT = Path(__file__).resolve()
TRIAL_LIMIT_S = 900.0
VALIDATION_TEXTS = 8  # enough to end an epoch of ranklet's workflow; not part of the measured time


def has_fast_bfloat16(job: Job) -> Result:
    import torch

    from ranklet.encoder.precision import choose_dtype

    return {"fast": choose_dtype("auto", torch.device(job["device"])) == torch.bfloat16}


def main() -> None:
    options = parse()
    if options.worker:
        serve(options.worker, WORKS)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder = ask(options, kind="encoder", folder=str(folder / "encoder"))
        job = write_work(options, encoder, folder)
        fast = ask(options, kind="fast-bfloat16")["fast"]
        contenders = chosen_contenders(options, fast)
        if "B" in contenders:
            contenders["B"]["options"] = best_options(options, job)
        jobs = {name: job | own for name, own in contenders.items()}
        results, rates = run_in_turn(SCRIPT, jobs, options.repeats, options.device)
    check_same_work(results)
    work = {name: training_flops(encoder, jobs[name]["layers"], name == "cached") for name in jobs}
    figures = compare(results, rates, work, ["ranklet", "int8"])
    report("train_speed", title(options, figures), COLUMNS, figures, rates)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--encoder", default="roberta-base", help="roberta-base (random weights), minilm, FOLDER")
    add("--tokenizer", type=Path, default=Path("../shared/roberta-base"))
    add("--texts", type=Path, default=Path("../shared/ag_news/train.csv"))
    add("--steps", type=int, default=20, help="measured optimizer steps, one epoch")
    add("--warmup-steps", type=int, default=3, help="of the rivals; ranklet's is a whole epoch")
    add("--repeats", type=int, default=3)
    add("--batch-size", type=int, default=32)
    add("--max-length", type=int, default=128)
    add("--length", type=int, help="give every text this many tokens")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--adapter-layers", type=lambda text: [int(part) for part in text.split(",")])
    add("--contenders", help="of ranklet,cached,all-layers,int8,A,A32,B; default: all that apply")
    add("--best", type=json.loads, help="options of B as JSON, as an earlier trial printed them")
    add("--trial-steps", type=int, default=4, help="steps of each trial for B")
    add("--compile", choices=("auto", "never"), default="auto", help="try torch.compile for B")
    add("--limit-s", type=float, default=300.0, help="measured seconds after which a rival stops")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="of ranklet's recipe")
    add("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.texts.is_file():
        sys.exit(f"error: {options.texts}: no such file; give --texts, columns text,label")
    return options


def ask(options: argparse.Namespace, **job: Any) -> Result:
    shared = {
        "encoder": options.encoder,
        "tokenizer": str(options.tokenizer),
        "device": options.device,
    }
    return run_worker(SCRIPT, shared | job)


def write_work(options: argparse.Namespace, encoder: Result, folder: Path) -> Job:
    """Write the texts and return what all jobs have in common."""
    write_texts(
        options.texts, folder / "texts.csv", options.steps * options.batch_size, options.length
    )
    write_texts(options.texts, folder / "validation.csv", VALIDATION_TEXTS, options.length)
    return {
        "encoder": encoder["folder"],
        "texts": str(folder / "texts.csv"),
        "validation": str(folder / "validation.csv"),
        "max_length": options.length or options.max_length,
        "batch_size": options.batch_size,
        "warmup_steps": options.warmup_steps,
        "device": options.device,
        "layers": options.adapter_layers,
        "limit_s": options.limit_s,
        "max_steps": options.steps,
        "seed": 0,
    }


def chosen_contenders(options: argparse.Namespace, fast_bfloat16: bool) -> dict[str, Job]:
    """Return what each contender's job has beyond the common part."""
    own = {"kind": "own", "settings": options.set}
    contenders: dict[str, Job] = {"ranklet": own}
    if options.adapter_layers:
        never, auto = ([f"engine.cache_frozen_layers={word}"] for word in ("never", "auto"))
        contenders["ranklet"] = {**own, "settings": [*options.set, *never]}
        contenders["cached"] = {**own, "settings": [*options.set, *auto]}
        contenders["all-layers"] = {**own, "layers": None}
    if options.device == "cpu":
        contenders["int8"] = {**own, "settings": [*options.set, "engine.products=int8"]}
    contenders["A"] = {"kind": "rival", "options": as_json(USUAL)}
    if not fast_bfloat16:
        contenders["A32"] = {"kind": "rival", "options": as_json(USUAL_FLOAT32)}
    contenders["B"] = {"kind": "rival", "options": options.best}
    wanted = options.contenders.split(",") if options.contenders else list(contenders)
    unknown = [name for name in wanted if name not in contenders]
    if unknown:
        sys.exit(f"error: --contenders {unknown[0]}: allowed here: {', '.join(contenders)}")
    return {name: contenders[name] for name in wanted}


def best_options(options: argparse.Namespace, job: Job) -> Job:
    """Return B's configuration, as given or found by a trial that is printed."""
    if options.best:
        return as_json(Options(**options.best))

    def run(tried: Options) -> Result:
        trial = {"kind": "rival", "options": as_json(tried), "max_steps": options.trial_steps}
        try:
            return run_worker(SCRIPT, job | trial, TRIAL_LIMIT_S)
        except WorkerError as error:
            raise RuntimeError(str(error)) from error

    has_compiler = any(which(name) for name in ("c++", "g++", "clang++"))
    best, trials = rival_training.find_best(run, options.compile == "auto" and has_compiler)
    print("Trial for B; a change stays if it is faster:")
    rows = [
        (name, None, None, result)
        if isinstance(result, str)
        else (name, result["texts_per_s"], result["peak_rss_mib"], result["configuration"])
        for name, _, result in trials
    ]
    print(table(("change", "texts/s", "MiB", "configuration"), rows))
    print(f"best: --best '{json.dumps(as_json(best))}'\n", flush=True)
    return as_json(best)


COLUMNS = {
    "texts/s": "texts_per_s",
    "lowest": "lowest_texts_per_s",
    "highest": "highest_texts_per_s",
    "tokens/s": "tokens_per_s",
    "share of GEMM": "gemm_share",
    "peak RSS, MiB": "peak_rss_mib",
    "GPU, MiB": "peak_device_mib",
    "steps": "steps",
    "ranklet / it": "ranklet_is_faster_by",
    "dtype": "dtype",
}


def title(options: argparse.Namespace, figures: dict[str, Result]) -> str:
    first = next(iter(figures.values()), {"tokens": 0, "texts": 1})
    mean = first["tokens"] / first["texts"]
    return f"{options.encoder}: {mean:.1f} tokens a text, batches of {options.batch_size}"


def check_same_work(results: Results) -> None:
    """Stop unless all contenders that were not cut short saw the same tokens."""
    runs = [(name, result) for name, found in results.items() for result in found]
    full = max((result["steps"] for _, result in runs), default=0)
    seen = {name: result["tokens"] for name, result in runs if result["steps"] == full}
    if len(set(seen.values())) > 1:
        sys.exit(f"error: the contenders did not see the same tokens: {seen}")
    for name, result in runs:
        if result["steps"] != full:
            print(f"note: {name} was stopped after {result['steps']} of {full} steps")


WORKS = {
    "encoder": prepare_encoder,
    "fast-bfloat16": has_fast_bfloat16,
    "gemm": gemm_rates,
    "own": own_training.train,
    "rival": rival_training.train,
}

if __name__ == "__main__":
    main()
