"""docs/developers/reproductions.md is what its benchmark writes, whatever is measured so far."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from ranklet.recipe import builtin_names, load_recipe
from ranklet.workflows.plan import plan

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "accuracy" / "reproductions.py"
DOCUMENT = (ROOT / "docs" / "developers" / "reproductions.md").read_text(encoding="utf-8")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = spec_from_file_location("reproductions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "reproductions", module)
    spec.loader.exec_module(module)
    return module


def without_measured(text: str) -> str:
    return re.sub(r"[^|\n]*\|$", "", text, flags=re.MULTILINE)


def test_the_tables_are_what_the_benchmark_writes(benchmark: Any) -> None:
    written = DOCUMENT.partition(benchmark.BEGIN)[2].partition(benchmark.END)[0]
    assert without_measured(written.strip()) == without_measured(benchmark.document([]).strip())


def test_every_recipe_of_the_systems_has_its_row_and_command() -> None:
    for name in set(builtin_names()) - {"ag_news", "ag_news_search", "default", "quickstart"}:
        (row,) = re.findall(rf"^\| `{name}` \| (.+) \|$", DOCUMENT, re.MULTILINE)
        published, ours, *_ = row.split(" | ")
        assert ours == f"{plan(load_recipe(name)).total:,}"
        assert published in (ours, "not published", "-")
        assert f"\nranklet train {name} --out runs/{name}\n" in DOCUMENT


def test_results_of_equal_settings_are_averaged_over_their_seeds(benchmark: Any) -> None:
    row = {
        "recipe": "ag_news_best", "texts": None, "test_texts": None, "epochs": 2, "of_epochs": 3,
        "rows": 100, "parameters": 1234, "validation": 0.91, "encoder": "minilm", "set": [],
    }  # fmt: skip
    rows = [row | {"seed": seed, "test": score} for seed, score in ((0, 0.90), (1, 0.92))]
    other = row | {"seed": 0, "test": 0.5, "epochs": 1, "set": ["seed=7"]}
    text = benchmark.document([*rows, other])
    assert "test 91.00 % ± 1.41, validation 91.00 % (seeds 0, 1; 100 texts, 2 of 3 epochs" in text
    assert "test 50.00 %, validation 91.00 % (seeds 0; 100 texts, 1 of 3 epochs" in text
    assert "1,234 parameters, seed=7)" in text
    assert text.count("not measured yet") == 9
