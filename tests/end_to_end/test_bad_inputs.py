"""Every bad input, through the command line: one line, exit code 2, nothing written."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

Arrange = Callable[[Path], object]
Tensors = dict[str, Any]

ABSENT = object()
TRAIN = "train recipe.yaml --out out"
CLASSIFY = "classify run 'the goal'"
LONG = "x" * 300


def put(name: str, content: bytes | str) -> Arrange:
    raw = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(raw)


def copied(name: str, new: str) -> Arrange:
    return lambda folder: shutil.copy(folder / name, folder / new)


def removed(*names: str) -> Arrange:
    return lambda folder: [(folder / name).unlink() for name in names]


def cut(name: str) -> Arrange:
    """Keep the first two thirds of a file."""

    def arrange(folder: Path) -> None:
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: len(raw) * 2 // 3])

    return arrange


def fields(name: str, **changes: object) -> Arrange:
    """Change fields of a JSON object."""

    def arrange(folder: Path) -> None:
        path = folder / name
        values = json.loads(path.read_text(encoding="utf-8")) | changes
        kept = {key: value for key, value in values.items() if value is not ABSENT}
        path.write_text(json.dumps(kept), encoding="utf-8")

    return arrange


def tensors(name: str, change: Callable[[Tensors], object]) -> Arrange:
    """Change the tensors of a safetensors file, in place."""

    def arrange(folder: Path) -> None:
        held = load_file(folder / name)
        change(held)
        save_file({key: tensor.clone().contiguous() for key, tensor in held.items()}, folder / name)

    return arrange


def both(*arrangements: Arrange) -> Arrange:
    return lambda folder: [arrange(folder) for arrange in arrangements]


def nothing(folder: Path) -> None:
    pass


def tree(folder: Path) -> dict[str, str]:
    """Describe everything in a folder: files by their hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def assert_refused(answer: subprocess.CompletedProcess[str], *problems: str) -> None:
    """Check exit code and stderr; ` .. ` in a problem stands for anything."""
    assert answer.returncode == 2, answer.stderr
    assert answer.stdout == ""
    lines = answer.stderr.removesuffix("\n").split("\n")
    assert len(lines) == len(problems), answer.stderr
    for line, problem in zip(lines, problems, strict=True):
        pattern = ".*".join(map(re.escape, problem.split(" .. ")))
        assert re.match(f"error: {pattern}", line), line
        assert len(line) < 700


# What is typed: (command, problem)
USAGE = [
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
]

# A recipe file: (content, problems, one a line)
DATA = "data: {train: train.csv}\n"
RECIPES = [
    ("", "bad.yaml:1: got null; a recipe is a mapping of fields"),
    (f"{DATA}budgett: 3", "bad.yaml:2: budgett: unknown key; did you mean budget?"),
    (f"{DATA}training: {{learning_rate: .nan}}", "bad.yaml:2: training.learning_rate: got .nan"),
    (f"{DATA}seed: 1\nseed: 2", "bad.yaml:3: seed: given twice, first at bad.yaml:2; keep one"),
    (f"{DATA}training: {{epochs: true}}", "bad.yaml:2: training.epochs: got true; allowed: whole"),
    (f'{DATA}budget: "3"', 'bad.yaml:2: budget: got "3"; allowed .. remove the quotes'),
    (f"{DATA}pooling: mean", "bad.yaml:2: pooling: mean needs head: linear"),
    (f"{DATA}encoder: *x", "bad.yaml:2: encoder: alias *x; recipes have none, write the value"),
    (f"{DATA}encoder: [a", "bad.yaml:2: not valid YAML: expected ',' or ']'"),
    (f"{DATA}---\n{DATA}", "bad.yaml:2: a second YAML document"),
    ("data:\n\ttrain: a", "bad.yaml:2: not valid YAML: a tab"),
    ("seed: 1", "bad.yaml:1: data.train: missing; say what to train on"),
    ("[" * 3000, "bad.yaml:1: nested more than 16 deep"),
    (b"seed: 1\nencoder: caf\xe9", "bad.yaml:2: byte 0xE9 is not UTF-8; save the file as UTF-8"),
    (b"PK\x03\x04\0\0", "bad.yaml:1: not valid YAML: control character"),
    (
        f"{DATA}pooling: mean\nrank: 4\ntraining: {{epochs: 0, schedule: slow}}",
        "bad.yaml:2: pooling: mean needs head: linear",
        "bad.yaml:3: rank: unknown key; did you mean adapter.rank?",
        "bad.yaml:4: training.epochs: got 0; allowed: whole number >= 1",
        'bad.yaml:4: training.schedule: got "slow"; allowed: one of cosine, linear, constant',
    ),
]

