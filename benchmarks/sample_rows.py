"""A part of a CSV file, the same for every run that asks for it."""

from __future__ import annotations

import csv
import random
from pathlib import Path


def sample_rows(source: Path, count: int | None, folder: Path) -> Path:
    """Write `count` rows of a file, drawn with a fixed seed; None: the file itself."""
    if count is None:
        return source
    with source.open(newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{source.stem}-{count}.csv"
    with part.open("w", newline="", encoding="utf-8") as stream:
        drawn = random.Random(0).sample(rows, min(count, len(rows)))
        csv.writer(stream).writerows([head, *drawn])
    return part
