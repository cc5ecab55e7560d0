"""What kind of file it is: by its suffix, or by its first bytes where these leave no doubt."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Literal

from ranklet.errors import DataError
from ranklet.vocabulary import DATA_SUFFIXES

Format = Literal[
    "csv",
    "tsv",
    "delimited",
    "lines",
    "json",
    "jsonl",
    "fasttext",
    "parquet",
    "arrow",
    "xlsx",
    "pickle",
]

BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "lines",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".ft": "fasttext",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".xlsx": "xlsx",
    ".pkl": "pickle",
    ".pickle": "pickle",
}
BY_START: dict[bytes, Format] = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
    b"__label__": "fasttext",
}
# Suffixes that say no more than that there is text in the file.
PLAIN_SUFFIXES = ("", ".txt", ".text", ".data", ".dat", ".label", ".lst")
REFUSED_STARTS = {
    b"\xd0\xcf\x11\xe0": "is an old Excel file; save it as .xlsx or .csv",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file; fetch it with git lfs pull",
    b"%PDF": "is a PDF; save its table as .csv",
    b"{\\rtf": "is rich text; save it as plain text in UTF-8",
    b"SQLite format 3": "is an SQLite database; export its table as .csv",
    b"FEA1": "is a feather file of version 1; write it again with pyarrow",
    b"\x93NUMPY": "is a NumPy array; write texts and labels as .csv or .jsonl",
    b"\x89HDF": "is an HDF5 file; write its table as .parquet or .csv",
    b"<!doctype html": "is a web page, perhaps an error page in place of the file; fetch it again",
    b"<html": "is a web page, perhaps an error page in place of the file; fetch it again",
}
FOREIGN_SUFFIXES = {
    ".xls": "save it as .xlsx or .csv",
    ".ods": "save it as .xlsx or .csv",
    ".npy": "write texts and labels as .csv or .jsonl",
    ".npz": "write texts and labels as .csv or .jsonl",
    ".xml": "write texts and labels as .csv or .jsonl",
    ".tar": "unpack it and name the file or the folder",
    ".tgz": "unpack it and name the file or the folder",
    ".7z": "unpack it and name the file or the folder",
    ".rar": "unpack it and name the file or the folder",
}
"""Files that people bring and that are not read -> what to do with them."""


def format_of(name: str, start: bytes, source: str) -> Format:
    """Return the format of a file that is not compressed.

    Args:
        name: Its name, for the suffix.
        start: Its first bytes.
        source: What messages call it.

    Raises:
        DataError: Its content is of a kind that is not read, or neither suffix nor content say what
            it is.
    """
    suffix = PurePath(name).suffix.lower()
    known = BY_SUFFIX.get(suffix)
    if known == "pickle":
        return known  # whose reader names what else a file may be
    for mark, problem in REFUSED_STARTS.items():
        if start.lstrip()[: len(mark)].lower() == mark.lower():
            raise DataError(problem, source)
    if known == "xlsx" or (known in ("json", "jsonl") and not _is_binary(start)):
        return known
    for mark, kind in BY_START.items():
        if start.startswith(mark):
            return kind
    if known in (None, "csv", "tsv", "lines") and _is_json(start):
        return "json"
    if known is not None:
        return known
    if suffix in PLAIN_SUFFIXES or suffix.removeprefix(".").isdigit():
        return "lines"
    message = FOREIGN_SUFFIXES.get(suffix, f"allowed are {', '.join(DATA_SUFFIXES)}")
    raise DataError(f"unknown suffix {suffix!r}; {message}", source)


def _is_binary(start: bytes) -> bool:
    return any(start.startswith(mark) for mark in BY_START)


def _is_json(start: bytes) -> bool:
    """Tell whether the first line is a JSON object, or an array of such begins."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] == b"{"
    try:
        return isinstance(json.loads(text.split(b"\n", 1)[0]), dict)
    except (ValueError, RecursionError):
        return False