# What is added to `train recipe.yaml --out out`: (options, problems, one a line)
OPTIONS = [
    ("--set trainig.epochs=2", "--set trainig.epochs=2: trainig: unknown key; did you mean train"),
    ("--set seed", "--set seed: not an override; write a field, = and a value"),
    ("--set seed=-1", "--set seed=-1: seed: got -1; allowed: whole number >= 0"),
    ("--set adapter.rank.x=1", "--set adapter.rank.x=1: adapter.rank.x: .. nothing below it"),
    (
        "--set budget=x --set adapter.alpha=.inf",
        '--set budget=x: budget: got "x"; allowed: whole number >= 1',
        "--set adapter.alpha=.inf: adapter.alpha: got .inf; allowed: number > 0",
    ),
    ("--set data.test=train.csv", "--set data.test=train.csv: data.test: the same file as"),
    ("--set budget=200", "budget: .. 290 parameters, 90 over .. adapter.rank 1 .. fits (162)"),
    ("--set budget=9", "budget: .. not even rank 1 on these modules fits"),
    ("--set adapter.layers=[0,2]", "adapter.layers: layer 2 holds no .. allowed: 0 to 1"),
    (
        "--set adapter.target_modules=[querry]",
        "adapter.target_modules: 'querry' matches no module; did you mean .. query",
    ),
    ("--set adapter.target_modules=[LayerNorm]", "adapter.target_modules: 'LayerNorm' matches no"),
    (
        "--set 'adapter.rank_pattern={query: 1, self.query: 2}'",
        "adapter.rank_pattern: 'query' and 'self.query' both match bert.encoder.layer.0",
    ),
    (
        "--set 'adapter.alpha_pattern={dense: 4}'",
        "adapter.alpha_pattern: 'dense' matches no adapted module; .. query, value",
    ),
    ("--set data.max_length=41", "data.max_length: 41 is more than encoder 'encoder' takes; .. 40"),
    ("--set data.validation=30", "train.csv: data.validation 30 takes 30 of 24 rows; .. 2 to 22"),
    ("--set data.validation=none.csv", "none.csv: no such file; near names"),
    ("--set data.test=x.jsonl", "x.jsonl: no such file; that folder holds 'earlier.csv', 'test."),
    ("--set data.test=test.cvs", "test.cvs: no such data; give a file (.csv"),
    ("--set data.min_words=50", "train.csv: no row has 50 .. widen data.min_words"),
    ("--set data.duplicates=refuse", "train.csv: duplicate texts: .. set data.duplicates to"),
    ("--set data.text_column=txt", "train.csv:1: no column 'txt'; .. did you mean 'text'?"),
    ("--set data.label_names=[a,b]", "train.csv:2: label 'Sports' is not one of 'a', 'b', nor"),
    ("--set encoder=nowhere/at/all", "encoder 'nowhere/at/all': no such folder; name a"),
    ("--set encoder=train.csv", "encoder 'train.csv': no such folder; name a"),
    (f"--set encoder={LONG}", f"model '{LONG}': neither a local copy nor a hub id"),
]

