"""What the audit finds of copies and wrong labels that were planted.

    python benchmarks/statistics/audit_data.py --data ../shared/ag_news
    python benchmarks/statistics/audit_data.py --data ../shared/ag_news --part copies

Copies: texts of test get 200 exact copies, 200 with 1 to 3 words substituted, deleted or
inserted, and 50 cut to their first 60 to 70 % in train. AG News holds near duplicates of its own,
wire reports that several papers printed. What is found beside the planted pairs is counted as
wrong, except for pairs that are found before anything is planted; those are written to
`own_pairs.txt`, the least alike first, for the eye.

Labels: 5, 10 and 20 % of the training labels are exchanged, by any other label (`random`) or
between Business and Sci/Tech (`confusable`). Rows that are wrong in AG News itself count as wrongly
flagged. Encoder states are computed once and kept in `--out`. Test labels play no part.
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
    neighbour_probabilities,
    out_of_sample_probabilities,
    word_view,
)
from ranklet.data.examples import Examples
from ranklet.workflows._audit.labels import frozen_states

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
    before = find_copies(*fingerprints(*map(unlabelled, (train, test))))
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
    found = find_copies(*prints)
    held_out = find_copies(prints[1], prints[0])
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
                    "estimated": round(errors.noise, 3),
                }
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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/audit_data"))
    options = parser.parse_args()
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
