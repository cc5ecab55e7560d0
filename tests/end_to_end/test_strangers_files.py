"""A stranger's files are data: nothing of them is obeyed, and what is odd is refused in a line."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sealed import seal

from ranklet.cli.main import run as run_command_line

ADAPTER = "run/adapter"
CLIPBOARD = "\x1b]52;c;aGVsbG8=\x07"  # writes to the clipboard of some terminals
TRICKS = (CLIPBOARD, "\x1b[2J", "\x9b31m", "\x08", "\x7f", "\u202egnp", "\u2066")
ODD = [f"{TRICKS[0]}World{TRICKS[1]}{TRICKS[3]}", f"Sports{''.join(TRICKS[2:])}"]
OBEYED = frozenset(
    [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202a\u202b\u202c\u202d\u202e",
     *"\u2066\u2067\u2068\u2069"]
) - set("\n\t")  # fmt: skip


def name_labels(names: list[str]) -> None:
    Path(ADAPTER, "labels.json").write_text(json.dumps({"labels": names}))
    seal(Path(ADAPTER))


@pytest.fixture
def odd_run(workplace: Path) -> Path:
    """The run with labels that a terminal would obey, and test texts of these labels."""
    name_labels(ODD)
    rows = [(f"the team {row} {TRICKS[1]}", ODD[row % 2]) for row in range(6)]
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    Path("odd.jsonl").write_text("\n".join(lines) + "\n")
    return workplace


@pytest.mark.parametrize(
    "command",
    [
        "classify run text",
        "classify run text --json",
        "evaluate run --data odd.jsonl --details --errors wrong.csv",
        "evaluate run --data odd.jsonl --json",
        "stress run/adapter --data odd.jsonl --kinds typos",
        "predict run odd.jsonl --output out.csv --probabilities",
        "predict run odd.jsonl --output out.jsonl --probabilities",
        "audit odd.jsonl --label-views none --out audit",
    ],
)
def test_nothing_printed_or_written_is_obeyed(odd_run: Path, ranklet: Any, command: str) -> None:
    before = set(odd_run.rglob("*"))
    answer = ranklet(*command.split())
    for printed in (answer.stdout, answer.stderr):
        assert not OBEYED & set(printed), command
    assert answer.returncode == 0, answer.stderr
    if "--json" in command:
        assert json.dumps(ODD[0]) in json.dumps(json.loads(answer.stdout))
    for path in set(odd_run.rglob("*")) - before:
        if path.is_file() and path.suffix in (".csv", ".jsonl", ".html"):
            assert not OBEYED & set(path.read_text(encoding="utf-8")), path


def test_a_training_on_such_labels_shows_none(workplace: Path, ranklet: Any) -> None:
    rows = [
        json.dumps({"text": f"the {'team' if label else 'envoy'} {row}", "label": ODD[label]})
        for row in range(15)
        for label in (0, 1)
    ]
    Path("odd.jsonl").write_text("\n".join(rows) + "\n")
    options = ["--set", "data.train=odd.jsonl", "--set", "data.test="]
    answer = ranklet("train", "recipe.yaml", "--out", "mine", *options)
    if answer.returncode == 2:  # whoever refuses such labels when they are read is right too
        assert not OBEYED & set(answer.stderr)
        return
    assert answer.returncode == 0, answer.stderr
    assert not OBEYED & set(answer.stdout + answer.stderr)
    for path in Path("mine").rglob("*"):
        if path.suffix in (".csv", ".html", ".md", ".svg"):
            assert not OBEYED & set(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("name", ["no\x1b]52;c;x\x07where", "new\nline", "x" * 5_000, "\u202eab"])
def test_odd_names_of_files_are_printed_harmlessly(
    name: str, workplace: Path, ranklet: Any
) -> None:
    for command in (["classify", name, "x"], ["evaluate", "run", "--data", name], ["train", name],
                    ["predict", "run", name, "--output", "out.csv"], ["verify", name],
                    ["audit", name], ["plan", name]):  # fmt: skip
        answer = ranklet(*command)
        assert answer.returncode == 2
        assert not OBEYED & set(answer.stderr)
        assert answer.stderr.count("\n") == 1
        assert len(answer.stderr) < 2_100


FORMULAS = ["=1+1", "@SUM(A1)"]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_formula_cells_are_the_readers_choice(suffix: str, workplace: Path, ranklet: Any) -> None:
    name_labels(FORMULAS)
    Path("texts.txt").write_text("the team\nthe envoy\n")

    def labels(*options: str) -> set[str]:
        out = f"out.{suffix}"
        assert ranklet("predict", "run", "texts.txt", "--output", out, *options).returncode == 0
        with Path(out).open(newline="") as stream:
            rows = csv.DictReader(stream, delimiter="\t" if suffix == "tsv" else ",")
            return {row["label"] for row in rows}

    assert labels() <= set(FORMULAS)
    assert labels("--escape-formulas") <= {f"'{name}" for name in FORMULAS}


def test_formula_cells_of_an_audit(workplace: Path, ranklet: Any) -> None:
    rows = ["text,label", *["=1+1 the team,a"] * 2, "=1+1 the team,b", "the envoy,b", "a goal,a"]
    Path("mine.csv").write_text("\n".join(rows) + "\n")
    audit = ["audit", "mine.csv", "--label-views", "none", "--out"]
    assert ranklet(*audit, "plain").returncode == 0
    assert ranklet(*audit, "escaped", "--escape-formulas").returncode == 0
    first = set()
    for folder in ("plain", "escaped"):
        with Path(folder, "findings.csv").open(newline="") as stream:
            first |= {cell[0] for row in csv.reader(stream) for cell in row if "=1+1" in cell}
    assert first == {"=", "'"}


ODD_NAMES = ["", "a\nb", "a\0b", "x" * 1_000_000, "\x1b[2J", "\ud800", "\u202eab"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
@pytest.mark.parametrize("file", ["classifier.json", "adapter_config.json"])
def test_odd_names_of_encoders(name: str, file: str, bench: Any, is_refused: Any) -> None:
    if file == "classifier.json":
        bench.fields(f"{ADAPTER}/{file}", encoder=name)
        is_refused("classify run text", f"{ADAPTER}/{file}: ")
        return
    bare = Path("bare")
    bare.mkdir()
    for part in ("adapter_model.safetensors", "adapter_config.json"):
        (bare / part).write_bytes(Path(ADAPTER, part).read_bytes())
    bench.fields(f"bare/{file}", base_model_name_or_path=name)
    is_refused("classify bare text", "bare")


@pytest.mark.parametrize("field", ["temperature", "exponent"])
@pytest.mark.parametrize("value", [1e-320, 1e-30, 1e30, 1e308])
def test_an_extreme_scaling_is_refused(
    field: str, value: float, bench: Any, is_refused: Any
) -> None:
    bench.fields(f"{ADAPTER}/classifier.json", **{field: value})
    is_refused("classify run text", f"{ADAPTER}/classifier.json: {field}: ")


def test_odd_settings_take_no_memory(bench: Any, is_refused: Any) -> None:
    bench.fields(f"{ADAPTER}/classifier.json", head="low_rank", head_rank=10**9)
    is_refused("classify run text", f"{ADAPTER}/classifier.json: head_rank: ")


def test_half_a_character_in_a_label_is_refused(workplace: Path, is_refused: Any) -> None:
    name_labels(["World", "Sp\ud800rts"])
    line = f"{ADAPTER}/labels.json: label 'Sp\\ud800rts' holds half a character"
    is_refused("classify run text", line)
    is_refused("evaluate run", line)
    is_refused("predict run test.csv --output out.csv", line)


def test_many_or_long_probes_are_refused(bench: Any, is_refused: Any) -> None:
    path = f"{ADAPTER}/probes.json"
    logits = json.loads(Path(path).read_text())["logits"]
    bench.fields(path, texts=["a"] * 100_000, logits=logits[:1] * 100_000)
    is_refused("classify run text", f"{path}: not a probe file (at most 64 texts")
    bench.fields(path, texts=["a" * 10**6], logits=logits[:1])
    is_refused("classify run text", f"{path}: not a probe file (at most 64 texts")


def test_token_ids_beyond_the_encoder_are_refused(bench: Any, is_refused: Any) -> None:
    token = {"id": 10**6, "content": "zz", "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}  # fmt: skip
    content = json.loads(Path(ADAPTER, "tokenizer.json").read_text())
    content["model"]["vocab"]["team"] = 10**6
    content["added_tokens"].append(token)
    bench.put("encoder/tokenizer.json", json.dumps(content))
    is_refused("classify run text", "encoder: the tokenizer has ")


def test_an_ascii_terminal_gets_backslashes(workplace: Path, monkeypatch: Any) -> None:
    name_labels(["Wörld", "Spörts"])
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "argv", ["ranklet", "classify", "run", "text"])
    with pytest.raises(SystemExit) as ended:
        run_command_line()
    assert ended.value.code == 0
    assert rb"W\xf6rld" in stdout.buffer.getvalue()


def test_a_pattern_that_would_search_forever(bench: Any, ranklet: Any) -> None:
    path = f"{ADAPTER}/adapter_config.json"
    bench.fields(path, target_modules=r"(\w+\.?)+!|.*(query|value)")
    assert ranklet("classify", "run", "text").returncode == 0