# Training data: (file, content, problem)
HEAD = b"text,label\n"
ROWS = HEAD + b"one,a\ntwo,b\n"
FILES = [
    ("a.csv", b"", "a.csv: the file is empty; its first line must hold"),
    ("a.csv", HEAD, "a.csv: no rows; give a file with at least one"),
    ("a.csv", ROWS + b"three\n", "a.csv:4: too few cells: 1 where the header has 2; quote"),
    ("a.csv", ROWS + b"a\0b,a\n", "a.csv:4: NUL byte at byte 2"),
    ("a.csv", ROWS + b"caf\xe9,a\n", "a.csv:4: byte 0xE9 at byte 4 .. not UTF-8; convert"),
    ("a.csv", b"text,lable\none,a\n", "a.csv:1: no column 'label' .. did you mean 'lable'?"),
    ("a.csv", b"text,text\n", "a.csv:1: two columns are named 'text'"),
    ("a.csv", ROWS + b"three,\n", "a.csv:4: column 'label': empty label; fill it in"),
    ("a.csv", ROWS + b",a\n", "a.csv:4: column 'text': empty text; delete the row"),
    ("a.csv", ROWS + b'"three,a\n', "a.csv:4: a quote opened in this row is never closed"),
    ("a.csv", HEAD + b"one,a\ntwo,a\n", "a.csv: every row has the label 'a'; a classifier needs"),
    ("a.csv", ROWS, "a.csv:2: one row only for 'a', 'b', and a stratified split needs 2"),
    ("a.csv", b"text;label\none;a\n", "a.csv:1: .. separated by semicolons"),
    ("a.tsv", b"text\tlabel\none\ta\tb\n", "a.tsv:2: too many cells: 3"),
    ("a.jsonl", b'{"text": "a", "label": "b"}\n{"text": "a",\n', "a.jsonl:2: not valid JSON"),
    ("a.jsonl", b'{"text": "a", "label": NaN}\n', "a.jsonl:1: NaN is no JSON number; use null"),
    ("a.jsonl", b'{"text": "a", "text": "b"}\n', "a.jsonl:1: key 'text' stands twice"),
    ("a.jsonl", b'{"text": 7, "label": "b"}\n', "a.jsonl:1: column 'text': found an integer"),
    ("a.parquet", b"PAR1 and then nothing", "a.parquet: not a sound parquet file"),
    ("a.txt", b"one\ntwo\n", "a.txt:1: no column 'label'; the columns are 'text'"),
    ("a.xlsx", b"PK\x03\x04", "a.xlsx: unknown suffix '.xlsx'; allowed are .csv"),
]

# What is asked of a finished run: (arrangement, command, problem)
PREDICT = "predict run a.{} --output earlier.csv"
MANY = b'{"text": "the goal"}\n' * 1500
QUESTIONS = [
    (nothing, "predict run none.csv --output earlier.csv", "none.csv: no such file; near names"),
    (nothing, "predict run encoder --output earlier.csv", "encoder: is a folder; name a file"),
    (put("a.txt", b"a\0b"), PREDICT.format("txt"), "a.txt:1: NUL byte"),
    (put("a.txt", b""), PREDICT.format("txt"), "a.txt: no rows"),
    (put("a.csv", b"txt\na\n"), PREDICT.format("csv"), "a.csv:1: no column 'text'; .. 'txt'"),
    (put("a.json", b"[]"), PREDICT.format("json"), "a.json: unknown suffix '.json'; allowed"),
    (
        put("a.jsonl", MANY + b'{"txt": "the goal"}\n'),
        PREDICT.format("jsonl"),
        "a.jsonl:1501: no column 'text'",
    ),
    (nothing, "evaluate run --data none.csv", "none.csv: no such file"),
    (nothing, "evaluate run --label-column class", "test.csv:1: no column 'class'"),
    (put("a.csv", ROWS), "evaluate run --data a.csv", "a.csv:2: label 'a' is not one of 'Sports',"),
    (
        put("a.csv", HEAD + b"one,Sports\ntwo,sport\n"),
        "evaluate run --data a.csv",
        "a.csv:3: label 'sport' is not one of 'Sports', 'World', nor .. did you mean 'Sports'?",
    ),
    (put("a.txt", b"a\n"), "evaluate run --data a.txt", "a.txt:1: no column 'label'"),
    (nothing, "evaluate run/adapter", "run/adapter: no test data; name some with --data"),
    (nothing, "classify nowhere text", "nowhere: no such folder; name the folder of a run"),
    (nothing, "classify train.csv text", "train.csv: no such folder; name the folder of a run"),
    (nothing, f"classify {LONG} text", f"{LONG} .. file name too long"),
    (nothing, "classify encoder text", "encoder: holds neither a run .. nor a PEFT adapter"),
    (removed("run/certificate.json"), CLASSIFY, "run: holds an unfinished run; name the folder"),
    (put("run/recipe.yaml", "data: 1"), "evaluate run", "run/recipe.yaml:1: data: got 1; allow"),
]

