"""Rare labels, 1 to 20: macro F1 with and without what is meant to help them.

    python benchmarks/accuracy/rare_labels.py --data ../shared/ag_news

Three sets, each drawn by seed: AG News and newsbites with two labels at a twentieth of the others,
and texts of one or two AG News beginnings that have the labels of both, with the same two rare.
Validation has the same proportions as training; test is balanced and chooses nothing. Of label sets
each run is also measured with all thresholds at 0.5 in place of the tuned ones.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.arms import Arm, Row, run_arms, table
from library.results import record
from library.sample_rows import ag_news_files

import ranklet
from ranklet.data.reading.named_sets import bundled_file
from ranklet.evaluation.label_sets import label_set_metrics
from ranklet.problem import MultiLabel
from ranklet.workflows.from_recipe.labelled_texts import read_labelled

RARE = ("Business", "Sci/Tech")
RATES = (1e-3, 3e-3)
PLAIN = Arm("plain", (), RATES)
ONE_LABEL = (
    PLAIN,
    Arm("balanced weights", ("training.class_weights=balanced",), RATES),
    Arm("balanced sampling", ("training.sampling=balanced",), RATES),
    Arm("square-root sampling", ("training.sampling=square_root",), RATES),
    Arm("focal", ("training.loss=focal",), RATES),
)
LABEL_SETS = (
    PLAIN,
    Arm("balanced weights", ("training.class_weights=balanced",), RATES),
    Arm("focal", ("training.loss=focal",), RATES),
)
Texts = list[tuple[str, str]]


def read_texts(path: Path) -> Texts:
    with path.open(newline="", encoding="utf-8") as stream:
        return [(row["text"], row["label"]) for row in csv.DictReader(stream)]


def draw(rows: Texts, common: int, chosen: random.Random) -> tuple[Texts, Texts]:
    """Draw `common` texts of each label, a twentieth of rare ones, and return the rest too."""
    drawn: Texts = []
    rest: Texts = []
    for label in sorted({label for _, label in rows}):
        own = [row for row in rows if row[1] == label]
        chosen.shuffle(own)
        count = max(1, common // 20) if label in RARE else common
        drawn += own[:count]
        rest += own[count:]
    chosen.shuffle(drawn)
    return drawn, rest


def joined(rows: Texts, words: int, chosen: random.Random) -> Texts:
    """Put the beginnings of two texts into every second one, with the labels of both."""
    texts: Texts = []
    for text, label in rows:
        beginning, labels = " ".join(text.split()[:words]), {label}
        if chosen.random() < 0.5:
            other, second = chosen.choice(rows)
            beginning, labels = (
                f"{beginning} {' '.join(other.split()[:words])}",
                labels | {second},
            )
        texts.append((beginning, "|".join(sorted(labels))))
    return texts


def write_texts(path: Path, rows: Texts) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return path


def make_set(
    train: Texts, test: Texts, sizes: tuple[int, int, int], seed: int, folder: Path, words: int
) -> list[str]:
    """Write train, validation and test of one seed and return the fields that name them."""
    common, validation, tested = sizes
    chosen = random.Random(seed)
    drawn, rest = draw(train, common, chosen)
    held, _ = draw(rest, validation, chosen)
    parts = {"train": drawn, "validation": held, "test": random.Random(0).sample(test, tested)}
    if words:
        parts = {name: joined(rows, words, chosen) for name, rows in parts.items()}
    return [
        f"data.{name}={write_texts(folder / f'{name}-{seed}.csv', rows)}"
        for name, rows in parts.items()
    ]


def untuned(run: ranklet.Run) -> Row:
    """Return the macro F1 on test with every threshold at 0.5, and with the tuned ones."""
    model = ranklet.load(run.folder)
    assert isinstance(model.problem, MultiLabel)
    section = ranklet.load_recipe(run.recipe).data
    assert section.test is not None
    split = read_labelled(section.test, "test", run, model.network)
    probabilities = model.predict_proba(split.texts)
    half = replace(model.problem, thresholds=(0.5,) * len(model.labels))
    return {
        f"macro_f1_{name}": label_set_metrics(probabilities, split.labels, problem)["macro_f1"]
        for name, problem in (("at_half", half), ("tuned", model.problem))
    }


def compare(
    name: str,
    arms: Sequence[Arm],
    make: Callable[[int], list[str]],
    options: argparse.Namespace,
    measure: Callable[[ranklet.Run], Row] = lambda run: {},
) -> list[Row]:
    files = {seed: make(seed) for seed in options.seeds}
    rows = run_arms(
        arms,
        lambda seed: [*files[seed], "training.label_smoothing=0.0", *options.extra],
        options.seeds,
        options.out / f"{name}.jsonl",
        metric="macro_f1",
        measure=measure,
    )
    print(f"\n{name}\n\n{table(rows, PLAIN.name, 'macro_f1')}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/ag_news"))
    parser.add_argument("--common", type=int, default=400, help="AG News texts of a common label")
    parser.add_argument("--test-texts", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/rare_labels"))
    options = parser.parse_args()
    train_file, test_file = ag_news_files(options.data)
    ag_news = [read_texts(path) for path in (train_file, test_file)]
    newsbites = [read_texts(bundled_file("newsbites", name)) for name in ("train", "test")]
    sizes = (options.common, options.common // 4, options.test_texts)
    make = partial(make_set, *ag_news, sizes)
    rows = compare(
        "ag_news", ONE_LABEL, lambda s: make(s, options.out / "ag_news", words=0), options
    )
    rows += compare(
        "newsbites",
        ONE_LABEL,
        lambda s: make_set(*newsbites, (100, 40, 160), s, options.out / "newsbites", words=0),
        options,
    )
    several = argparse.Namespace(**vars(options))
    several.extra = [*options.extra, "data.problem_type=multi_label_classification"]
    label_sets = compare(
        "label_sets",
        LABEL_SETS,
        lambda s: make(s, options.out / "label_sets", words=15),
        several,
        untuned,
    )
    for arm in LABEL_SETS:
        own = [row for row in label_sets if row["arm"] == arm.name]
        for figure in ("macro_f1_at_half", "macro_f1_tuned"):
            mean = 100 * sum(row[figure] for row in own) / len(own)
            print(f"{arm.name}: {figure} {mean:.2f} %")
    record("rare_labels", {"runs": [*rows, *label_sets]})


if __name__ == "__main__":
    main()
