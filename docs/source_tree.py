"""The tree of src/ranklet in docs/explanation/architecture.md, from the first line of docstrings.

`python docs/source_tree.py` writes it anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ranklet"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
BLOCK = re.compile(r"(?<=\n```text\nsrc/ranklet/\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)


def first_line(path: Path) -> str:
    """Return the first line of a file's docstring without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].removesuffix(".")


def branches(folder: Path, stem: str = "") -> Iterator[tuple[str, str]]:
    """Yield every package and module below a folder: its branch of the tree, what it says it is."""
    inside = [path for path in folder.iterdir() if (path / "__init__.py").is_file()]
    inside += [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    for path in (inside := sorted(inside, key=lambda path: (path.is_file(), path.name))):
        last = path == inside[-1]
        branch = f"{stem}{'└' if last else '├'}── {path.name}"
        if path.is_dir():
            yield f"{branch}/", first_line(path / "__init__.py")
            yield from branches(path, stem + ("    " if last else "│   "))
        else:
            yield branch, first_line(path)


def source_tree() -> str:
    """Return the tree as lines of one width of names, without the root."""
    rows = [("├── __init__.py", first_line(PACKAGE / "__init__.py")), *branches(PACKAGE)]
    width = max(len(branch) for branch, _ in rows) + 2
    return "".join(f"{branch:<{width}}{words}\n" for branch, words in rows)


def page_with_tree() -> str:
    """Return the architecture page with its tree as it is now."""
    page, replaced = BLOCK.subn(lambda _: source_tree(), PAGE.read_text(encoding="utf-8"))
    assert replaced == 1, f"{PAGE} has {replaced} blocks that begin with src/ranklet/"
    return page


if __name__ == "__main__":
    PAGE.write_text(page_with_tree(), encoding="utf-8")