# The adapter of a run: (name, arrangement, problem)
CONFIG = "run/adapter/adapter_config.json"
TENSORS = "run/adapter/adapter_model.safetensors"
FIRST = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight"
OUTPUT = "base_model.model.classifier.weight"
ADAPTERS = [
    ("no config", removed(CONFIG), "run/adapter: no adapter_config.json; name a ranklet run"),
    ("cut config", cut(CONFIG), f"{CONFIG}: not readable as JSON"),
    ("deep config", put(CONFIG, "[" * 100_000), f"{CONFIG}: not readable as JSON"),
    ("list as config", put(CONFIG, "[]"), f"{CONFIG}: must hold a JSON object, found list"),
    ("not LoRA", fields(CONFIG, peft_type="IA3"), f"{CONFIG}: peft_type 'IA3' is not LORA"),
    ("DoRA", fields(CONFIG, use_dora=True), f"{CONFIG}: option use_dora=True is not supported"),
    ("new option", fields(CONFIG, warp=3), f"{CONFIG}: option warp=3 is not supported"),
    ("PiSSA", fields(CONFIG, init_lora_weights="pissa"), f"{CONFIG}: init_lora_weights 'pissa'"),
    ("text as rank", fields(CONFIG, r="2"), f"{CONFIG}: r must be .. above 0, found '2'"),
    ("no alpha", fields(CONFIG, lora_alpha=ABSENT), f"{CONFIG}: lora_alpha must .. found None"),
    ("endless alpha", fields(CONFIG, lora_alpha=1e999), f"{CONFIG}: lora_alpha must be"),
    ("text as dropout", fields(CONFIG, lora_dropout="x"), f"{CONFIG}: lora_dropout must be"),
    ("text as rsLoRA", fields(CONFIG, use_rslora="no"), f"{CONFIG}: use_rslora must be"),
    ("bias", fields(CONFIG, bias="some"), f"{CONFIG}: bias 'some'; allowed: none, lora_only"),
    ("pattern", fields(CONFIG, rank_pattern={"(": 2}), f"{CONFIG}: rank_pattern key '('"),
    ("other rank", fields(CONFIG, r=3), "run/adapter: .. has rank 2 .. but 3 in adapter_config"),
    ("no tensors", removed(TENSORS), "run/adapter: no adapter_model.safetensors; pickled"),
    ("cut tensors", cut(TENSORS), f"{TENSORS}: not a complete safetensors file"),
    ("half a pair", tensors(TENSORS, lambda held: held.pop(FIRST)), f"{TENSORS}: .. its twin"),
    ("no pair", tensors(TENSORS, lambda held: held.clear()), f"{TENSORS}: holds no LoRA tensors"),
    (
        "narrow pair",
        tensors(TENSORS, lambda held: held.update({FIRST: held[FIRST][:, :4]})),
        "adapter: bert.encoder.layer.0.attention.self.query.lora_A.weight has shape (2, 4), but",
    ),
    (
        "NaN",
        tensors(TENSORS, lambda held: held[FIRST].fill_(float("nan"))),
        f"{TENSORS}: tensor '{FIRST}' is not all finite numbers",
    ),
    (
        "integers",
        tensors(TENSORS, lambda held: held.update({FIRST: held[FIRST].int()})),
        f"{TENSORS}: tensor '{FIRST}' is not all finite numbers",
    ),
    (
        "unknown tensor",
        tensors(TENSORS, lambda held: held.update({"base_model.model.x": held[FIRST]})),
        f"{TENSORS}: tensor 'x' is neither an adapter, nor the head",
    ),
    (
        "no head",
        tensors(TENSORS, lambda held: [held.pop(name) for name in list(held) if "class" in name]),
        "run/adapter: the adapter carries no head for two or more labels; train it with",
    ),
    (
        "three classes",
        tensors(TENSORS, lambda held: held.update({OUTPUT: held[OUTPUT].repeat(2, 1)})),
        "adapter: classifier.weight has shape (4, 16), but .. 2 labels needs (2, 16)",
    ),
    (
        "fewer layers",
        both(
            fields("encoder/config.json", num_hidden_layers=1),
            tensors(
                "encoder/model.safetensors",
                lambda held: [held.pop(name) for name in list(held) if "layer.1." in name],
            ),
        ),
        "adapter: bert.encoder.layer.1 .. is no adaptable module of encoder 'encoder'; name",
    ),
    ("one label", put("run/adapter/labels.json", '{"labels": ["a"]}'), "run/adapter: 1 labels"),
    (
        "twice a label",
        put("run/adapter/labels.json", '{"labels": ["a", "a"]}'),
        "run/adapter/labels.json: must hold .. each name once",
    ),
    ("number as label", put("run/adapter/labels.json", '{"labels": [1, 2]}'), "run/adapter/lab"),
    ("no labels", put("run/adapter/labels.json", "{}"), "run/adapter/labels.json: must hold"),
    (
        "other head",
        fields("run/adapter/classifier.json", head="deep"),
        "run/adapter/classifier.json: head: Input should be 'dense' or 'linear'",
    ),
    (
        "encoder gone",
        fields("run/adapter/classifier.json", encoder="./gone"),
        "encoder './gone': no such folder; name a Hugging Face model folder",
    ),
    (
        "no encoder named",
        both(removed("run/adapter/classifier.json"), fields(CONFIG, base_model_name_or_path=None)),
        "run/adapter: the adapter names no encoder; .. base_model_name_or_path",
    ),
    (
        "another answer",
        tensors(TENSORS, lambda held: held[OUTPUT].mul_(-3)),
        "run/adapter: the model answers differently from when it was saved",
    ),
    (
        "another encoder",
        tensors(
            "encoder/model.safetensors",
            lambda held: held["bert.embeddings.word_embeddings.weight"].add_(0.5).mul_(-1),
        ),
        "run/adapter: the model answers differently from when it was saved",
    ),
    ("probe dtype", fields("run/adapter/probes.json", dtype="nn"), "run/adapter/probes.json: not"),
    ("probe count", fields("run/adapter/probes.json", texts=[]), "run/adapter/probes.json: (8, 2)"),
    ("cut probes", cut("run/adapter/probes.json"), "run/adapter/probes.json: not readable"),
]

