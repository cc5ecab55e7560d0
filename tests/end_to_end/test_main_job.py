"""The whole line through the command line: train, evaluate, predict and classify on files."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ranklet as library
from ranklet.cli.main import run as run_command_line
from ranklet.encoder.compiled_layers import COMPILERS
from ranklet.files import sha256_file
from ranklet.run.observer import Observer
from ranklet.workflows._train import cuda_graphs as capture_steps

Command = Callable[..., Any]

FLOAT32 = ("--precision", "float32")
LEARNS = (
    "--set", "training.epochs=30", "--set", "training.learning_rate=5e-3",
    "--set", "training.batch_size=4", "--set", "adapter.target_modules=all-linear",
)  # fmt: skip


def load(path: str) -> library.TextClassifier:
    """Load in float32, so that figures are comparable to 1e-5 on every machine."""
    return library.load(path, precision="float32")


def train(ranklet: Command, out: str, *options: str) -> Any:
    done = ranklet("train", "recipe.yaml", "--out", out, *options)
    assert done.returncode == 0, done.stderr
    return done


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_holds_everything_it_promises(made_once: Path) -> None:
    run = library.Run(made_once / "run")
    assert run.is_finished
    for path in (run.recipe, run.plan, run.environment, run.metrics, run.report):
        assert path.stat().st_size > 0
    kinds = ("training_loss", "validation_loss", "validation_accuracy", "test_confusion_counts",
             "test_confusion_shares", "test_class_bars")  # fmt: skip
    further = ("validation_scores", "learning_rate", "test_roc", "test_precision_recall",
               "test_reliability", "test_confidence", "test_coverage", "test_slices",
               "validation_class_bars", "text_words", "text_tokens", "class_distribution",
               "trained_parameters")  # fmt: skip
    for name in (*kinds, *further):
        assert (run.figures / f"{name}.svg").is_file()
        assert (run.figures / f"{name}.png").is_file()
        assert read_json(run.figures / f"{name}.json")["series"]
    data = read_json(run.data)
    assert data["rows"] == {"train": 18, "validation": 6, "test": 6}
    assert data["words"]["texts"]["test"] == [0, 0, 0, 0, 0, 6]
    assert data["label_rows"]["test"] == [3, 3]
    records = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert {"macro_precision", "macro_recall", "macro_f1"} <= set(records[-1])
    names = {path.name for path in run.adapter.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "labels.json"} <= names
    assert {"probes.json", "tokenizer.json", "README.md"} <= names
    assert "config.json" not in names


def test_the_certificate_holds_the_data_as_they_were_read(workplace: Path) -> None:
    expected = read_json(Path("run", "certificate.json"))["sha256"]["data"]

    def edit(total_steps: int) -> None:
        with Path("train.csv").open("a") as stream:
            stream.write("the coach a player,Sports\n")

    run = library.train(library.load_recipe("recipe.yaml"), "run2", observer=Observer(start=edit))
    assert sha256_file(Path("train.csv")) != expected["train"]
    assert read_json(run.certificate)["sha256"]["data"] == expected


def test_a_load_reads_the_adapter_once_and_a_training_twice(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def load_and_note(path: Path) -> dict[str, torch.Tensor]:
        read.append(path)
        return load_file(path)

    monkeypatch.setattr("ranklet.lora.adapter_file.load_file", load_and_note)
    load("run")
    assert len(read) == 1
    read.clear()
    run = library.train(library.load_recipe("recipe.yaml"), "run2")
    # What was written, before the folder has its name; then by the fresh object.
    assert len(read) == 2
    assert read[1] == run.adapter / "adapter_model.safetensors"


def test_the_certificate_counts_three_ways(made_once: Path) -> None:
    certificate = read_json(made_once / "run" / "certificate.json")
    # Two layers, query and value, rank 2, 16 wide; and BERT's linear head for two labels.
    expected = 2 * 2 * 2 * (16 + 16) + 16 * 2 + 2
    assert {certificate[name] for name in ("planned", "counted", "saved")} == {expected}
    assert certificate["within_budget"] is True
    adapter = made_once / "run" / "adapter" / "adapter_model.safetensors"
    assert certificate["sha256"]["adapter"] == sha256_file(adapter)
    assert certificate["sha256"]["data"]["train"] == sha256_file(made_once / "train.csv")


def test_the_report_needs_nothing_from_outside(made_once: Path) -> None:
    page = (made_once / "run" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page)
    assert "<svg" in page
    assert "Sports" in page


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    workplace: Path, ranklet: Command
) -> None:
    for out, seed in (("one", 3), ("two", 3), ("three", 4)):
        train(ranklet, out, "--set", f"seed={seed}", "--set", "adapter.dropout=0.1")
    files = [workplace / out / "adapter" / "adapter_model.safetensors" for out in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    other = workplace / "three" / "adapter" / "adapter_model.safetensors"
    assert other.read_bytes() != files[0].read_bytes()


def test_train_captures_its_steps_where_it_can(
    workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU a graph is the work done again; what leads to it is what a GPU would take."""
    replays: list[str] = []

    def again(device: torch.device) -> Any:
        return lambda work: lambda: [replays.append(device.type), *work()][1:]

    monkeypatch.setattr(capture_steps, "module_device", lambda model: torch.device("cuda"))
    monkeypatch.setattr(capture_steps, "reason_not_to_capture", lambda *_: None)
    monkeypatch.setattr(capture_steps, "cuda_graphs", again)
    options = ("--set", "training.epochs=8", "--set", "training.batch_size=4")
    said = train(ranklet, "captured", *options).stderr
    assert "steps: captured as CUDA graphs" in said
    train(ranklet, "eager", *options, "--set", "engine.capture_steps=never")
    assert len(replays) >= 16
    ours, theirs = (
        load_file(workplace / out / "adapter" / "adapter_model.safetensors")
        for out in ("captured", "eager")
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in theirs)


