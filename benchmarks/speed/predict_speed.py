"""Prediction speed of ranklet against transformers and onnxruntime, side by side on one machine.

    python benchmarks/speed/predict_speed.py --encoder minilm --texts ../shared/ag_news/test.csv

One classifier, a LoRA adapter with a head on the encoder, trained (`--adapter RUN/adapter`) or both
random but not zero, is answered for by every contender: from texts to logits in the order of the
texts, tokenization included. Before anything is timed its logits are compared with transformers in
float32, and again in the timed answer. Each run is a process of its own; repeats are interleaved,
figures are medians.

    ranklet-merged    ranklet, adapters merged into the weights, its own choice of precision
    ranklet           the same, adapters beside the weights
    ranklet-int8      the same, frozen weights multiplied as with engine.products=int8
    ranklet-float32   the same in float32 (where that is not its own choice)
    transformers-*    merged weights, sdpa, inference mode, batches of near lengths, kept memory
    onnx-*            the merged model exported by torch.onnx, attention fused where onnxruntime
                      can; int8 is its dynamic quantisation

Latency is the median time of one text alone. The share of the GEMM rate is 2 FLOPs for each layer
weight and token over the best large matrix product of the same run.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library import prediction_contenders, prediction_models
from library.comparison import compare, report, run_in_turn
from library.measure import Job, Result, WorkerError, gemm_rates, run_worker, serve
from library.workload import prediction_flops, prepare_encoder, write_texts

SCRIPT = Path(__file__).resolve()

# How `ranklet.load` is asked for merged adapters.
MERGE = {"merge": True}

COLUMNS = {
    "texts/s": "texts_per_s",
    "lowest": "lowest_texts_per_s",
    "highest": "highest_texts_per_s",
    "tokens/s": "tokens_per_s",
    "share of GEMM": "gemm_share",
    "1 text, ms": "latency_ms",
    "peak RSS, MiB": "peak_rss_mib",
    "GPU, MiB": "peak_device_mib",
    "ranklet / it": "ranklet_is_faster_by",
    "dtype": "dtype",
    "logit error": "logit_error",
    "label agrees": "label_agreement",
}


def main() -> None:
    options = parse()
    if options.worker:
        serve(options.worker, WORKS)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder = run_worker(SCRIPT, encoder_job(options, folder))
        write_texts(options.texts, folder / "texts.csv", options.count, options.length)
        job = shared_job(options, encoder, folder)
        made = run_worker(SCRIPT, job | {"kind": "models"})
        print(f"reference: {made['labels_seen']} labels among {made['checked']} texts")
        jobs = chosen_jobs(options, job)
        results, rates = run_in_turn(SCRIPT, jobs, options.repeats, options.device)
    work = {name: prediction_flops(encoder) for name in jobs}
    figures = compare(results, rates, work, ["ranklet-merged", "ranklet"])
    report("predict_speed", f"{options.encoder}: {options.count} texts", COLUMNS, figures, rates)
    if len(figures) < len(jobs):
        sys.exit("error: not every contender was measured, see above")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--encoder", default="roberta-base", help="roberta-base (random weights), minilm, FOLDER")
    add("--tokenizer", type=Path, default=Path("../shared/roberta-base"))
    add("--adapter", type=Path, help="folder of a trained adapter; default: a random one")
    add("--checked", type=int, default=64, help="first texts whose logits are compared")
    add("--texts", type=Path, default=Path("../shared/ag_news/train.csv"))
    add("--count", type=int, default=1024, help="texts, the file repeated as often as needed")
    add("--latency-texts", type=int, default=50)
    add("--repeats", type=int, default=3)
    add("--batch-tokens", type=int, default=4096, help="of the rivals' batches, padding included")
    add("--max-length", type=int, default=128)
    add("--length", type=int, help="give every text this many tokens")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--contenders", help="comma-separated names; default: all that apply")
    add("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.texts.is_file():
        sys.exit(f"error: {options.texts}: no such file; give --texts, columns text,label")
    return options


def encoder_job(options: argparse.Namespace, folder: Path) -> Job:
    return {
        "kind": "encoder",
        "encoder": options.encoder,
        "tokenizer": str(options.tokenizer),
        "folder": str(folder / "encoder"),
    }


def shared_job(options: argparse.Namespace, encoder: Result, folder: Path) -> Job:
    return {
        "kind": "predict",
        "encoder": encoder["folder"],
        "texts": str(folder / "texts.csv"),
        "folder": str(folder),
        "max_length": options.length or options.max_length,
        "batch_tokens": options.batch_tokens,
        "latency_texts": options.latency_texts,
        "adapter": None if options.adapter is None else str(options.adapter),
        "checked": options.checked,
        "device": options.device,
    }


def chosen_jobs(options: argparse.Namespace, job: Job) -> dict[str, Job]:
    """Return the job of each contender that can run here."""
    able = run_worker(SCRIPT, {"kind": "abilities", "device": options.device})

    def own(precision: str, load: dict[str, Any]) -> Job:
        own_job = {"engine": "ranklet", "precision": precision, "load": load}
        return job | own_job | {"products": "float"}

    jobs = {"ranklet-merged": own("auto", MERGE)} if able["merge"] else {}
    jobs["ranklet"] = own("auto", {})
    if options.device == "cpu":
        jobs["ranklet-int8"] = own("auto", {}) | {"products": "int8"}
    if able["dtype"] != "float32":
        jobs["ranklet-float32"] = own("float32", {})
    for precision in ("float32", "bfloat16"):
        name = f"transformers-{precision}"
        jobs[name] = job | {"engine": "transformers", "precision": precision}
    if able["onnx"] and options.device == "cpu":
        jobs |= {
            f"onnx-{precision}": job | {"engine": "onnx", "precision": precision}
            for precision in ("float32", "int8")
        }
    wanted = options.contenders.split(",") if options.contenders else list(jobs)
    unknown = [name for name in wanted if name not in jobs]
    if unknown:
        sys.exit(f"error: --contenders {unknown[0]}: allowed here: {', '.join(jobs)}")
    if any(name.startswith("onnx") for name in wanted):
        try:
            made = run_worker(SCRIPT, job | {"kind": "onnx"})
            print(f"onnx: opset {made['opset']}, {made['fused_attentions']} attentions fused")
        except WorkerError as error:
            sys.exit(f"error: onnx export failed: {error}")
    return {name: jobs[name] for name in wanted}


def abilities(job: Job) -> Result:
    """Tell what this machine and this ranklet can do."""
    import torch

    import ranklet
    from ranklet.encoder.precision import choose_dtype

    dtype = choose_dtype("auto", torch.device(job["device"]))
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "merge": set(MERGE) <= set(inspect.signature(ranklet.load).parameters),
        "onnx": all(find_spec(name) for name in ("onnx", "onnxruntime")),
    }


WORKS = {
    "encoder": prepare_encoder,
    "models": prediction_models.write_models,
    "onnx": prediction_models.write_onnx,
    "abilities": abilities,
    "gemm": gemm_rates,
    "predict": prediction_contenders.predict_speed,
}

if __name__ == "__main__":
    main()