# The encoder's folder: (name, arrangement, problem)
SIZES = "encoder/config.json"
WEIGHTS = "encoder/model.safetensors"
QUERY = "bert.encoder.layer.1.attention.self.query.weight"
ENCODERS = [
    ("no config", removed(SIZES), "encoder: no config.json; name a Hugging Face model folder"),
    ("cut config", cut(SIZES), f"{SIZES}: not readable as JSON"),
    ("null as config", put(SIZES, "null"), f"{SIZES}: must hold a JSON object"),
    ("GPT-2", fields(SIZES, model_type="gpt2"), f"{SIZES}: model_type 'gpt2' .. choose .. bert"),
    ("list as type", fields(SIZES, model_type=["bert"]), f"{SIZES}: model_type ['bert']"),
    ("text as size", fields(SIZES, hidden_size="16"), f"{SIZES}: hidden_size must be an integer"),
    ("no size", fields(SIZES, vocab_size=ABSENT), f"{SIZES}: vocab_size must be .. found None"),
    ("huge size", fields(SIZES, vocab_size=10**30), f"{SIZES}: vocab_size must be"),
    ("odd heads", fields(SIZES, num_attention_heads=3), f"{SIZES}: hidden_size 16 is not a mult"),
    ("positions", fields(SIZES, position_embedding_type="relative_key"), f"{SIZES}: position_emb"),
    ("no weights", removed(WEIGHTS), "encoder: no model.safetensors; name a folder"),
    (
        "pickle",
        both(removed(WEIGHTS), put("encoder/pytorch_model.bin", b"\x80\x02.")),
        "encoder: no model.safetensors; pytorch_model.bin is a pickle .. convert it",
    ),
    ("cut weights", cut(WEIGHTS), f"{WEIGHTS}: not a complete safetensors file"),
    ("empty weights", put(WEIGHTS, b""), f"{WEIGHTS}: not a complete safetensors file"),
    (
        "missing tensor",
        tensors(WEIGHTS, lambda held: held.pop(QUERY)),
        "encoder: 1 tensors are missing, such as encoder.layer.1.attention.self.query.weight",
    ),
    (
        "no pooler",
        tensors(WEIGHTS, lambda held: [held.pop(name) for name in list(held) if "pool" in name]),
        "encoder: 2 tensors are missing, such as pooler.dense.bias; .. use head: linear",
    ),
    (
        "unexpected tensor",
        tensors(WEIGHTS, lambda held: held.update({"bert.x": held[QUERY]})),
        "encoder: 1 tensors have no place in the encoder, such as x; the file is of another",
    ),
    (
        "other shape",
        tensors(WEIGHTS, lambda held: held.update({QUERY: held[QUERY][:, :8]})),
        "encoder: encoder.layer.1 .. has shape (16, 8), config.json wants (16, 16)",
    ),
    (
        "NaN weights",
        tensors(WEIGHTS, lambda held: held[QUERY][0].fill_(float("nan"))),
        "encoder: encoder.layer.1 .. is not all finite",
    ),
    (
        "shard gone",
        both(
            removed(WEIGHTS),
            put(f"{WEIGHTS}.index.json", '{"weight_map": {"x": "model-1.safetensors"}}'),
        ),
        "encoder/model-1.safetensors: no such file; the model folder is incomplete",
    ),
    (
        "shard outside",
        both(removed(WEIGHTS), put(f"{WEIGHTS}.index.json", '{"weight_map": {"x": "../x"}}')),
        f"{WEIGHTS}.index.json: shard '../x' lies outside the folder",
    ),
    (
        "number as shard",
        both(removed(WEIGHTS), put(f"{WEIGHTS}.index.json", '{"weight_map": {"x": 1}}')),
        f"{WEIGHTS}.index.json: not a safetensors index",
    ),
    ("no tokenizer", removed("encoder/vocab.txt"), "encoder: no tokenizer; it must hold"),
    ("damaged tokenizer", put("encoder/tokenizer.json", "{"), "encoder/tokenizer.json: damaged"),
    ("no [CLS]", put("encoder/vocab.txt", "[UNK]\na"), "encoder/vocab.txt: special tokens [CLS]"),
    (
        "deep tokenizer settings",
        put("encoder/tokenizer_config.json", "[" * 100_000),
        "encoder/tokenizer_config.json: damaged JSON",
    ),
    (
        "large tokenizer",
        put("encoder/vocab.txt", "\n".join(["[UNK]", "[CLS]", "[SEP]", *map(str, range(50))])),
        "encoder: the tokenizer has 53 tokens, the encoder 19; the files do not belong",
    ),
]

