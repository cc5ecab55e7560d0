"""The Markdown files of the repository, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ranklet"
DOCS = ROOT / "docs"
README = ROOT / "README.md"
ARCHITECTURE = DOCS / "explanation" / "architecture.md"
RUN_FOLDER = DOCS / "reference" / "run-folder.md"
ERRORS = DOCS / "reference" / "errors.md"
FOLDERS = ("docs", "examples", "benchmarks", "src", "tests")
MARKDOWN = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(p for name in FOLDERS for p in (ROOT / name).rglob("*.md"))]
    if DOCS / "_build" not in path.parents
)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    path: Path
    line: int
    language: str
    content: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fenced_blocks() -> Iterator[Block]:
    for path in MARKDOWN:
        text = read(path)
        for match in FENCED.finditer(text):
            yield Block(path, text.count("\n", 0, match.start()) + 1, match[1], match[2])


BLOCKS = tuple(fenced_blocks())


def blocks(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def section(path: Path, title: str) -> str:
    return read(path).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_columns(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
