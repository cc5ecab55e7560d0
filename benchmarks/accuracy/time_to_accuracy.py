"""Wall time from a csv to an evaluated classifier, beside transformers and peft at their best.

    python benchmarks/accuracy/time_to_accuracy.py --rows 4000 --seeds 0 1 2 3 4

Every run is a process of its own, timed from its start to its end: imports, tokenizing, training,
the answers on all test texts. Contenders take turns within a seed. The rival is the fastest way to
train that `speed/train_speed.py` found for it, a plain loop without validation, compiled or not (a
compiler takes minutes before it gains anything); its rate and epochs are chosen on held-out
training rows (`--choose`). ranklet runs the recipe `default`, which holds
out validation rows, tunes, and writes its whole run with report and certificate. Differences of
test accuracy are paired by seed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library import rival_training
from library.arms import Row, interval, read_rows
from library.results import record
from library.rival_training import Options
from library.sample_rows import ag_news_files, sample_rows

SCRIPT = Path(__file__).resolve()
BEST = Options(
    precision="bfloat16",
    bfloat16_adapters=True,
    grouped=True,
    attention="eager",
    kept_memory=True,
    compiled=True,
)
USUAL = rival_training.USUAL
OWN = {"ranklet": (), "ranklet int8": ("engine.products=int8",)}
RIVALS = {
    "transformers + peft, best": replace(BEST, compiled=False),
    "transformers + peft, compiled": BEST,
    "transformers + peft, usual": USUAL,
}
CHOICES = [(rate, epochs) for epochs in (2, 3) for rate in (5e-4, 1e-3, 2e-3)]


def main() -> None:
    options = parse()
    if options.rival:
        print(json.dumps(rival_training.train_and_evaluate(json.loads(options.rival))))
        return
    train, test = ag_news_files(options.data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = sample_rows(train, options.rows, folder)
        if options.choose:
            choose(train, folder)
            return
        rows = read_rows(options.out)
        for seed in options.seeds:
            for contender in options.contenders:
                job = {"contender": contender, "seed": seed, "rows": options.rows}
                job |= {"rate": options.rate, "epochs": options.epochs}
                if any(job.items() <= row.items() for row in rows):
                    continue
                rows.append(job | run(job, train, test, folder))
                with options.out.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(rows[-1]) + "\n")
                print(json.dumps(rows[-1]), flush=True)
    record("time_to_accuracy", {"contenders": summary(rows, options)})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("../shared/ag_news"))
    add("--rows", type=int, help="training rows; default: all")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    add("--contenders", nargs="+", default=[*OWN, next(iter(RIVALS))], choices=[*OWN, *RIVALS])
    add("--rate", type=float, default=1e-3, help="the rival's")
    add("--epochs", type=int, default=3, help="the rival's")
    add("--choose", action="store_true", help="only try rates and epochs on held-out rows")
    add("--out", type=Path, default=Path("time_to_accuracy.jsonl"), help="finished runs")
    add("--rival", help=argparse.SUPPRESS)
    return parser.parse_args()


def choose(train: Path, folder: Path) -> None:
    """Train the rival on four fifths of the rows and print what it is worth on the others."""
    head, *lines = train.read_text(encoding="utf-8").splitlines(keepends=True)
    cut = len(lines) * 4 // 5
    parts = {"kept": lines[:cut], "others": lines[cut:]}
    for part, own in parts.items():
        (folder / f"{part}.csv").write_text(head + "".join(own), encoding="utf-8")
    for rate, epochs in CHOICES:
        job: Row = {"contender": next(iter(RIVALS)), "seed": 0, "rate": rate, "epochs": epochs}
        found = run(job, folder / "kept.csv", folder / "others.csv", folder)
        print(json.dumps(job | found), flush=True)


def run(job: Row, train: Path, test: Path, folder: Path) -> Row:
    """Run a contender as a process and return its wall time and its accuracy on `test`."""
    if job["contender"] in OWN:
        out = folder / f"{job['contender']}-{job['seed']}"
        command = [sys.executable, "-m", "ranklet", "train", "default", "--out", str(out)]
        settings = [f"data.train={train}", f"data.test={test}", f"seed={job['seed']}"]
        for setting in (*settings, *OWN[job["contender"]]):
            command += ["--set", setting]
    else:
        rival = {
            **{name: job[name] for name in ("seed", "rate", "epochs")},
            "train": str(train),
            "test": str(test),
            "options": rival_training.as_json(RIVALS[job["contender"]]),
        }
        command = [sys.executable, str(SCRIPT), "--rival", json.dumps(rival)]
    started = time.perf_counter()
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    wall = time.perf_counter() - started
    found = own_figures(out) if job["contender"] in OWN else json.loads(ended.stdout)
    return {**found, "wall_s": round(wall, 1)}


def own_figures(out: Path) -> Row:
    about = json.loads((out / "environment.json").read_text(encoding="utf-8"))
    test = json.loads((out / "evaluation" / "test.json").read_text(encoding="utf-8"))
    return {"test": test["accuracy"], "training_s": round(about["seconds"], 1)}


def summary(rows: list[Row], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a line a contender; differences are its accuracy minus the first contender's."""
    by_name = {
        name: {row["seed"]: row for row in rows if row["contender"] == name}
        for name in options.contenders
    }
    first = by_name[options.contenders[0]]
    lines = []
    for name, own in by_name.items():
        seeds = [seed for seed in options.seeds if seed in own and seed in first]
        scores = [own[seed]["test"] for seed in seeds]
        line: dict[str, Any] = {
            "contender": name,
            "wall_s": statistics.median(own[seed]["wall_s"] for seed in seeds),
            "test": statistics.mean(scores),
            "deviation": statistics.stdev(scores) if len(scores) > 1 else None,
            "slower_by": statistics.median(
                own[seed]["wall_s"] / first[seed]["wall_s"] for seed in seeds
            ),
        }
        if own is not first:
            line["difference"] = interval([own[s]["test"] - first[s]["test"] for s in seeds])
        lines.append(line)
        print(json.dumps(line))
    return lines


if __name__ == "__main__":
    main()
