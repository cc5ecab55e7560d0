"""How do ranklet and others do on sets of many kinds, with the same rows and the same encoder?

A set is a folder with `train.csv` and `test.csv`, columns `text,label`; labels with `|` between
them are several. Of more rows than are wanted, a seed draws some. Every cell of the table (set,
rows, seed, classifier) is one line of `cells.jsonl` in `--out`, with its probabilities beside it;
cells that are there are not computed again, so that a stopped table goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from library.classifiers import CLASSIFIERS

BINS = 15


@dataclass(frozen=True, eq=False)
class DataSet:
    """Texts and labels of one set; labels as indices, or as rows of 0 and 1."""

    names: tuple[str, ...]
    texts: list[str]
    labels: NDArray[np.int64]
    test_texts: list[str]
    test_labels: NDArray[np.int64]


def read_set(folder: Path) -> DataSet:
    """Read a set; goemotions-like cells `a|b` make it one of several labels a text."""
    columns = {part: _columns(folder / f"{part}.csv") for part in ("train", "test")}
    cells = columns["train"][1]
    if any("|" in cell for cell in cells):
        names = sorted({name for cell in cells for name in cell.split("|") if name})
        index = {name: at for at, name in enumerate(names)}

        def encode(labels: Sequence[str]) -> NDArray[np.int64]:
            rows = np.zeros((len(labels), len(names)), np.int64)
            for row, cell in enumerate(labels):
                for name in filter(None, cell.split("|")):
                    if name in index:
                        rows[row, index[name]] = 1
            return rows

    else:
        names = sorted(set(cells))
        index = {name: at for at, name in enumerate(names)}

        def encode(labels: Sequence[str]) -> NDArray[np.int64]:
            return np.array([index.get(label, -1) for label in labels], np.int64)

    (texts, labels), (test_texts, test_labels) = columns["train"], columns["test"]
    return DataSet(tuple(names), texts, encode(labels), test_texts, encode(test_labels))


def draw(data: DataSet, rows: int | None, shots: int | None, seed: int) -> NDArray[np.int64]:
    """Return the training rows of a cell: so many a class, so many in all, or every one."""
    generator = np.random.default_rng(1000 + seed)
    order = generator.permutation(len(data.texts))
    if shots is not None:
        chosen = [order[data.labels[order] == label][:shots] for label in range(len(data.names))]
        return np.sort(np.concatenate(chosen))
    if rows is None or rows >= len(data.texts):
        return np.arange(len(data.texts))
    return np.sort(order[:rows])


def figures(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy, macro F1 and expected calibration error (15 bins) in points."""
    from sklearn.metrics import f1_score

    if labels.ndim == 2:
        answers = (probabilities >= 0.5).astype(int)
        exact = float((answers == labels).all(1).mean())
        macro = float(f1_score(labels, answers, average="macro", zero_division=0))
        return {"accuracy": 100 * exact, "macro_f1": 100 * macro}
    answers = probabilities.argmax(1)
    right = answers == labels
    sure = probabilities.max(1)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = sum(abs(right[bins == at].sum() - sure[bins == at].sum()) for at in range(BINS)) / len(
        right
    )
    macro = f1_score(labels, answers, average="macro", labels=np.unique(labels), zero_division=0)
    return {
        "accuracy": 100 * float(right.mean()),
        "macro_f1": 100 * float(macro),
        "calibration_error": 100 * float(error),
    }


def main() -> None:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path, help="folders of sets")
    parser.add_argument("--classifiers", nargs="+", default=[*CLASSIFIERS], choices=CLASSIFIERS)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--rows", type=int, help="training rows; default: all")
    size.add_argument("--shots", type=int, help="training rows of each class")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoder", help="folder of MiniLM; default: that of the extra minilm")
    options = parser.parse_args()
    folder = options.encoder or _minilm()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "cells.jsonl"
    for seed in options.seeds:
        for source in options.sets:
            data = read_set(source)
            rows = draw(data, options.rows, options.shots, seed)
            for name in options.classifiers:
                size_name = f"{options.shots} a class" if options.shots else f"{len(rows)}"
                cell = {"set": source.name, "rows": size_name, "seed": seed, "classifier": name}
                if not _is_there(path, cell):
                    _fill(cell, data, rows, folder, path)


def _fill(
    cell: dict[str, object], data: DataSet, rows: NDArray[np.int64], folder: str, path: Path
) -> None:
    name, seed = str(cell["classifier"]), int(str(cell["seed"]))
    texts = [data.texts[row] for row in rows]
    started = time.perf_counter()
    probabilities = CLASSIFIERS[name](texts, data.labels[rows], data.test_texts, seed, folder)
    seconds = time.perf_counter() - started
    known = data.labels.shape[1] if data.labels.ndim == 2 else len(data.names)
    if probabilities.shape[1] < known:
        missing = known - probabilities.shape[1]
        probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
    line = {
        **cell,
        **{key: round(value, 3) for key, value in figures(probabilities, data.test_labels).items()},
        "seconds": round(seconds, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
    }
    stem = "-".join(str(cell[key]) for key in ("set", "rows", "seed", "classifier"))
    np.savez_compressed(path.parent / f"{stem}.npz", probabilities=probabilities.astype(np.float16))
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def _is_there(path: Path, cell: dict[str, object]) -> bool:
    if not path.is_file():
        return False
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return any(all(line[key] == value for key, value in cell.items()) for line in lines)


def _columns(path: Path) -> tuple[list[str], list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def _minilm() -> str:
    from ranklet.encoder.source import EncoderSource

    return str(EncoderSource("minilm").folder)


if __name__ == "__main__":
    main()
