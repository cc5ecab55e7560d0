"""How the pages become a site: `make docs`. Every warning is an error, nothing is fetched."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import ranklet

HERE = Path(__file__).parent
ROOT = HERE.parent
# Pages that lie in the repository's root, where a code host shows them, and their place here.
ROOT_PAGES = {
    "README.md": "index",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "developers/contributing",
}

project = "ranklet"

release = ranklet.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
highlight_language = "text"

html_theme = "furo"
html_title = f"ranklet {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

# A title has the anchor that a code host gives it, so one link serves both.
myst_heading_anchors = 4

default_role = "literal"  # docstrings write `name` as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
# Links to what is public are checked; types of other packages and of the rooms have no page here.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!ranklet\b).*"),
    (r"py:.*", r"ranklet\.\w+\..*"),
]
napoleon_numpy_docstring = False
napoleon_use_ivar = True

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def put_in_root_page(app: Any, docname: str, source: list[str]) -> None:
    """Replace `<!-- README.md -->` by that file; let its links lead to the same from here."""
    file = HERE / f"{docname}.md"
    for name, page in ROOT_PAGES.items():
        if page == docname:
            file = ROOT / name
            app.env.note_dependency(file, docname=docname)  # or a change of it would not be seen
            source[0] = source[0].replace(f"<!-- {name} -->", file.read_text(encoding="utf-8"))
    parts = CODE.split(source[0])
    parts[::2] = [LINK.sub(lambda m: from_here(m[1], file, docname), part) for part in parts[::2]]
    source[0] = "".join(parts)


def from_here(link: str, file: Path, docname: str) -> str:
    """Return the link of a file as it is written on a page of the site."""
    target = (file.parent / link).resolve()
    page = ROOT_PAGES.get(str(target.relative_to(ROOT)))
    target = HERE / f"{page}.md" if page else target
    return os.path.relpath(target, (HERE / docname).parent)


def setup(app: Any) -> None:
    """Let Sphinx ask for the pages of the repository's root."""
    app.connect("source-read", put_in_root_page)
