"""Patterns of adapter_config.json: as PEFT reads them, in time that does not explode."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ranklet.errors import AdapterError
from ranklet.lora.patterns import LONGEST_PATTERN, compiled, why_no_pattern
from ranklet.lora.peft_config import check_options, check_targets, pattern_values

MODULES = [
    f"{prefix}.layer.{layer}.{name}"
    for prefix in ("bert.encoder", "roberta.encoder", "distilbert.transformer", "deberta.encoder")
    for layer in (0, 1, 3, 11)
    for name in ("attention.self.query", "attention.self.value", "output.dense", "q_lin")
]
# As they stand in PEFT's documents and in published adapters.
ORDINARY = [
    r".*query", r".*(query|value)$", r"bert\.encoder\.layer\.\d+\.attention\.self\.(query|value)",
    r".*\.layer\.(?:0|1|2|3)\..*(q_lin|query)", r"^bert.*", r".*layer\.[0-9]+\.output\.dense",
    r"(?i).*QUERY", r".*\.layer\.1[01]?\..*", r".*self.*", r".*\w+_lin", r"\S+\.value", r".*?dense",
    r".*layer\.\d{1,2}\.output.*", r".*[^n]\.dense", r"(?P<a>.*)query", r".*\bquery\b",
]  # fmt: skip
EXPLODING = [
    r"(a+)+$", r"(.*)*x", r"(\w+\.?)+!", r".*.*.*.*.*.*.*.*.*.*.*.*.*!", r"((((.*)*)*)*)*!",
    r"(a|a)*!", r"(?:(?:\w|\.)*)*!",
]  # fmt: skip
PATH = Path("adapter_config.json")


@pytest.mark.parametrize("pattern", ORDINARY)
def test_ordinary_patterns_mean_what_they_mean_to_peft(pattern: str) -> None:
    for way in ("fullmatch", "match"):
        ours = [bool(getattr(compiled(pattern), way)(module)) for module in MODULES]
        theirs = [bool(getattr(re, way)(pattern, module)) for module in MODULES]
        assert ours == theirs
    assert any(re.match(pattern, module) for module in MODULES)


def config(**options: Any) -> dict[str, Any]:
    return {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["query"]} | options


CALLS = """
import sys
from pathlib import Path
from ranklet.errors import AdapterError
from ranklet.lora.peft_config import check_targets, pattern_values
module = "a" * 200 + "." + "a" * 200
for pattern in sys.argv[1:]:
    for option in ("target_modules", "exclude_modules"):
        try:
            check_targets({"target_modules": ["a"], option: pattern}, [module], Path("x"))
        except AdapterError:
            pass
    pattern_values({"rank_pattern": {pattern: 3}}, "rank_pattern", module, 2)
    options = {"target_modules": ["b"], "layers_to_transform": [1], "layers_pattern": [pattern]}
    try:
        check_targets(options, [module + ".b"], Path("x"))
    except AdapterError:
        pass
"""


def test_exploding_patterns_are_matched_at_once() -> None:
    # A process of its own, since nothing stops a search of `re` from outside.
    subprocess.run([sys.executable, "-c", CALLS, *EXPLODING], check=True, timeout=60)


REFUSED = {
    "lookahead": r"(?!.*classifier).*query",
    "lookbehind": r".*(?<=self\.)query",
    "backreference": r"(.*)\1",
    "exploding counts": r"((a{100}){100}){100}",
    "too long": "a" * (LONGEST_PATTERN + 1),
    "half a character": "\ud800",
    "unbalanced": "(",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_matched_is_refused_in_one_line(name: str) -> None:
    pattern = REFUSED[name]
    assert why_no_pattern(pattern) is not None
    for options in (
        {"target_modules": pattern},
        {"exclude_modules": pattern},
        {"rank_pattern": {pattern: 2}},
        {"alpha_pattern": {pattern: 2}},
        {"layers_pattern": pattern},
        {"layers_pattern": [pattern]},
    ):
        with pytest.raises(AdapterError, match="is no pattern") as caught:
            check_options(config(**options), PATH)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"rank_pattern": {f"m{n}": 2 for n in range(2_001)}}, "rank_pattern has 2,001 keys"),
        ({"layers_to_transform": ["x"]}, "layers_to_transform must be integers"),
        ({"layers_to_transform": {"a": 1}}, "layers_to_transform must be integers"),
        ({"layers_pattern": {"a": 1}}, "layers_pattern must be names"),
        ({"target_modules": {"a": "b" * 10_000}}, "target_modules must be names or a pattern"),
    ],
)
def test_odd_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(AdapterError, match=problem) as caught:
        check_options(config(**options), PATH)
    assert len(str(caught.value)) < 600


def test_the_checks_still_read_what_is_written() -> None:
    options = config(target_modules=r".*(query|value)")
    check_options(options, PATH)
    check_targets(options, MODULES[:2], PATH)
    with pytest.raises(AdapterError, match="is no target here"):
        check_targets(options, MODULES[2:3], PATH)
    pattern = {r"layer\.1\..*query": 7}
    assert pattern_values({"rank_pattern": pattern}, "rank_pattern", MODULES[4], 2) == {7}
