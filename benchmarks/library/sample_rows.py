"""The files of AG News, and parts of them that are the same for every run that asks."""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path


def ag_news_files(folder: Path) -> tuple[Path, Path]:
    """Return the files of AG News in a folder, or end the program if one is missing."""
    files = (folder / "train.csv", folder / "test.csv")
    for path in files:
        if not path.is_file():
            sys.exit(f"error: {path}: no such file; give --data, columns text,label")
    return files


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