def test_the_resolved_recipe_gives_the_same_run_again(workplace: Path, ranklet: Command) -> None:
    train(ranklet, "one", "--set", "training.epochs=2", "--set", "seed=9")
    done = ranklet("train", "one/recipe.yaml", "--out", "again")
    assert done.returncode == 0
    first, again = (read_json(workplace / out / "certificate.json") for out in ("one", "again"))
    assert first == again


def test_it_learns_what_can_be_learnt(workplace: Path, ranklet: Command) -> None:
    train(ranklet, "learnt", *LEARNS)
    evaluated = ranklet("evaluate", "learnt", "--json")
    content = json.loads(evaluated.stdout)
    assert content["accuracy"] == 1.0
    low, high = content["interval"]
    assert 0.4 < low < high <= 1.0
    assert "Sports" in ranklet("evaluate", "learnt", "--data", "train.csv").stdout
    records = [json.loads(line) for line in Path("learnt/metrics.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in records if record["kind"] == "validation"]
    assert min(losses) < 0.8 * losses[0]


def test_test_labels_are_looked_at_only_for_the_final_figures(
    workplace: Path, ranklet: Command
) -> None:
    train(ranklet, "one")
    rows = (workplace / "test.csv").read_text().splitlines()
    swap = {"Sports": "World", "World": "Sports"}
    flipped = [f"{row.rsplit(',', 1)[0]},{swap[row.rsplit(',', 1)[1]]}" for row in rows[1:]]
    (workplace / "test.csv").write_text("\n".join([rows[0], *flipped]) + "\n")
    train(ranklet, "two")
    adapters = [Path(out, "adapter", "adapter_model.safetensors") for out in ("one", "two")]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()
    accuracy = [
        read_json(Path(out, "evaluation", "test.json"))["accuracy"] for out in ("one", "two")
    ]
    assert math.isclose(sum(accuracy), 1.0)


def predicted(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))


def test_predictions_keep_the_order_for_every_input_and_output(
    workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ranklet.workflows import predict

    monkeypatch.setattr(predict, "CHUNK_TEXTS", 4)  # several chunks and a rest
    texts = [
        f"{word} the {word}" for word in ("team", "treaty", "goal", "envoy", "", "capital")
    ] * 2
    Path("in.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    Path("in.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    with Path("in.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["id", "text"], *enumerate(texts)])
    model = load("run")
    expected = model.predict(texts)
    probabilities = model.predict_proba(texts)
    for source in ("in.txt", "in.jsonl", "in.csv"):
        for output in ("out.csv", "out.tsv"):
            done = ranklet(
                "predict", "run", source, "--output", output, "--probabilities", *FLOAT32
            )
            assert done.returncode == 0, done.stderr
            rows = predicted(Path(output))
            assert [row["label"] for row in rows] == expected
            columns = [
                [float(row[f"probability of {n}"]) for n in model.labels.names] for row in rows
            ]
            assert np.allclose(columns, probabilities, atol=2e-6)
    ranklet("predict", "run", "in.txt", "--output", "out.jsonl", *FLOAT32)
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == expected


@pytest.mark.filterwarnings("ignore")  # PyTorch's compiler warns of PyTorch's own parts
@pytest.mark.skipif(
    not any(shutil.which(name) for name in COMPILERS), reason="torch.compile needs a C++ compiler"
)
def test_compiled_predictions_are_the_same(workplace: Path, ranklet: Command) -> None:
    Path("in.txt").write_text("team\nenvoy\na treaty the border\n", encoding="utf-8")
    for output, options in (("plain.csv", ()), ("compiled.csv", ("--compile",))):
        done = ranklet("predict", "run", "in.txt", "--output", output, *FLOAT32, *options)
        assert done.returncode == 0, done.stderr
    plain, compiled = predicted(Path("plain.csv")), predicted(Path("compiled.csv"))
    assert [row["label"] for row in compiled] == [row["label"] for row in plain]
    for one, other in zip(plain, compiled, strict=True):
        assert float(one["probability"]) == pytest.approx(float(other["probability"]), abs=1e-5)


def test_without_a_compiler_nothing_is_compiled(
    workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    Path("in.txt").write_text("team\n", encoding="utf-8")
    done = ranklet("predict", "run", "in.txt", "--output", "out.csv", "--compile")
    assert done.returncode == 2
    assert "no C++ compiler" in done.stderr
    assert not Path("out.csv").exists()


def test_a_submission_has_two_columns_of_integers(workplace: Path, ranklet: Command) -> None:
    Path("in.txt").write_text("team\nenvoy\n")
    assert (
        ranklet(
            "predict", "run", "in.txt", "--output", "s.csv", "--submission", *FLOAT32
        ).returncode
        == 0
    )
    rows = predicted(Path("s.csv"))
    names = load("run").labels.names
    assert [row["ID"] for row in rows] == ["0", "1"]
    assert [names[int(row["Label"])] for row in rows] == load("run").predict(["team", "envoy"])
    assert list(rows[0]) == ["ID", "Label"]


def test_classify_prints_labels_and_bars(workplace: Path, ranklet: Command) -> None:
    done = ranklet("classify", "run", "the team", "an envoy", *FLOAT32)
    answers = load("run").predict(["the team", "an envoy"])
    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")] == answers
    assert "█" in done.stdout
    as_json = json.loads(ranklet("classify", "run", "the team", "--json", *FLOAT32).stdout)
    assert as_json[0]["label"] == answers[0]
    assert math.isclose(sum(as_json[0]["probabilities"].values()), 1.0, abs_tol=1e-6)


def test_the_adapter_folder_alone_answers_the_same_anywhere(workplace: Path) -> None:
    texts = ["the team a goal", "the envoy a treaty"]
    expected = load("run").predict_proba(texts)
    shutil.move("run/adapter", "elsewhere")
    assert np.array_equal(load("elsewhere").predict_proba(texts), expected)


def test_the_answer_does_not_depend_on_batch_mates_or_order(workplace: Path) -> None:
    model = load("run")
    texts = [f"the {word} " * (1 + n % 7) for n, word in enumerate(("team", "treaty", "x") * 9)]
    together = model.predict_proba(texts)
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(model.predict_proba(texts[::-1])[::-1] - together).max() < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        ("--set", "head=linear", "--set", "pooling=mean"),
        ("--set", "head=linear"),
        ("--set", "adapter.bias=all", "--set", "adapter.use_rslora=true"),
        ("--set", "training.batch_tokens=64", "--set", "training.gradient_accumulation_steps=2"),
        ("--set", "engine.attention=reference", "--set", "engine.precision=bfloat16"),
        ("--set", "data.validation=test.csv", "--set", "data.test=null"),
        ("--set", "training.max_steps=3", "--set", "training.evaluate_every=2"),
        ("--set", "adapter.target_modules=[word_embeddings, intermediate.dense]"),
        ("--set", "adapter.rank_pattern.query=5", "--set", "adapter.alpha_pattern={value: 2}"),
        (
            "--set",
            "adapter.layers=1-",
            "--set",
            "adapter.exclude_modules=[layer.1.attention.self.value]",
        ),
        ("--set", "adapter.use_dora=true", "--set", "adapter.train_layer_norm=true"),
        (
            "--set",
            "adapter.use_dora=true",
            "--set",
            "engine.precision=bfloat16",
            "--set",
            "adapter.target_modules=[value, word_embeddings, pooler.dense]",
        ),
        ("--set", "adapter.train_layer_norm=true", "--set", "engine.precision=bfloat16"),
        ("--set", "adapter.init=pissa", "--set", "training.loraplus_lr_ratio=4"),
        ("--set", "adapter.init=olora", "--set", "adapter.use_dora=true"),
        ("--set", "adapter.init=pissa", "--set", "engine.precision=bfloat16"),
        ("--set", "adapter.init=eva", "--set", "adapter.layers=[1]"),
    ],
    ids=lambda options: " ".join(options).replace("--set ", ""),
)
def test_options_reach_the_saved_model(
    workplace: Path, ranklet: Command, options: tuple[str, ...]
) -> None:
    train(ranklet, "run2", *options)
    certificate = read_json(Path("run2/certificate.json"))
    assert certificate["planned"] == certificate["saved"]
    planned = json.loads(ranklet("plan", "run2/recipe.yaml", "--json").stdout)
    assert planned["total"] == certificate["planned"]
    assert load("run2").predict(["the team"])[0] in ("Sports", "World")
    library.load("run2", precision="float32", merge=True)  # compares the probes
    in_file = sum(t.numel() for t in load_file("run2/adapter/adapter_model.safetensors").values())
    beside = certificate["saved_but_not_trained"]
    start, own = beside["subtracted_start"], Path("run2/adapter/head.safetensors")
    unfolded = sum(t.numel() for t in load_file(own).values()) if own.exists() else 0
    assert in_file + unfolded == certificate["saved"] + start + beside["folded_head"]
    subtracted = {"adapter.init=pissa", "adapter.init=olora"} & set(options)
    assert (start > 0) == bool(subtracted)
    checked = ranklet("verify", "run2")
    assert checked.returncode == 0, checked.stdout
    cut = ranklet("shrink", "run2", "--budget", str(planned["total"]), "--out", "small")
    if "adapter.use_dora=true" in options:
        assert cut.returncode == 2
        assert "use_dora" in cut.stderr
    else:
        assert cut.returncode == 0, cut.stderr
        assert ranklet("verify", "small").returncode == 0


def test_integer_labels_take_their_names(workplace: Path, ranklet: Command) -> None:
    numbers = {"World": "0", "Sports": "1"}
    for name in ("train.csv", "test.csv"):
        text = Path(name).read_text()
        Path(name).write_text(re.sub("(World|Sports)$", lambda m: numbers[m[1]], text, flags=re.M))
    train(ranklet, "named", "--set", "data.label_names=[World, Sports]")
    assert load("named").labels.names == ("World", "Sports")
    train(ranklet, "plain")
    assert load("plain").labels.names == ("0", "1")


def test_cleaning_is_the_same_in_training_and_prediction(workplace: Path, ranklet: Command) -> None:
    train(ranklet, "cleaned", "--set", "data.cleaning=[html, whitespace]")
    model = load("cleaned")
    dirty, clean = "the   <b>team</b> &amp; goal", "the team & goal"
    assert np.array_equal(model.predict_proba([dirty]), model.predict_proba([clean]))
    raw = load("run")
    assert not np.array_equal(raw.predict_proba([dirty]), raw.predict_proba([clean]))


def test_duplicates_across_splits_leave_train(workplace: Path, ranklet: Command) -> None:
    test_row = Path("test.csv").read_text().splitlines()[1]
    text, label = test_row.rsplit(",", 1)
    with Path("train.csv").open("a") as stream:
        stream.write(f"{text.upper()}!!,{label}\n" * 2)
    train(ranklet, "clean")
    about = read_json(Path("clean/environment.json"))
    assert about["duplicates"]["train_test"] >= 1
    train(ranklet, "kept", "--set", "data.duplicates=keep")
    kept = read_json(Path("kept/environment.json"))
    assert kept["duplicates"]["dropped"] == 0
    assert sum(kept["rows"].values()) > sum(about["rows"].values())


def test_a_folder_with_other_files_is_never_emptied(workplace: Path, ranklet: Command) -> None:
    own = workplace / "project"
    own.mkdir()
    shutil.copy("recipe.yaml", own)
    (own / "notes.txt").write_text("mine")
    done = ranklet("train", "recipe.yaml", "--out", "project")
    assert done.returncode == 2
    assert (own / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("recipe", ["recipe.yaml", "run/recipe.yaml", "quickstart"])
def test_a_finished_run_that_lost_its_certificate_is_not_emptied(
    recipe: str, workplace: Path, ranklet: Command
) -> None:
    (workplace / "run" / "certificate.json").unlink()
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    done = ranklet("train", recipe, "--out", "run")
    assert done.returncode == 2
    assert "run: holds files that are not an unfinished run's; choose another" in done.stderr
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_without_out_every_start_has_a_folder_of_its_own(workplace: Path, ranklet: Command) -> None:
    assert ranklet("train", "recipe.yaml", "--set", "data.train=none.csv").returncode == 2
    assert not Path("runs").exists()
    Path("runs/recipe").mkdir(parents=True)  # another start has just made it
    done = ranklet("train", "recipe.yaml")
    assert done.returncode == 0, done.stderr
    assert library.Run(Path("runs/recipe-2")).is_finished
    assert list(Path("runs/recipe").iterdir()) == []


def test_classify_writes_to_a_pipe_that_is_ascii_only(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["ranklet", "classify", "run", "the team"])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(SystemExit) as ended:
        run_command_line()
    assert ended.value.code == 0


def test_classify_does_not_load_the_compiler(workplace: Path) -> None:
    code = (
        "import sys\nfrom ranklet.workflows.classify import classify\n"
        "classify('run', ['the team'])\nsys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_verb_imports_transformers_or_peft(workplace: Path) -> None:
    verbs = (
        ["train", "recipe.yaml", "--out", "again"],
        ["evaluate", "run"],
        ["predict", "run", "test.csv", "--output", "out.csv"],
        ["classify", "run", "the team"],
        ["plan", "recipe.yaml"],
    )
    code = (
        "import sys\nfrom ranklet.cli.main import run\n"
        f"for verb in {verbs!r}:\n"
        "    sys.argv[1:] = verb\n"
        "    try: run()\n"
        "    except SystemExit as ended: assert ended.code == 0, verb\n"
        "found = {'transformers', 'peft', 'datasets', 'accelerate'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("saved", ["float32", "bfloat16"])
def test_a_model_loads_in_another_precision(workplace: Path, ranklet: Command, saved: str) -> None:
    train(ranklet, "run2", *LEARNS, "--set", f"engine.precision={saved}")
    texts = ["the team a goal", "the envoy a treaty"]
    expected = load("run2").predict(texts)
    assert library.load("run2", precision="float32").predict(texts) == expected
    assert library.load("run2", precision="bfloat16").predict(texts) == expected


@pytest.mark.filterwarnings("ignore")
def test_the_code_in_the_card_gives_label_names_to_peft(workplace: Path) -> None:
    pytest.importorskip("peft")
    card = Path("run/adapter/README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0]
    made: dict[str, Any] = {}
    exec(code.replace("this/folder", "run/adapter"), made)
    labels = json.loads(Path("run/adapter/labels.json").read_text())["labels"]
    assert made["model"].config.id2label == dict(enumerate(labels))
