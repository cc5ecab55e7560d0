"""A small student of few labels, with and without teachers that read the texts without labels.

    python benchmarks/accuracy/distillation.py --data ../shared/ag_news

Teachers are trained on the same labelled rows as the student; the rest of the training file lends
its texts, not its labels. Validation rows are part of the labelled ones and the same for all.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.arms import Arm, figures, run_arms, table
from library.results import record
from library.sample_rows import ag_news_files, sample_rows

import ranklet

PLAIN = "labels alone"


def split_rows(source: Path, labelled: int, validation: int, folder: Path) -> dict[str, Path]:
    """Write `train.csv`, `validation.csv` and `unlabelled.csv` out of one file."""
    with source.open(newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    random.Random(0).shuffle(rows)
    parts = {
        "validation": rows[:validation],
        "train": rows[validation:labelled],
        "unlabelled": rows[labelled:],
    }
    text = head.index("text")
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            unlabelled = name == "unlabelled"
            csv.writer(stream).writerows(
                [["text"], *([row[text]] for row in part)] if unlabelled else [head, *part]
            )
    return {name: folder / f"{name}.csv" for name in parts}


def train_teacher(seed: int, settings: list[str], out: Path) -> Path:
    """Train the recipe's own placement, all layers, on the labelled rows."""
    folder = out / f"teacher-{seed}"
    if not ranklet.Run(folder).is_finished:
        ranklet.train(ranklet.load_recipe("ag_news", [*settings, f"seed={seed}"]), folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/ag_news"))
    parser.add_argument("--labelled", type=int, default=2000)
    parser.add_argument("--validation", type=int, default=400, help="of the labelled rows")
    parser.add_argument("--test-texts", type=int, help="test rows to draw; default: all")
    parser.add_argument("--budget", type=int, default=25_000)
    parser.add_argument("--teachers", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=5, help="of the student without a teacher")
    parser.add_argument("--taught-epochs", type=int, default=2, help="of the one with teachers")
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-3, 4e-3])
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    parser.add_argument(
        "--student", action="append", default=[], metavar="KEY=VALUE", help="for students alone"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/distillation"))
    options = parser.parse_args()
    train_file, test_file = ag_news_files(options.data)
    parts = split_rows(train_file, options.labelled, options.validation, options.out)
    test = sample_rows(test_file, options.test_texts, options.out)
    common = ["encoder=minilm", f"data.train={parts['train']}", f"data.test={test}"]
    common += [f"data.validation={parts['validation']}", *options.extra]
    teachers = [
        train_teacher(seed, [*common, "training.learning_rate=2e-3"], options.out)
        for seed in range(100, 100 + options.teachers)
    ]
    for teacher in teachers:
        print(f"{teacher.name}: test {figures(ranklet.open_run(teacher), 'test')}", flush=True)
    taught = (
        f"distillation.teacher=[{', '.join(map(str, teachers))}]",
        f"data.unlabelled={parts['unlabelled']}",
        f"training.epochs={options.taught_epochs}",
    )
    rates = tuple(options.rates)
    arms = [
        Arm(PLAIN, (f"training.epochs={options.epochs}",), rates),
        Arm("taught", taught, rates),
    ]
    student = [*common, f"budget={options.budget}", f"adapter.fit={options.budget}"]
    rows = run_arms(
        arms, lambda seed: [*student, *options.student], options.seeds, options.out / "runs.jsonl"
    )
    print(table(rows, PLAIN))
    record("distillation", {"runs": rows})


if __name__ == "__main__":
    main()
