"""Every bad input, through the command line: one line, exit code 2, nothing written.

In the tables ` .. ` stands for anything between two parts of the line.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

TRAIN = "train recipe.yaml --out out"
CLASSIFY = "classify run 'the goal'"
LONG = "x" * 300

# (command, problem)
COMMANDS = [
    ("train", "Missing argument .. ; see ranklet train --help"),
    ("trian recipe.yaml", "No such command 'trian' .. 'train' .. ; see ranklet --help"),
    ("recipes shw", "No such command 'shw' .. 'show' .. ; see ranklet recipes --help"),
    ("plan recipe.yaml --jsn", "No such option: --jsn .. --json .. ; see ranklet plan --help"),
    ("plan recipe.yaml test.csv", "Got unexpected extra argument"),
    ("predict run test.csv", "Missing option '--output'; see ranklet predict --help"),
    ("classify run", "Missing argument 'TEXT...'; see ranklet classify --help"),
    ("evaluate run --precision float16", "Invalid value for '--precision' .. 'bfloat16'"),
    ("train recipe.yaml --set", "Option '--set' requires an argument"),
    ("--jsn", "No such option: --jsn"),
    ("train nowhere.yaml", "nowhere.yaml: no such file; give a recipe's path"),
    ("train encoder", "encoder: is a folder"),
    ("train quickstrt", "quickstrt: no such file or built-in recipe; did you mean quickstart?"),
    ("recipes show agnews", "agnews: no such file or built-in .. did you mean ag_news?"),
    # Where a run goes.
    ("train recipe.yaml --out train.csv", "train.csv: is a file; choose another --out"),
    ("train recipe.yaml --out run", "run: holds a finished run; choose another --out, or remove"),
    (
        "train recipe.yaml --out encoder",
        "encoder: holds files that are not an unfinished run's; choose another",
    ),
    ("train recipe.yaml --out train.csv/x", "train.csv/x: .. train.csv is a file; choose another"),
    (f"train recipe.yaml --out a/{LONG}", f"cannot write a/{LONG}: file name too long; choose"),
    # What a run is asked.
    ("classify nowhere text", "nowhere: no such folder; name the folder of a run"),
    ("classify train.csv text", "train.csv: no such folder; name the folder of a run"),
    (
        "classify encoder text",
        "encoder: holds no trained classifier, it has no classifier.bias; name a run",
    ),
    (f"classify {LONG} text", f"{LONG} .. file name too long"),
    ("evaluate run --data none.csv", "none.csv: no such file; near names in that folder"),
    ("evaluate run --label-column class", "test.csv:1: no column 'class'"),
    ("evaluate run/adapter", "run/adapter: no test data; name some with --data"),
    ("predict run none.csv --output earlier.csv", "none.csv: no such file; near names"),
    ("predict run encoder --output earlier.csv", "encoder: is a folder; name a file"),
    ("predict run test.csv --output a.xlsx", "a.xlsx: unknown suffix '.xlsx'; allowed are .csv"),
    ("predict run test.csv --output a", "a: unknown suffix ''; allowed are .csv, .tsv, .jsonl"),
    ("predict run test.csv --output none/a.csv", "none/a.csv: there is no folder none; create it"),
    ("predict run test.csv --output test.csv/a.csv", "test.csv/a.csv: there is no folder test."),
    ("predict run test.csv --output test.csv", "test.csv: is the input itself; name another"),
    ("predict run test.csv --output run/../test.csv", "run/../test.csv: is the input itself"),
    (f"predict run test.csv --output {LONG}.csv", f"cannot write {LONG}.csv: file name too long"),
    # No network, and nothing in the hub's cache.
    (f"{TRAIN} --set encoder=owner/model", "model 'owner/model': the cache .. HF_HUB_OFFLINE"),
    ("plan recipe.yaml --set encoder=owner/model", "model 'owner/model': .. encoder: FOLDER"),
    (f"{TRAIN} --set 'encoder=a model'", "model 'a model': neither a local copy nor a hub id"),
    (f"{TRAIN} --set data.train=ag_news", "data set 'fancyzhx/ag_news': .. data.train: FILE"),
    (f"{TRAIN} --set data.test=owner/name", "data set 'owner/name': the cache"),
    ("plan recipe.yaml --set data.train=owner/name", "data.label_names: the labels of 'owner/na"),
    ("evaluate run --data owner/name", "data set 'owner/name': the cache .. HF_HUB_OFFLINE"),
]

# What follows `--set` in a training: (overrides, problem)
OVERRIDES = [
    ("trainig.epochs=2", "--set trainig.epochs=2: trainig: unknown key; did you mean training?"),
    ("seed", "--set seed: not an override; write a field, = and a value"),
    ("seed=-1", "--set seed=-1: seed: got -1; allowed: whole number >= 0"),
    ("adapter.rank.x=1", "--set adapter.rank.x=1: adapter.rank.x: .. nothing below it"),
    ("adapter.alpha=.inf", "--set adapter.alpha=.inf: adapter.alpha: got .inf; allowed: number"),
    ("data.test=train.csv", "--set data.test=train.csv: data.test: the same file as data.train"),
    ("budget=200", "budget: .. 290 parameters, 90 over .. adapter.rank 1 .. fits (162)"),
    ("budget=9", "budget: .. not even rank 1 on these modules fits"),
    ("adapter.layers=[0,2]", "adapter.layers: layer 2 holds no .. allowed: 0 to 1"),
    # Each of these was refused only after it had filled the memory, or not at all.
    ("adapter.layers=0-999999999", "adapter.layers: layer 2 holds no .. allowed: 0 to 1"),
    ("adapter.layers=7-999999999", "adapter.layers: layer 7 holds no .. allowed: 0 to 1"),
    (f"adapter.layers=0-{'9' * 5000}", "--set .. adapter.layers: got .. range such as 0-5"),
    ("training.epochs=1_000_000", "--set .. training.epochs: got 1000000; allowed: .. <= 10000"),
    ("adapter.target_modules=[querry]", "adapter.target_modules: 'querry' .. did you mean .. quer"),
    ("adapter.target_modules=[pooler]", "adapter.target_modules: 'pooler' matches no module;"),
    (
        "'adapter.rank_pattern={query: 1, self.query: 2}'",
        "adapter.rank_pattern: 'query' and 'self.query' both match bert.encoder.layer.0",
    ),
    ("'adapter.alpha_pattern={dense: 4}'", "adapter.alpha_pattern: 'dense' matches no .. query"),
    ("data.max_length=41", "data.max_length: 41 is more than encoder 'encoder' takes; .. to 40"),
    ("data.validation=30", "train.csv: data.validation 30 takes 30 of 24 rows; .. 2 to 22"),
    ("data.validation=none.csv", "none.csv: no such file; near names"),
    (
        "data.test=x.jsonl",
        "x.jsonl: no such file; that folder holds 'earlier.csv', 'several.csv', 'test.csv'",
    ),
    ("data.test=test.cvs", "test.cvs: no such data; give a file (.csv"),
    ("data.train=agnews", "agnews: no such data; .. did you mean 'ag_news'?"),
    ("data.min_words=50", "train.csv: no row has 50 .. widen data.min_words"),
    ("data.duplicates=refuse", "train.csv: duplicate texts: .. set data.duplicates to drop"),
    ("data.text_column=txt", "train.csv:1: no column 'txt'; .. did you mean 'text'?"),
    ("data.label_names=[a,b]", "train.csv:2: label 'Sports' is not one of 'a', 'b', nor"),
    ("encoder=nowhere/at/all", "encoder 'nowhere/at/all': no such folder; name a Hugging Face"),
    ("encoder=train.csv", "encoder 'train.csv': no such folder; name a Hugging Face model"),
    (f"encoder={LONG}", f"model '{LONG}': neither a local copy nor a hub id"),
]

# (file, content, command, to which the file is added where it ends with = or a space, problem)
DATA = "data: {train: train.csv}\n"
HEAD, ROWS = b"text,label\n", b"text,label\none,a\ntwo,b\n"
MANY = b'{"text": "the goal"}\n' * 1500
TRAIN_ON = f"{TRAIN} --set data.train="
PREDICT = "predict --output earlier.csv run "
FILES = [
    ("a.yaml", "", "train a.yaml", "a.yaml:1: got null; a recipe is a mapping of fields"),
    ("a.yaml", f"{DATA}budgett: 3", "plan a.yaml", "a.yaml:2: budgett: .. did you mean budget?"),
    ("a.yaml", f"{DATA}head_dropout: .nan", "train a.yaml", "a.yaml:2: head_dropout: got .nan;"),
    ("a.yaml", f"{DATA}seed: 1\nseed: 2", "train a.yaml", "a.yaml:3: seed: given twice, first at"),
    ("a.yaml", f"{DATA}seed: true", "train a.yaml", "a.yaml:2: seed: got true; allowed: whole"),
    ("a.yaml", f'{DATA}budget: "3"', "plan a.yaml", 'a.yaml:2: budget: got "3"; .. remove the'),
    ("a.yaml", f"{DATA}pooling: mean", "train a.yaml", "a.yaml:2: pooling: mean needs head: lin"),
    ("a.yaml", f"{DATA}encoder: *x", "train a.yaml", "a.yaml:2: encoder: alias *x; recipes have"),
    ("a.yaml", f"{DATA}encoder: [a", "train a.yaml", "a.yaml:2: not valid YAML: expected ',' or"),
    ("a.yaml", f"{DATA}---\n{DATA}", "train a.yaml", "a.yaml:2: a second YAML document; a recipe"),
    ("a.yaml", "data:\n\ttrain: a", "train a.yaml", "a.yaml:2: not valid YAML: a tab"),
    ("a.yaml", "seed: 1", "train a.yaml", "a.yaml:1: data.train: missing; say what to train on"),
    ("a.yaml", "[" * 3000, "train a.yaml", "a.yaml:1: nested more than 16 deep"),
    ("a.yaml", b"seed: 1\nencoder: caf\xe9", "train a.yaml", "a.yaml:2: byte 0xE9 is not UTF-8"),
    ("a.yaml", b"PK\x03\x04\0\0", "train a.yaml", "a.yaml:1: not valid YAML: control character"),
    ("run/recipe.yaml", "data: 1", "evaluate run", "run/recipe.yaml:1: data: got 1; allowed"),
    ("a.csv", b"", TRAIN_ON, "a.csv: the file is empty; its first line must hold"),
    ("a.csv", HEAD, TRAIN_ON, "a.csv: no rows; give a file with at least one"),
    ("a.csv", ROWS + b"three\n", TRAIN_ON, "a.csv:4: too few cells: 1 where the header has 2;"),
    ("a.csv", ROWS + b"a\0b,a\n", TRAIN_ON, "a.csv:4: NUL byte at byte 2"),
    ("a.csv", ROWS + b"caf\xe9,a\n", TRAIN_ON, "a.csv:4: byte 0xE9 .. set data.encoding=cp1252"),
    ("a.csv", b"text,lable\none,a\n", TRAIN_ON, "a.csv:1: no column 'label' .. mean 'lable'?"),
    ("a.csv", b"text,text\n", TRAIN_ON, "a.csv:1: 2 columns are called 'text'"),
    ("a.csv", ROWS + b"three,\n", TRAIN_ON, "a.csv:4: column 'label': empty label; fill it in"),
    (
        "a.csv",
        ROWS + b",a\n",
        f"{TRAIN} --set data.empty=refuse --set data.train=",
        "a.csv:4: column 'text': empty text",
    ),
    ("a.csv", ROWS + b'"a,b",c\n"a,a\n', TRAIN_ON, "a.csv:5: a quote opened in this row is never"),
    ("a.csv", HEAD + b"one,a\ntwo,a\n", TRAIN_ON, "a.csv: every row has the label 'a'; a classif"),
    ("a.csv", HEAD + b"one,a\n", "plan recipe.yaml --set data.train=", "a.csv: every row has the"),
    ("a.csv", ROWS, TRAIN_ON, "a.csv: no label has two rows, one to learn"),
    ("a.csv", ROWS, f"{TRAIN} --set data.test=", "a.csv:2: label 'a' is not among the training"),
    ("a.csv", ROWS, "evaluate run --data ", "a.csv:2: label 'a' is not among the training labels"),
    ("a.csv", b"txt\na\n", PREDICT, "a.csv:1: no column 'text'; the columns are 'txt'"),
    ("a.tsv", b"text\tlabel\none\ta\tb\n", TRAIN_ON, "a.tsv:2: too many cells: 3"),
    ("a.jsonl", b'{"text": "a", "label": "b"}\n{"text"\n', TRAIN_ON, "a.jsonl:2: not valid JSON"),
    ("a.jsonl", b'{"text": "a", "label": NaN}\n', TRAIN_ON, "a.jsonl:1: column 'label': found a n"),
    ("a.jsonl", b'{"text": "a", "text": "b"}\n', TRAIN_ON, "a.jsonl:1: column 'text': found a key"),
    ("a.jsonl", b'{"text": 7, "label": "b"}\n', TRAIN_ON, "a.jsonl:1: column 'text': found an in"),
    ("a.jsonl", MANY + b'{"txt": "a"}\n', PREDICT, "a.jsonl:1501: no column 'text'; .. 'txt'"),
    ("a.parquet", b"PAR1 and nothing else", TRAIN_ON, "a.parquet: not a sound parquet file"),
    ("a.txt", b"one\ntwo\n", TRAIN_ON, "a.txt:1: no column 'label'; the columns are 'text'"),
    ("a.txt", b"a\0b", PREDICT, "a.txt:1: NUL byte at byte 2 of the line"),
    ("a.txt", b"", PREDICT, "a.txt: no rows; give a file with at least one"),
    ("a.xlsx", b"PK\x03\x04", TRAIN_ON, "a.xlsx: not a sound zip file"),
    ("a.json", b"[]", PREDICT, "a.json: no rows; give a file with at least one"),
]

# The adapter of a run, asked to classify: (what is done to it, problem)
ADAPTER = "run/adapter"
CONFIG = f"{ADAPTER}/adapter_config.json"
TENSORS = f"{ADAPTER}/adapter_model.safetensors"
DOWN = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight"
TOP, NEW = "base_model.model.classifier.weight", "base_model.model.x"
LABELS, PROBES, NAMES = (f"{ADAPTER}/{name}.json" for name in ("labels", "probes", "classifier"))
SIZES, WEIGHTS = "encoder/config.json", "encoder/model.safetensors"
WORDS = "bert.embeddings.word_embeddings.weight"
DIFFERS = f"{ADAPTER}: the model answers differently from when it was saved"
ADAPTERS = [
    (
        lambda b: b.remove("run/certificate.json"),
        "run: holds no run (there is no certificate.json); name the folder",
    ),
    (lambda b: b.remove(CONFIG), f"{ADAPTER}: no adapter_config.json; name a ranklet run"),
    (lambda b: b.cut(CONFIG), f"{CONFIG}: not readable as JSON"),
    (lambda b: b.put(CONFIG, "[" * 100_000), f"{CONFIG}: not readable as JSON (Recursion"),
    (lambda b: b.put(CONFIG, "[]"), f"{CONFIG}: must hold a JSON object, found list"),
    (lambda b: b.fields(CONFIG, peft_type="IA3"), f"{CONFIG}: peft_type 'IA3' is not LORA"),
    (lambda b: b.fields(CONFIG, use_dora=True), "run/adapter: .. lacks a lora_magnitude_vector"),
    (lambda b: b.fields(CONFIG, warp=3), f"{CONFIG}: option warp=3 is not supported"),
    (lambda b: b.fields(CONFIG, init_lora_weights="corda"), f"{CONFIG}: init_lora_weights 'corda'"),
    (lambda b: b.fields(CONFIG, r="2"), f"{CONFIG}: r must be a number above 0, found '2'"),
    (lambda b: b.fields(CONFIG, r=3), f"{ADAPTER}: .. has rank 2 .. but 3 in adapter_config"),
    (lambda b: b.fields(CONFIG, lora_alpha=None), f"{CONFIG}: lora_alpha must .. found None"),
    (lambda b: b.fields(CONFIG, lora_alpha=1e999), f"{CONFIG}: lora_alpha must .. found inf"),
    (lambda b: b.fields(CONFIG, lora_dropout="x"), f"{CONFIG}: lora_dropout must be a number"),
    (lambda b: b.fields(CONFIG, use_rslora="no"), f"{CONFIG}: use_rslora must be true or false"),
    (lambda b: b.fields(CONFIG, bias="some"), f"{CONFIG}: bias 'some'; allowed: none, lora_only"),
    (lambda b: b.fields(CONFIG, rank_pattern={"(": 2}), f"{CONFIG}: rank_pattern key '('"),
    (lambda b: b.remove(TENSORS), f"{ADAPTER}: no adapter_model.safetensors; pickled"),
    (lambda b: b.cut(TENSORS), f"{TENSORS}: not a complete safetensors file"),
    (lambda b: b.drop(TENSORS, DOWN), f"{TENSORS}: .. without its twin"),
    (lambda b: b.drop(TENSORS, "lora"), f"{TENSORS}: holds no LoRA tensors"),
    (
        lambda b: b.drop(TENSORS, "classifier"),
        f"{ADAPTER}: adapter_model.safetensors holds adapters alone and no head .. save it again",
    ),
    (lambda b: b.tensor(TENSORS, DOWN, lambda t: t[:, :4]), "adapter: bert .. has shape (2, 4), b"),
    (lambda b: b.tensor(TENSORS, DOWN, lambda t: t / 0), f"{TENSORS}: tensor '{DOWN}' is not all"),
    (lambda b: b.tensor(TENSORS, DOWN, lambda t: t.int()), f"{TENSORS}: tensor '{DOWN}' is not"),
    (
        lambda b: b.tensor(TENSORS, NEW, lambda _: torch.ones(2)),
        f"{TENSORS}: tensor 'x' is neither",
    ),
    (lambda b: b.tensor(TENSORS, TOP, lambda t: t.repeat(2, 1)), "adapter: classifier .. (4, 16),"),
    (
        lambda b: (b.fields(SIZES, num_hidden_layers=1), b.drop(WEIGHTS, "layer.1.")),
        f"{SIZES}: encoder './encoder' has not the files that the classifier was trained on; name",
    ),
    (lambda b: b.put(LABELS, '{"labels": ["a"]}'), f"{ADAPTER}: 1 labels given, but the head has"),
    (lambda b: b.put(LABELS, '{"labels": ["a", "a"]}'), f"{LABELS}: must hold .. each name once"),
    (lambda b: b.put(LABELS, '{"labels": [1, 2]}'), f"{LABELS}: must hold"),
    (lambda b: b.put(LABELS, "{}"), f"{LABELS}: must hold"),
    (lambda b: b.fields(NAMES, head="deep"), f"{NAMES}: head: Input should be 'dense', "),
    (
        lambda b: b.fields(NAMES, encoder="./gone"),
        f"{ADAPTER}: its encoder './gone' is not here .. --encoder FOLDER",
    ),
    (lambda b: b.remove(NAMES), f"{NAMES}: is missing in the adapter of a run; restore it"),
    (lambda b: b.tensor(TENSORS, TOP, lambda t: -t), DIFFERS),
    (
        lambda b: b.tensor(WEIGHTS, WORDS, lambda t: -t),
        f"{WEIGHTS}: encoder './encoder' has not th",
    ),
    (lambda b: b.fields(PROBES, dtype="nn"), f"{PROBES}: not a probe file"),
    (lambda b: b.fields(PROBES, texts=[]), f"{PROBES}: not a probe file (must hold one row of"),
    (lambda b: b.cut(PROBES), f"{PROBES}: is not the file that was saved"),
]

# The folder of the encoder, asked to train: (what is done to it, problem)
QUERY = "bert.encoder.layer.1.attention.self.query.weight"
INDEX, HOW = f"{WEIGHTS}.index.json", "encoder/tokenizer_config.json"
MANY_TOKENS = "\n".join(["[UNK]", "[CLS]", "[SEP]", *map(str, range(50))])
ENCODERS = [
    (lambda b: b.remove(SIZES), "encoder: no config.json; name a Hugging Face model folder"),
    (lambda b: b.cut(SIZES), f"{SIZES}: not readable as JSON"),
    (lambda b: b.put(SIZES, "null"), f"{SIZES}: must hold a JSON object"),
    (lambda b: b.fields(SIZES, model_type="gpt2"), f"{SIZES}: model_type 'gpt2' .. choose .. bert"),
    (lambda b: b.fields(SIZES, model_type=["bert"]), f"{SIZES}: model_type ['bert']"),
    (lambda b: b.fields(SIZES, hidden_size="16"), f"{SIZES}: hidden_size must be an integer"),
    (lambda b: b.fields(SIZES, vocab_size=None), f"{SIZES}: vocab_size must be .. found None"),
    (lambda b: b.fields(SIZES, vocab_size=10**30), f"{SIZES}: vocab_size must be an integer"),
    (lambda b: b.fields(SIZES, num_attention_heads=3), f"{SIZES}: hidden_size 16 is not a mult"),
    (lambda b: b.fields(SIZES, position_embedding_type="x"), f"{SIZES}: position_embedding_type"),
    (lambda b: b.remove(WEIGHTS), "encoder: no model.safetensors; name a folder"),
    (
        lambda b: (b.remove(WEIGHTS), b.put("encoder/pytorch_model.bin", b"\x80\x02.")),
        "encoder: no model.safetensors; pytorch_model.bin is a pickle .. convert it",
    ),
    (lambda b: b.cut(WEIGHTS), f"{WEIGHTS}: not a complete safetensors file"),
    (lambda b: b.put(WEIGHTS, b""), f"{WEIGHTS}: not a complete safetensors file"),
    (lambda b: b.drop(WEIGHTS, QUERY), "encoder: 1 tensors are missing, such as encoder.layer.1."),
    (lambda b: b.drop(WEIGHTS, "pooler"), "encoder: 2 tensors are missing .. use head: linear"),
    (lambda b: b.tensor(WEIGHTS, "x", lambda _: torch.ones(2)), "encoder: 1 tensors have no place"),
    (lambda b: b.tensor(WEIGHTS, QUERY, lambda t: t[:, :8]), "encoder: .. shape (16, 8), config"),
    (
        lambda b: b.tensor(WEIGHTS, QUERY, lambda t: t / 0),
        "encoder: encoder.layer.1 .. not all fin",
    ),
    (
        lambda b: (b.remove(WEIGHTS), b.put(INDEX, '{"weight_map": {"x": "1.safetensors"}}')),
        "encoder/1.safetensors: no such file; the model folder is incomplete",
    ),
    (
        lambda b: (b.remove(WEIGHTS), b.put(INDEX, '{"weight_map": {"x": "../x"}}')),
        f"{INDEX}: shard '../x' lies outside the folder",
    ),
    (
        lambda b: (b.remove(WEIGHTS), b.put(INDEX, '{"weight_map": {"x": 1}}')),
        f"{INDEX}: not a safetensors index",
    ),
    (lambda b: b.remove("encoder/vocab.txt"), "encoder: no tokenizer; it must hold tokenizer.json"),
    (lambda b: b.put("encoder/tokenizer.json", "{"), "encoder/tokenizer.json: damaged JSON"),
    (lambda b: b.put("encoder/vocab.txt", "[UNK]\na"), "encoder/vocab.txt: special tokens [CLS]"),
    (
        lambda b: b.put("encoder/vocab.txt", MANY_TOKENS),
        "encoder: the tokenizer has 53 tokens, the",
    ),
    (lambda b: b.put(HOW, "[" * 100_000), f"{HOW}: damaged JSON (maximum recursion depth"),
]


@pytest.mark.parametrize(("command", "problem"), COMMANDS)
def test_a_bad_command(command: str, problem: str, is_refused: Any) -> None:
    is_refused(command, problem)


@pytest.mark.parametrize(("override", "problem"), OVERRIDES)
def test_a_bad_override(override: str, problem: str, is_refused: Any) -> None:
    is_refused(f"{TRAIN} --set {override}", problem)


@pytest.mark.parametrize(("name", "content", "command", "problem"), FILES)
def test_a_bad_file(
    name: str, content: bytes | str, command: str, problem: str, bench: Any, is_refused: Any
) -> None:
    bench.put(name, content)
    is_refused(command + name if command[-1] in "= " else command, problem)


@pytest.mark.parametrize(
    ("command", "spoil", "problem"),
    [*((CLASSIFY, *each) for each in ADAPTERS), *((TRAIN, *each) for each in ENCODERS)],
)
def test_a_bad_model(command: str, spoil: Any, problem: str, bench: Any, is_refused: Any) -> None:
    spoil(bench)
    is_refused(command, problem)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("rows.csv", "predict run rows.csv --output new.csv"),
        ("rows.jsonl", "train recipe.yaml --out out --set data.train=rows.jsonl"),
        ("rows.txt", "audit rows.txt"),
        ("pipe.yaml", "train pipe.yaml --out out"),
    ],
)
def test_a_pipe_in_place_of_a_file(name: str, command: str, workplace: Path, ranklet: Any) -> None:
    os.mkfifo(name)
    answer = ranklet(*command.split())
    problem = f"error: {name}: is a pipe, not a file; write what it gives to a file first and name"
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(problem)
    assert len(answer.stderr.splitlines()) == 1


def test_all_problems_of_a_recipe_have_a_line_each(bench: Any, is_refused: Any) -> None:
    bench.put("a.yaml", f"{DATA}pooling: mean\nrank: 4\ntraining: {{epochs: 0}}\n")
    problems = "a.yaml:2: pooling: mean", "a.yaml:3: rank: unknown", "a.yaml:4: training.epochs"
    is_refused("train a.yaml --set seed=x", *problems, "--set seed=x: seed: got")


def test_plan_over_budget_shows_the_plan_too(workplace: Path, ranklet: Any) -> None:
    answer = ranklet("plan", "recipe.yaml", "--set", "budget=100", "--json")
    assert (answer.returncode, json.loads(answer.stdout)["total"]) == (2, 290)
    assert answer.stderr.startswith("error: budget: the plan trains 290 parameters, 190 over")


def test_a_folder_as_output(workplace: Path, is_refused: Any) -> None:
    (workplace / "a.csv").mkdir()
    is_refused(f"{PREDICT} test.csv --output a.csv", "cannot write a.csv: it is not a regular file")


@pytest.mark.parametrize(
    ("num_bytes", "out", "training", "file"),
    [
        (100, "out", "epochs=1", "plan.json"),
        (2600, "new/out", "epochs=4", "tensors.safetensors"),
        (2600, "empty", "epochs=9 --set training.checkpoint_every=99", "metrics.jsonl"),
    ],
)
def test_training_on_a_full_disk_leaves_nothing(
    num_bytes: int,
    out: str,
    training: str,
    file: str,
    workplace: Path,
    is_refused: Any,
    files_limited_to: Any,
) -> None:
    (workplace / "empty").mkdir()
    command = f"train recipe.yaml --out {out} --set training.{training}"
    with files_limited_to(num_bytes):
        problem = f"cannot write {out}/ .. {file}: file too large; "
        is_refused(command, problem, progress="budget|data|engine|unknown|epoch|best")


def test_a_disk_full_after_the_adapter_leaves_the_adapter(
    workplace: Path, ranklet: Any, files_limited_to: Any
) -> None:
    with files_limited_to(20_000):
        answer = ranklet(*TRAIN.split())
    assert answer.returncode == 2
    assert answer.stderr.endswith("; the trained adapter is whole: out/adapter\n")
    assert ranklet("classify", "out/adapter", "the goal").returncode == 0


def test_ctrl_c_before_there_is_anything_to_keep_leaves_nothing(
    bench: Any, ranklet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("ranklet.workflows._train.learn.fit", interrupt)
    before = bench.tree()
    # A shell that starts the tests in the background has Ctrl-C ignored.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = ranklet(*TRAIN.split())
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert answer.returncode == 130
    assert answer.stderr.endswith("error: interrupted; no run was finished\n")
    assert bench.tree() == before


@pytest.mark.parametrize("name", ["earlier.csv", "new.jsonl"])
def test_predicting_onto_a_full_disk(
    name: str, small_disk: Path, bench: Any, is_refused: Any
) -> None:
    shutil.copy("earlier.csv", small_disk / "earlier.csv")
    bench.put("many.jsonl", MANY)
    command = f"predict run many.jsonl --output disk/{name}"
    is_refused(command, f"cannot write disk/{name}: no space left on device; free some space")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("plan --jsn", "No such option: --jsn .. ; see ranklet plan --help"),
        (f"{PREDICT} many.jsonl", "cannot write earlier.csv: file too large; choose another path"),
        (f"{TRAIN} --set encoder=a/b", "model 'a/b': .. no answer from http://127.0.0.1:9 .. set"),
    ],
)
def test_a_bad_input_of_a_process_of_its_own(
    command: str, problem: str, bench: Any, is_refused: Any, ranklet_process: Any
) -> None:
    bench.put("many.jsonl", MANY)
    online = {"HF_HUB_OFFLINE": "", "HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*"}
    call = partial(ranklet_process, env=os.environ | online, blocks=8)
    is_refused(command, problem, call=call)


def test_a_full_disk_behind_standard_output_is_one_line(ranklet_process: Any) -> None:
    with open("/dev/full", "w") as full:
        answer = ranklet_process("recipes", capture_output=False, stdout=full, stderr=-1)
    assert answer.returncode == 2
    assert re.fullmatch("error: standard output: no space left on device; .*\n", answer.stderr)