# Where things go: (arrangement, command, problem)
OUT = "train recipe.yaml --out {}"
OUTPUT_TO = "predict run test.csv --output {}"
PATHS = [
    (nothing, OUT.format("train.csv"), "train.csv: is a file; choose another --out"),
    (nothing, OUT.format("run"), "run: holds a finished run; choose another --out, or remove"),
    (nothing, OUT.format("encoder"), "encoder: is not empty and holds no run; choose another"),
    (nothing, OUT.format("train.csv/x"), "train.csv/x: .. train.csv is a file; choose another"),
    (nothing, OUT.format(f"new/{LONG}"), f"cannot write new/{LONG}: file name too long; choose"),
    (nothing, OUTPUT_TO.format("new.xlsx"), "new.xlsx: unknown suffix '.xlsx'; allowed are .csv"),
    (nothing, OUTPUT_TO.format("new"), "new: unknown suffix ''; allowed are .csv, .tsv, .jsonl"),
    (nothing, OUTPUT_TO.format("none/new.csv"), "none/new.csv: there is no folder none; create"),
    (nothing, OUTPUT_TO.format("test.csv/x.csv"), "test.csv/x.csv: there is no folder test.csv"),
    (nothing, OUTPUT_TO.format("test.csv"), "test.csv: is the input itself; name another"),
    (nothing, OUTPUT_TO.format("run/../test.csv"), "run/../test.csv: is the input itself"),
    (nothing, OUTPUT_TO.format(f"{LONG}.csv"), f"cannot write {LONG}.csv: file name too long"),
    (
        lambda folder: (folder / "x.csv").mkdir(),
        OUTPUT_TO.format("x.csv"),
        "cannot write x.csv: it is not a regular file; name a file",
    ),
    (nothing, "train nowhere.yaml", "nowhere.yaml: no such file; give a recipe's path"),
    (nothing, "train encoder", "encoder: a folder; a recipe is a file in it"),
    (nothing, "train quickstrt", "quickstrt: no such file or built-in recipe; did you mean quick"),
    (nothing, "recipes show agnews", "agnews: no such file or built-in .. did you mean ag_news?"),
]

