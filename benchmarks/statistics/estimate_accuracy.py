r"""How far the accuracy that `ranklet estimate` expects is from the true one.

    python benchmarks/statistics/estimate_accuracy.py --data ../shared/ag_news --run runs/seed-0
    python benchmarks/statistics/estimate_accuracy.py --data ../shared/ag_news \
        --run runs/seed-0 --run runs/seed-1 --run runs/seed-2 --texts 2000

Each run estimates its accuracy on rows of test and on six shifts of them: three of kinds that the
estimate is fitted on, at other strengths, and three of kinds that it is not. `newsbites`, short
news texts from elsewhere with the same labels, come last. Labels are read afterwards, for the table
alone. Of several runs, which may differ by seed alone, the mean of the estimates is compared with
the mean of the true accuracies. `--held-out` takes rows of train that no run read instead of test:
what the method was chosen on.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from library.results import record
from library.sample_rows import ag_news_files

from ranklet import Run, load, load_recipe
from ranklet.data.perturbations import PERTURBATIONS
from ranklet.data.reading.named_sets import bundled_file
from ranklet.workflows._learn_shifts import expect_on_new, learn_shifts
from ranklet.workflows.from_recipe.own_validation import own_validation

Rows = Sequence[tuple[str, str]]
MISREAD = str.maketrans("oleasi", "01345!")


@dataclass(frozen=True)
class Found:
    """One estimate and the truth, 0..1."""

    run: str
    texts: str
    fitted: bool
    true: float
    accuracy: float
    interval: tuple[float, float]
    estimators: dict[str, float]
    warning: str | None


def shuffled(text: str, generator: random.Random) -> str:
    """Put the words of a text in any order."""
    words = text.split()
    generator.shuffle(words)
    return " ".join(words)


def misread(text: str, generator: random.Random) -> str:
    """Read one in five of the letters o l e a s i as the digit or sign that looks like it."""
    return "".join(
        letter.translate(MISREAD) if generator.random() < 0.2 else letter for letter in text
    )


def ending(text: str, generator: random.Random) -> str:
    """Keep the last half of the words."""
    words = text.split()
    return " ".join(words[len(words) // 2 :])


OTHER_KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "words in any order": shuffled,
    "letters misread, 0.2": misread,
    "only the last half": ending,
}
FITTED_KINDS = {"typos": 0.45, "word_drops": 0.5, "truncation": 0.7}


def sets_of(rows: Rows) -> dict[str, tuple[bool, Rows]]:
    """Return every set of texts by its name, and whether its kind is one that is fitted on."""
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    found: dict[str, tuple[bool, Rows]] = {"as they are": (True, rows)}
    for kind, strength in FITTED_KINDS.items():
        changed = PERTURBATIONS[kind](texts, strength, 17)
        found[f"{kind.replace('_', ' ')}, {strength}"] = (
            True,
            list(zip(changed, labels, strict=True)),
        )
    for name, change in OTHER_KINDS.items():
        generator = random.Random(17)
        changed = [change(text, generator) for text in texts]
        found[name] = (False, list(zip(changed, labels, strict=True)))
    other = [row for part in ("train", "test") for row in read(bundled_file("newsbites", part))]
    return {**found, "newsbites": (False, other)}


def read(path: Path) -> list[tuple[str, str]]:
    """Read texts and labels of a csv file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [(row["text"], row["label"]) for row in csv.DictReader(stream)]


def reported_rows(arguments: argparse.Namespace) -> Rows:
    """Return the rows to estimate on, drawn with a fixed seed."""
    train, test = ag_news_files(arguments.data)
    rows = read(train if arguments.held_out else test)
    if arguments.held_out:
        sources = {load_recipe(Run(run).recipe).data.train for run in arguments.run}
        seen = {text for source in sources for text, _ in read(Path(source))}
        rows = [row for row in rows if row[0] not in seen]
    return random.Random(3).sample(rows, min(arguments.texts, len(rows)))


def judge_run(run: Path, sets: dict[str, tuple[bool, Rows]]) -> list[Found]:
    """Estimate the accuracy of a run on every set, then look at the labels."""
    network = load(run, merge=True).network
    basis = learn_shifts(network, own_validation(Run(run)), 0, print)
    found = []
    for name, (fitted, rows) in sets.items():
        outputs = expect_on_new(network, basis, [text for text, _ in rows], lambda line: None)
        right = [
            network.labels.names[index] == label
            for index, (_, label) in zip(outputs.predicted, rows, strict=True)
        ]
        expected = outputs.expected
        each = Found(
            run=str(run),
            texts=name,
            fitted=fitted,
            true=float(np.mean(right)),
            accuracy=expected.accuracy,
            interval=expected.interval,
            estimators=dict(expected.estimators),
            warning=expected.warning,
        )
        print(f"{run} {name}: true {each.true:.4f}, expected {each.accuracy:.4f}", flush=True)
        found.append(each)
    return found


def table(found: Sequence[Found]) -> str:
    """Write a Markdown table, one row a set of texts; of several runs the means."""
    names = list(found[0].estimators)
    head = [
        "texts",
        "kind fitted on",
        "true",
        "expected",
        "95 % interval",
        "error",
        *names,
        "warned",
    ]
    lines = [head, ["---"] * len(head)]
    for texts in dict.fromkeys(each.texts for each in found):
        own = [each for each in found if each.texts == texts]
        true, expected = (fmean(getattr(each, key) for each in own) for key in ("true", "accuracy"))
        low, high = (fmean(each.interval[end] for each in own) for end in (0, 1))
        errors = [fmean(each.estimators[name] for each in own) - true for name in names]
        lines.append(
            [
                texts,
                "yes" if own[0].fitted else "no",
                f"{100 * true:.2f}",
                f"{100 * expected:.2f}",
                f"{100 * low:.1f} to {100 * high:.1f}",
                f"{100 * (expected - true):+.2f}",
                *(f"{100 * error:+.2f}" for error in errors),
                f"{sum(each.warning is not None for each in own)} of {len(own)}",
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of train.csv and test.csv")
    parser.add_argument("--run", type=Path, action="append", required=True, help="finished run")
    parser.add_argument("--texts", type=int, default=2000, help="rows to estimate on")
    parser.add_argument("--held-out", action="store_true", help="rows of train, not of test")
    parser.add_argument("--out", type=Path, help="JSON lines to write besides")
    arguments = parser.parse_args()
    sets = sets_of(reported_rows(arguments))
    every = [found for run in arguments.run for found in judge_run(run, sets)]
    if arguments.out is not None:
        lines = "".join(json.dumps(asdict(found)) + "\n" for found in every)
        arguments.out.write_text(lines, encoding="utf-8")
    for run in arguments.run:
        print(f"\n{run}\n\n{table([found for found in every if found.run == str(run)])}")
    if len(arguments.run) > 1:
        print(f"\nmean of {len(arguments.run)} runs\n\n{table(every)}")
    record("estimate_accuracy", {"estimates": [asdict(found) for found in every]})


if __name__ == "__main__":
    main()
