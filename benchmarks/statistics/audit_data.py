"""What the audit finds of copies and wrong labels that were planted.

    python benchmarks/statistics/audit_data.py --data ../shared/ag_news
    python benchmarks/statistics/audit_data.py --data ../shared/ag_news --part copies
    python benchmarks/statistics/audit_data.py --near trec/train.csv sst2/train.csv

Copies: texts of test get 200 exact copies, 200 with 1 to 3 words substituted, deleted or
inserted, and 50 cut to their first 60 to 70 % in train. AG News holds near duplicates of its own,
wire reports that several papers printed. What is found beside the planted pairs is counted as
wrong, except for pairs that are found before anything is planted; those are written to
`own_pairs.txt`, the least alike first, for the eye.

Labels: 5, 10 and 20 % of the training labels are exchanged, by any other label (`random`) or
between Business and Sci/Tech (`confusable`). Rows that are wrong in AG News itself count as wrongly
flagged. Encoder states are computed once and kept in `--out`. Test labels play no part.

Near: in any files with the columns text and label, 20 % of the labels are exchanged as people do
it, each drawn from what a probe on the right labels gives to the other classes; the rows evenly
(`even`), or where the probe is less sure (`hard`), or none (`none`: what is named then are hard
texts or the file's own errors). `consensus` is what every view prunes by confident learning.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from library.results import record
from library.sample_rows import ag_news_files
from library.wrong_labels import LABELS, exchanged

from ranklet.data.audit.copies import find_copies, fingerprints
from ranklet.data.audit.label_errors import (
    find_label_errors,
    knows_labels,
    neighbour_probabilities,
    out_of_sample_probabilities,
    pruned,
    word_view,
)
from ranklet.data.examples import Examples
from ranklet.workflows._audit.states import frozen_states

KINDS = {"exact": 200, "near": 200, "truncated": 50}


def read(path: Path, count: int | None) -> tuple[list[str], list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[:count]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def edited(text: str, words: list[str], draw: random.Random) -> str:
    """Substitute, delete or insert 1 to 3 words."""
    parts = text.split()
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(parts))
        new = draw.choice(words)
        parts[place : place + 1] = draw.choice([[new], [], [new, parts[place]]])
    return " ".join(parts)


def cut(text: str, words: list[str], draw: random.Random) -> str:
    parts = text.split()
    return " ".join(parts[: round(draw.uniform(0.6, 0.7) * len(parts))])


def plant(test: list[str], words: list[str], seed: int) -> list[tuple[str, int, str]]:
    """Return (kind, test row, copy)."""
    draw = random.Random(seed)
    makers = {"exact": lambda text, *_: text, "near": edited, "truncated": cut}
    rows = iter(draw.sample(range(len(test)), sum(KINDS.values())))
    return [
        (kind, row, makers[kind](test[row], words, draw))
        for kind, count in KINDS.items()
        for row in (next(rows) for _ in range(count))
    ]


def unlabelled(texts: list[str]) -> Examples:
    return Examples(tuple(texts), None, tuple(range(len(texts))), "")


def measure_copies(train: list[str], test: list[str], seed: int, out: Path) -> dict[str, object]:
    before = find_copies(*fingerprints(*map(unlabelled, (train, test)))).copies
    own = sorted(before.items(), key=lambda item: max(item[1].resemblance, item[1].containment))
    with (out / "own_pairs.txt").open("w", encoding="utf-8") as stream:
        for row, copy in own:
            measures = f"resemblance {copy.resemblance:.2f} containment {copy.containment:.2f}"
            stream.write(f"{measures}\n  train {train[row]}\n  test  {test[copy.other]}\n")
    words = sorted({word for text in train for word in text.split()})
    planted = plant(test, words, seed)
    start = time.perf_counter()
    everything = [*train, *(text for _, _, text in planted)]
    prints = fingerprints(*map(unlabelled, (everything, test)))
    found = find_copies(*prints).copies
    held_out = find_copies(prints[1], prints[0]).copies
    seconds = time.perf_counter() - start
    hits = {kind: 0 for kind in KINDS}
    wrong = 0
    for number, (kind, row, _) in enumerate(planted, start=len(train)):
        copy = found.get(number)
        hits[kind] += copy is not None and copy.other == row
        wrong += copy is not None and copy.other != row
    new = [row for row in found if row < len(train) and row not in before]
    hit = sum(hits.values())
    return {
        "rows": f"{len(train) + len(planted)} x {len(test)}",
        "seconds": round(seconds, 1),
        "recall": {kind: hits[kind] / count for kind, count in KINDS.items()},
        "precision": hit / (hit + wrong + len(new)),
        "pairs of AG News itself": len(before),
        "test rows with a copy": len(held_out),
    }


def states_of(texts: list[str], encoder: str, out: Path) -> np.ndarray:
    path = out / f"states-{encoder.replace('/', '_')}-{len(texts)}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        np.save(path, frozen_states(encoder, tuple(texts), 128, "auto", "float32"))
    return np.load(path)


def measure_labels(
    texts: list[str],
    names: list[str],
    encoder: str | None,
    shares: list[float],
    seed: int,
    out: Path,
) -> list[dict[str, object]]:
    labels = np.array([LABELS.index(name) for name in names])
    words = word_view(texts)
    states = None if encoder is None else states_of(texts, encoder, out)
    rows: list[dict[str, object]] = []
    for kind in ("random", "confusable"):
        for share in shares:
            given = exchanged(labels, share, kind, seed)
            views = {"words": out_of_sample_probabilities(words, given)}
            if states is not None:
                views[f"{encoder}"] = out_of_sample_probabilities(states, given)
                views["neighbours"] = neighbour_probabilities(states, given)
            sets = {name: [view] for name, view in views.items()} | {"all": [*views.values()]}
            for name, chosen in sets.items():
                errors = find_label_errors(given, chosen)
                hits = (given != labels)[errors.rows]
                at = np.flatnonzero(hits.cumsum() >= 0.6 * (given != labels).sum())
                row = {
                    "kind": kind,
                    "share": share,
                    "views": name,
                    "flagged": len(errors.rows),
                    "precision": round(float(hits.mean()), 3),
                    "recall": round(float(hits.sum() / (given != labels).sum()), 3),
                    "precision at recall 0.6": round(hits[: at[0] + 1].mean(), 3)
                    if len(at)
                    else None,
                    "estimated": round(errors.share, 3),
                }
                print(json.dumps(row), flush=True)
                rows.append(row)
    return rows


def near_classes(
    labels: np.ndarray, probabilities: np.ndarray, share: float, kind: str, seed: int
) -> np.ndarray:
    """Exchange a share of the labels for near ones."""
    draw = np.random.default_rng(seed)
    every = np.arange(len(labels))
    others = probabilities.copy()
    others[every, labels] = 0.0
    others /= others.sum(axis=1, keepdims=True)
    weight = 1.05 - probabilities[every, labels] if kind == "hard" else np.ones(len(labels))
    wrong = labels.copy()
    for row in draw.choice(
        every, round(share * len(labels)), replace=False, p=weight / weight.sum()
    ):
        wrong[row] = draw.choice(others.shape[1], p=others[row])
    return wrong


def measure_near(path: Path, encoder: str, seed: int, out: Path) -> list[dict[str, object]]:
    texts, names = read(path, None)
    labels = np.unique(names, return_inverse=True)[1]
    states = states_of(texts, encoder, out / path.parent.name)
    words = word_view(texts)
    probe = out_of_sample_probabilities(states, labels)
    rows: list[dict[str, object]] = []
    for kind in ("none", "even", "hard"):
        given = labels if kind == "none" else near_classes(labels, probe, 0.2, kind, seed)
        kept = np.flatnonzero(np.bincount(given)[given] >= 5)
        given, truth = given[kept], labels[kept]
        code = np.unique(given, return_inverse=True)[1]
        views = [
            out_of_sample_probabilities(words[kept], code),
            out_of_sample_probabilities(states[kept], code),
            neighbour_probabilities(states[kept], code),
        ]
        telling = [view for view in views if knows_labels(code, view)]
        row: dict[str, object] = {"set": path.parent.name, "kind": kind, "views": len(telling)}
        flags = {"consensus": np.flatnonzero(np.all([pruned(code, v) for v in views], axis=0))}
        if telling:
            errors = find_label_errors(code, telling)
            flags["named"] = errors.rows
            row |= {
                "share": round(errors.share, 3),
                "interval": np.round(errors.interval, 3).tolist(),
            }
        is_wrong = given != truth
        for name, flagged in flags.items():
            hits = is_wrong[flagged].sum()
            row[name] = len(flagged)
            if kind != "none":
                row[f"{name} precision"] = round(float(hits / max(len(flagged), 1)), 3)
                row[f"{name} recall"] = round(float(hits / is_wrong.sum()), 3)
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/ag_news"))
    parser.add_argument("--part", choices=("copies", "labels", "all"), default="all")
    parser.add_argument("--texts", type=int, help="training rows, the first ones; default: all")
    parser.add_argument("--encoder", default="minilm", help="empty: words alone")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    parser.add_argument("--near", type=Path, nargs="+", metavar="FILE", help="these files instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/audit_data"))
    options = parser.parse_args()
    if options.near:
        near = [measure_near(f, options.encoder, options.seed, options.out) for f in options.near]
        record("audit_data", {"near": near})
        return
    train_file, test_file = ag_news_files(options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    train, labels = read(train_file, options.texts)
    if options.part != "labels":
        test, _ = read(test_file, None)
        copies = measure_copies(train, test, options.seed, options.out)
        record("audit_data", {"copies": copies})
    if options.part != "copies":
        encoder = options.encoder or None
        rows = measure_labels(train, labels, encoder, options.shares, options.seed, options.out)
        record("audit_data", {"labels": rows})


if __name__ == "__main__":
    main()
