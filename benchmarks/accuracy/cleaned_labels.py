"""Wrong training labels: what `ranklet audit --fix` gives back of what they cost.

    python benchmarks/accuracy/cleaned_labels.py --data ../shared/ag_news

A share of the training labels is exchanged, by any other label (`random`) or between Business and
Sci/Tech (`confusable`), validation rows among them, since nobody would know which. The audit writes
cleaned copies of that file, without the likely errors or with the label it suggests. Test labels
are as they were.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from library.arms import Arm, Row, run_arms, table
from library.results import record
from library.sample_rows import ag_news_files, sample_rows
from library.wrong_labels import LABELS, exchanged

import ranklet

CLEAN, WRONG = "right labels", "wrong labels"
POLICIES = ("drop", "relabel")


def write_wrong(source: Path, share: float, kind: str, seed: int, folder: Path) -> Path:
    """Write a copy of a file in which `share` of the labels are wrong."""
    with source.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    labels = np.array([LABELS.index(row["label"]) for row in rows])
    path = folder / f"{kind}-{seed}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ("text", "label"), extrasaction="ignore")
        writer.writeheader()
        for row, label in zip(rows, exchanged(labels, share, kind, seed), strict=True):
            writer.writerow({**row, "label": LABELS[label]})
    return path


def regained(rows: list[Row], kind: str, policy: str) -> str:
    """Say how much of the loss by wrong labels a cleaned copy gives back, in points."""

    def mean(arm: str) -> float:
        return 100 * statistics.mean(row["test"]["accuracy"] for row in rows if row["arm"] == arm)

    lost = mean(CLEAN) - mean(f"{WRONG}, {kind}")
    back = mean(f"{policy}, {kind}") - mean(f"{WRONG}, {kind}")
    return f"{kind}: wrong labels cost {lost:.2f} points, {policy} gives back {back:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/ag_news"))
    parser.add_argument("--texts", type=int, help="training rows to draw; default: all")
    parser.add_argument("--test-texts", type=int, help="test rows to draw; default: all")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--kinds", nargs="+", default=["random", "confusable"])
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/cleaned_labels"))
    options = parser.parse_args()
    train_file, test_file = ag_news_files(options.data)
    train = sample_rows(train_file, options.texts, options.out)
    test = sample_rows(test_file, options.test_texts, options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []

    def train_on(arm: str, files: dict[int, Path]) -> None:
        rows.extend(
            run_arms(
                [Arm(arm)],
                lambda seed: [f"data.train={files[seed]}", f"data.test={test}", *options.extra],
                options.seeds,
                options.out / "results.jsonl",
            )
        )

    train_on(CLEAN, dict.fromkeys(options.seeds, train))
    for kind in options.kinds:
        wrong = {
            seed: write_wrong(train, options.share, kind, seed, options.out)
            for seed in options.seeds
        }
        train_on(f"{WRONG}, {kind}", wrong)
        for policy in options.policies:
            fixed = {seed: path.with_stem(f"{path.stem}-{policy}") for seed, path in wrong.items()}
            for seed, path in wrong.items():
                if not fixed[seed].is_file():
                    fix = ranklet.Fix(fixed[seed], label_errors=policy)
                    audit = ranklet.audit(path, fix=fix)
                    print(path.name, policy, audit.fixed, flush=True)
            train_on(f"{policy}, {kind}", fixed)
    print(table(rows, CLEAN))
    for kind in options.kinds:
        for policy in options.policies:
            print(regained(rows, kind, policy))
    record("cleaned_labels", {"runs": rows})


if __name__ == "__main__":
    main()
