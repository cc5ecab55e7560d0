"""Wrong training labels: what robust losses keep of what cross-entropy loses.

    python benchmarks/accuracy/noisy_labels.py --data ../shared/ag_news

A share of the training labels is exchanged, validation rows among them, since nobody would know
which; test labels are as they were. `random` takes any other label, `confusable` the neighbour that
real annotators would take. Each arm's learning rate is chosen on (wrong) validation labels.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.arms import Arm, Row, run_arms, table
from library.results import record
from library.sample_rows import ag_news_files, sample_rows

CONFUSABLE = {
    "World": "Business",
    "Sports": "World",
    "Business": "Sci/Tech",
    "Sci/Tech": "Business",
}
RATES = (1e-3, 3e-3)
PLAIN = Arm("cross_entropy", (), RATES)
ROBUST = (
    Arm("generalized_cross_entropy", ("training.loss=generalized_cross_entropy",), RATES),
    Arm("soft_bootstrapping", ("training.loss=soft_bootstrapping",), RATES),
    Arm("hard_bootstrapping", ("training.loss=hard_bootstrapping",), RATES),
)


def exchange_labels(source: Path, kind: str, share: float, seed: int, folder: Path) -> Path:
    """Write a copy of a file in which `share` of the labels are wrong."""
    with source.open(newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    column, chosen = head.index("label"), random.Random(seed)
    for index in chosen.sample(range(len(rows)), round(share * len(rows))):
        label = rows[index][column]
        others = [name for name in CONFUSABLE if name != label]
        wrong = chosen.choice(others) if kind == "random" else CONFUSABLE[label]
        rows[index][column] = wrong
    path = folder / f"{kind}-{seed}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *rows])
    return path


def kept(rows: dict[str, list[Row]], kind: str, arm: str) -> str:
    """Say how much of the loss by wrong labels an arm has, in points of test accuracy."""
    clean = statistics.mean(row["test"]["accuracy"] for row in rows["clean"])

    def loss(name: str) -> float:
        own = [row["test"]["accuracy"] for row in rows[kind] if row["arm"] == name]
        return 100 * (clean - statistics.mean(own))

    return f"{kind}: {PLAIN.name} loses {loss(PLAIN.name):.2f} points, {arm} {loss(arm):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/ag_news"))
    parser.add_argument("--texts", type=int, help="training rows to draw; default: all")
    parser.add_argument("--test-texts", type=int, help="test rows to draw; default: all")
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/noisy_labels"))
    options = parser.parse_args()
    train_file, test_file = ag_news_files(options.data)
    train = sample_rows(train_file, options.texts, options.out)
    test = sample_rows(test_file, options.test_texts, options.out)
    shared = [f"data.test={test}", "training.label_smoothing=0.0", *options.extra]
    rows = {}
    for kind, arms in (
        ("clean", [PLAIN]),
        ("random", [PLAIN, *ROBUST]),
        ("confusable", [PLAIN, *ROBUST]),
    ):
        files = {
            seed: train
            if kind == "clean"
            else exchange_labels(train, kind, options.share, seed, options.out)
            for seed in options.seeds
        }
        rows[kind] = run_arms(
            arms,
            lambda seed, files=files: [f"data.train={files[seed]}", *shared],
            options.seeds,
            options.out / "results.jsonl",
        )
    for kind, own in rows.items():
        print(f"\n{kind}\n\n{table(own, PLAIN.name)}")
    for kind in ("random", "confusable"):
        for arm in ROBUST:
            print(kept(rows, kind, arm.name))
    record("noisy_labels", {"runs": rows})


if __name__ == "__main__":
    main()