# No network and an empty cache: (command, problem)
OFFLINE = [
    (f"{TRAIN} --set encoder=owner/model", "model 'owner/model': the cache .. HF_HUB_OFFLINE"),
    (
        f"{TRAIN} --set encoder=roberta-base --set budget=1_000_000",
        "model 'roberta-base': the cache .. does not hold it .. use --set encoder=FOLDER",
    ),
    ("plan recipe.yaml --set encoder=owner/model", "model 'owner/model': the cache"),
    (f"{TRAIN} --set 'encoder=a model'", "model 'a model': neither a local copy nor a hub id"),
    (f"{TRAIN} --set data.train=ag_news", "data set 'fancyzhx/ag_news': .. --set data.train=FILE"),
    (f"{TRAIN} --set data.test=owner/name", "data set 'owner/name': the cache"),
    ("plan recipe.yaml --set data.train=owner/name", "data.label_names: the labels of 'owner/na"),
    ("evaluate run --data owner/name", "data set 'owner/name': the cache .. HF_HUB_OFFLINE"),
    (f"{TRAIN} --set data.train=agnews", "agnews: no such data; .. did you mean 'ag_news'?"),
]

CASES = [
    *(pytest.param(nothing, each[0], each[1:], id=each[0]) for each in USAGE),
    *(
        pytest.param(put("bad.yaml", each[0]), "train bad.yaml --out out", each[1:], id=each[1])
        for each in RECIPES
    ),
    *(pytest.param(nothing, f"{TRAIN} {each[0]}", each[1:], id=each[0][:60]) for each in OPTIONS),
    *(
        pytest.param(put(name, raw), f"{TRAIN} --set data.train={name}", (problem,), id=problem)
        for name, raw, problem in FILES
    ),
    *(pytest.param(*each[:2], each[2:], id=each[2][-60:]) for each in (*QUESTIONS, *PATHS)),
    *(pytest.param(each[1], CLASSIFY, each[2:], id=f"adapter: {each[0]}") for each in ADAPTERS),
    *(pytest.param(each[1], TRAIN, each[2:], id=f"encoder: {each[0]}") for each in ENCODERS),
    *(pytest.param(nothing, each[0], each[1:], id=f"offline: {each[0]}") for each in OFFLINE),
]


@pytest.mark.parametrize(("arrange", "command", "problems"), CASES)
def test_a_bad_input_is_one_line_and_nothing_is_written(
    arrange: Arrange, command: str, problems: tuple[str, ...], workplace: Path, ranklet: Any
) -> None:
    arrange(workplace)
    before = tree(workplace)
    assert_refused(ranklet(*shlex.split(command)), *problems)
    assert tree(workplace) == before


def test_plan_over_budget_shows_the_plan_and_refuses(workplace: Path, ranklet: Any) -> None:
    before = tree(workplace)
    answer = ranklet("plan", "recipe.yaml", "--set", "budget=100", "--json")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: budget: the plan trains 290 parameters, 190 over")
    assert (json.loads(answer.stdout)["total"], answer.stderr.count("\n")) == (290, 1)
    assert tree(workplace) == before


