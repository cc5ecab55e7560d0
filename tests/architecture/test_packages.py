"""What is installed: which packages are imported, and when."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from source_code import imported_at_once, imported_later, modules

import ranklet

ROOT = Path(__file__).parents[2]
MODULES = modules(Path(ranklet.__file__).parent)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What is imported of a package, where that is not its own name alone.
IMPORTED_AS = {
    "scikit-learn": {"sklearn", "scipy"},
    "ruamel.yaml": {"ruamel"},
    "pydantic": {"pydantic", "pydantic_core", "annotated_types"},
    "jinja2": {"jinja2", "markupsafe"},
    "google-re2": {"re2"},
    "tensorboard": {"tensorboard"},
}
FOR_DEVELOPERS = ("dev", "bench", "docs")


def names_in(requirements: Iterable[str]) -> set[str]:
    """Return what can be imported of packages that are required."""
    packages = {re.split(r"[<>=~!;\[ ]", line)[0].lower() for line in requirements}
    return {
        name
        for package in packages
        for name in IMPORTED_AS.get(package, {package.replace("-", "_")})
    }


BASE = names_in(PROJECT["dependencies"])
EXTRAS = names_in(
    line
    for extra, lines in PROJECT["optional-dependencies"].items()
    if extra not in FOR_DEVELOPERS
    for line in lines
)
THERE_ANYWAY = {*sys.stdlib_module_names, "ranklet", "_typeshed"}


def test_what_every_file_needs_is_installed_with_the_base() -> None:
    unknown = {name: imported_at_once(path) - THERE_ANYWAY - BASE for name, path in MODULES.items()}
    assert {name: packages for name, packages in unknown.items() if packages} == {}


def test_an_extra_is_imported_only_where_it_is_used() -> None:
    assert {"transformers", "peft", "accelerate", "pyarrow", "bitsandbytes", "tensorboard"} < EXTRAS
    early = {name: imported_at_once(path) & EXTRAS for name, path in MODULES.items()}
    assert {name: packages for name, packages in early.items() if packages} == {}


def test_every_package_is_one_of_the_base_or_of_an_extra() -> None:
    for name, path in MODULES.items():
        assert imported_later(path) - THERE_ANYWAY - BASE - EXTRAS == set(), name


HEAVY = {
    "help": ({"torch", "numpy", "sklearn", "matplotlib", "pydantic", *EXTRAS}, "['--help']"),
    "recipes": ({"torch", "numpy", "sklearn", "matplotlib", *EXTRAS}, "['recipes']"),
    "plan": ({"sklearn", "matplotlib", "huggingface_hub", *EXTRAS}, "['plan', 'ag_news']"),
}


@pytest.mark.parametrize(("heavy", "arguments"), HEAVY.values(), ids=HEAVY.keys())
def test_a_verb_imports_only_what_it_needs(heavy: set[str], arguments: str) -> None:
    code = (
        f"import sys; sys.argv[1:] = {arguments}\n"
        "from ranklet.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        f"print('loaded', sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "loaded []"
