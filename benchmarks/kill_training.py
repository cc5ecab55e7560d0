"""Trainings killed at random moments and started again by the same command, until they finish.

    python benchmarks/kill_training.py --runs 8 --kills 40

Every start is `ranklet train RECIPE --out RUN`, a process of its own, on a small random encoder. A
share of the SIGKILLs is aimed at the writing of a checkpoint, another falls anywhere from the start
of the process on, the rest into the training. The adapter of every run that was killed is compared
byte for byte with that of a run with the same options that was not. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

WORDS = {
    "Sports": ["team", "goal", "match", "coach", "player", "league", "cup", "race"],
    "World": ["minister", "treaty", "border", "capital", "election", "envoy", "vote", "army"],
}
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "a",
    *WORDS["Sports"],
    *WORDS["World"],
]
CONFIG = {
    "model_type": "bert",
    "vocab_size": len(VOCABULARY),
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-6,
    "pad_token_id": 0,
}
RECIPE = """\
encoder: encoder
budget: 100_000
head_dropout: 0.1
data: {train: train.csv, test: test.csv, max_length: 24, validation: 60}
adapter: {rank: 8, target_modules: all-linear, dropout: 0.1}
training: {epochs: 12, batch_size: 16, checkpoint_every: 3, evaluate_every: 20, learning_rate: 2e-3}
engine: {device: cpu, precision: float32}
"""
VARIANTS = (
    (),
    ("training.gradient_accumulation_steps=2", "training.token_dropout=0.1"),
    ("adapter.layers=[2, 3]", "adapter.dropout=0", "head_start=ridge"),
    ("training.checkpoint_every=null", "training.evaluate_every=5", "adapter.bias=lora_only"),
)
TEMPORARY = ".ranklet-*.tmp"
CASES = ("save", "start", "training")


@dataclass
class Found:
    """What a benchmark has counted.

    Attributes:
        kills: SIGKILLs by what they were aimed at.
        in_save: Of these, those that left a half-written checkpoint.
        failures: Exit codes and messages of starts that neither finished nor were killed.
        continued: Starts that went on from a checkpoint.
        identical: Runs whose adapter and certificate equal those of the undisturbed one.
        runs: Runs finished.
    """

    kills: Counter[str] = field(default_factory=Counter)
    in_save: int = 0
    failures: list[str] = field(default_factory=list)
    continued: int = 0
    identical: int = 0
    runs: int = 0


def write_workplace(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from ranklet.encoder.bert import Encoder
    from ranklet.encoder.config import read_config

    encoder_folder = folder / "encoder"
    encoder_folder.mkdir()
    (encoder_folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (encoder_folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    torch.manual_seed(1)
    encoder = Encoder(read_config(encoder_folder), with_pooler=True)
    for table in (part for part in encoder.modules() if isinstance(part, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    tensors = {f"bert.{name}": tensor for name, tensor in encoder.state_dict().items()}
    save_file(tensors, encoder_folder / "model.safetensors")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    for name, rows in (("train.csv", 300), ("test.csv", 40)):
        (folder / name).write_text(texts(rows, seed=rows), encoding="utf-8")


def texts(rows: int, seed: int) -> str:
    drawn = random.Random(seed)
    lines = ["text,label"]
    for row in range(rows):
        label = drawn.choice(sorted(WORDS))
        words = [drawn.choice([*WORDS[label], "the", "a"]) for _ in range(drawn.randint(4, 18))]
        lines.append(f"{' '.join(words)} {row},{label}")
    return "\n".join(lines) + "\n"


def start(folder: Path, out: str, settings: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ranklet", "train", "recipe.yaml", "--out", out]
    for setting in settings:
        command += ["--set", setting]
    environment = {**os.environ, "RANKLET_CACHE": str(folder / "cache")}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_somewhere(
    process: subprocess.Popen[str], run: Path, case: str, seconds: float, drawn: random.Random
) -> bool:
    """Kill a training as its case says; False if it ended before."""
    checkpoints, metrics = run / "checkpoints", run / "metrics.jsonl"
    if case == "training":
        size = metrics.stat().st_size if metrics.exists() else 0
        wait_until(process, lambda: metrics.exists() and metrics.stat().st_size != size)
    if case == "save":
        for _ in range(drawn.randint(1, 8)):
            wait_until(process, lambda: not any(checkpoints.glob(TEMPORARY)))
            wait_until(process, lambda: any(checkpoints.glob(TEMPORARY)))
        seconds = 0.01
    ends = time.monotonic() + drawn.uniform(0, seconds)
    wait_until(process, lambda: time.monotonic() >= ends)
    alive = process.poll() is None
    process.kill()
    return alive


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    while process.poll() is None and not ready():
        time.sleep(0.0005)


def run_until_finished(
    folder: Path,
    out: str,
    settings: tuple[str, ...],
    kills: int,
    seconds: dict[str, float],
    shares: tuple[float, float, float],
    drawn: random.Random,
    found: Found,
) -> None:
    run, left = folder / out, kills
    while not (run / "certificate.json").exists():
        process = start(folder, out, settings)
        if left:
            case = drawn.choices(CASES, shares)[0]
            if kill_somewhere(process, run, case, seconds.get(case, 0.0), drawn):
                left -= 1
                found.kills[case] += 1
        said = process.communicate()[1]
        found.continued += "continues after step" in said
        found.in_save += process.returncode == -9 and any((run / "checkpoints").glob(TEMPORARY))
        if process.returncode not in (0, -9):
            found.failures.append(f"{process.returncode}: {said.splitlines()[-1:]}")
            return
    found.runs += 1


def same(one: Path, other: Path) -> bool:
    names = ("adapter/adapter_model.safetensors", "certificate.json")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8, help="at least, default 8")
    parser.add_argument("--kills", type=int, default=40, help="default 40")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in-save", type=float, default=0.4, metavar="SHARE")
    parser.add_argument("--from-start", type=float, default=0.15, metavar="SHARE")
    options = parser.parse_args()
    shares = (options.in_save, options.from_start, 1 - options.in_save - options.from_start)
    drawn, found, started = random.Random(options.seed), Found(), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_workplace(folder)
        seconds: dict[int, dict[str, float]] = {}
        while found.runs < options.runs or found.kills.total() < options.kills:
            number = found.runs
            variant = number % len(VARIANTS)
            if variant not in seconds:
                seconds[variant] = undisturbed(folder, variant)
            runs_left = max(options.runs - number, 1)
            kills = -(-(options.kills - found.kills.total()) // runs_left)
            settings, out = VARIANTS[variant], f"run-{number}"
            run_until_finished(folder, out, settings, kills, seconds[variant], shares, drawn, found)
            if found.failures:
                break
            identical = same(folder / out, folder / f"undisturbed-{variant}")
            found.identical += identical
            print(out, dict(found.kills), f"identical={identical}", flush=True)
            shutil.rmtree(folder / out)
    figures = {
        "benchmark": "kill_training",
        "runs": found.runs,
        "identical": found.identical,
        "kills": found.kills.total(),
        "aimed_at": dict(found.kills),
        "left_a_half_written_checkpoint": found.in_save,
        "starts_that_continued": found.continued,
        "failures": found.failures,
        "seed": options.seed,
        "seconds": round(time.monotonic() - started),
    }
    print(json.dumps(figures))
    sys.exit(0 if found.identical == found.runs and not found.failures else 1)


def undisturbed(folder: Path, variant: int) -> dict[str, float]:
    """Train without a kill; return the seconds in which those of each case are to fall."""
    began = time.monotonic()
    process = start(folder, f"undisturbed-{variant}", VARIANTS[variant])
    said = process.communicate()[1]
    if process.returncode:
        sys.exit(f"the undisturbed training failed: {said}")
    about = json.loads((folder / f"undisturbed-{variant}" / "environment.json").read_text())
    return {"start": time.monotonic() - began, "training": about["seconds"]}


if __name__ == "__main__":
    main()