@contextmanager
def files_limited_to(num_bytes: int) -> Iterator[None]:
    """Let every write beyond a file size fail in this process, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("out", ["out", "new/out", "empty"])
@pytest.mark.parametrize(
    ("num_bytes", "epochs", "file"),
    [(100, 1, "recipe.yaml"), (2000, 4, "metrics.jsonl"), (1200, 1, "adapter_model.safetensors")],
)
def test_training_on_a_full_disk_leaves_nothing(
    num_bytes: int, epochs: int, file: str, out: str, workplace: Path, ranklet: Any
) -> None:
    (workplace / "empty").mkdir()
    before = tree(workplace)
    with files_limited_to(num_bytes):
        answer = ranklet(*f"train recipe.yaml --out {out} --set training.epochs={epochs}".split())
    *progress, problem = answer.stderr.splitlines()
    assert (answer.returncode, answer.stdout) == (2, "")
    assert re.match(f"error: cannot write {out}/.*{file}: file too large; ", problem)
    assert [line for line in progress if not re.match("budget|data|engine|epoch|best", line)] == []
    assert tree(workplace) == before


def test_a_disk_that_is_full_after_the_adapter_leaves_the_adapter(
    workplace: Path, ranklet: Any
) -> None:
    with files_limited_to(5000):
        answer = ranklet(*shlex.split(TRAIN))
    assert answer.returncode == 2
    assert answer.stderr.endswith("; the trained adapter is whole: out/adapter\n")
    assert ranklet("classify", "out/adapter", "the goal").returncode == 0
    assert_refused(ranklet("classify", "out", "the goal"), "out: holds an unfinished run")


def test_ctrl_c_before_there_is_anything_to_keep_leaves_nothing(
    workplace: Path, ranklet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ranklet.workflows.train.fit", interrupt)
    before = tree(workplace)
    answer = ranklet(*shlex.split(TRAIN))
    assert answer.returncode == 130
    assert answer.stderr.endswith("error: interrupted; no run was finished\n")
    assert tree(workplace) == before


@pytest.fixture()
def small_disk(workplace: Path) -> Iterator[Path]:
    """A file system of 16 kB inside the workplace."""
    disk = workplace / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("name", ["earlier.csv", "new.jsonl"])
def test_predicting_onto_a_full_disk_keeps_the_earlier_output(
    name: str, small_disk: Path, workplace: Path, ranklet: Any
) -> None:
    shutil.copy("earlier.csv", small_disk / "earlier.csv")
    (workplace / "many.jsonl").write_bytes(MANY)
    before = tree(workplace)
    answer = ranklet(*f"predict run many.jsonl --output disk/{name}".split())
    assert_refused(answer, f"cannot write disk/{name}: no space left on device; free some space")
    assert tree(workplace) == before


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))


@pytest.mark.parametrize(
    ("command", "options", "problem"),
    [
        ("plan --jsn", {}, "No such option: --jsn .. ; see ranklet plan --help"),
        ("plan recipe.yaml --set seed=-1", {}, "--set seed=-1: seed: got -1"),
        ("classify nowhere text", {}, "nowhere: no such folder; name the folder of a run"),
        (
            f"{TRAIN} --set encoder=owner/model",
            {"HF_HUB_OFFLINE": "", "HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*"},
            "model 'owner/model': .. no answer from http://127.0.0.1:9 .. connect, set HF_ENDPOINT",
        ),
        (
            "predict run many.jsonl --output earlier.csv",
            {"preexec_fn": limit_files},
            "cannot write earlier.csv: file too large; choose another path",
        ),
    ],
)
def test_a_bad_input_of_a_whole_process(
    command: str, options: dict[str, Any], problem: str, workplace: Path, ranklet_process: Any
) -> None:
    (workplace / "many.jsonl").write_bytes(MANY)
    before = tree(workplace)
    variables = {key: value for key, value in options.items() if key.isupper()}
    others = {key: value for key, value in options.items() if not key.isupper()}
    answer = ranklet_process(*shlex.split(command), env=os.environ | variables, **others)
    assert_refused(answer, problem)
    assert tree(workplace) == before


def test_a_full_disk_behind_standard_output_is_one_line(ranklet_process: Any) -> None:
    with open("/dev/full", "w") as full:
        answer = ranklet_process("recipes", capture_output=False, stdout=full, stderr=-1)
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: standard output: no space left on device; choose another place\n"
    )
