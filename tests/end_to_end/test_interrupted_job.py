"""Trainings that end too early, by whatever: the same command ends with the same bytes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ranklet as library
from ranklet.encoder import kernels
from ranklet.errors import RunError, TrainingStoppedError
from ranklet.run import environment
from ranklet.training.checkpoints import Checkpoint, checkpoint_folders
from ranklet.workflows import train as workflow
from ranklet.workflows._train import learn as fit_model
from ranklet.workflows._train import preparation
from ranklet.workflows._train import resume as continue_run
from ranklet.workflows._train.resume import CheckpointSchedule
from ranklet.workflows._train.signals import stop_on_signals

Command = Callable[..., Any]

OPTIONS = ("training.epochs=5", "training.batch_size=4", "training.checkpoint_every=2",
           "adapter.dropout=0.1", "head_dropout=0.1", "training.token_dropout=0.1")  # fmt: skip


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time of so small a training, and no hash covers them."""
    monkeypatch.setattr(workflow, "write_run_report", lambda run, hashes: None)


class Crash(BaseException):
    """The end of a process."""


def recipe(*options: str) -> library.Recipe:
    return library.load_recipe("recipe.yaml", [*OPTIONS, *options])


def crash_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training end when it has handed its checkpoint of a step to be written."""
    keep = CheckpointSchedule.keep

    def keep_or_crash(self: CheckpointSchedule, checkpoint: Checkpoint) -> None:
        keep(self, checkpoint)
        if checkpoint.step >= step:
            raise Crash

    monkeypatch.setattr(CheckpointSchedule, "keep", keep_or_crash)


def interrupted(folder: str, *options: str, step: int = 6) -> library.Run:
    with pytest.MonkeyPatch.context() as patch:
        crash_after(step, patch)
        with pytest.raises(Crash):
            library.train(recipe(*options), folder)
    return library.Run(Path(folder))


def trained(folder: str, *options: str) -> tuple[dict[str, Any], list[str]]:
    """Train; return the certificate, which holds the hashes of everything, and what was said."""
    from ranklet.run.observer import Observer

    said: list[str] = []
    run = library.train(recipe(*options), folder, observer=Observer(report=said.append))
    assert not run.checkpoints.exists()
    return json.loads(run.certificate.read_text()), said


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("training.gradient_accumulation_steps=2", "training.evaluate_every=3"),
        ("adapter.layers=[1]", "adapter.init=eva", "adapter.dropout=0"),
        (
            "data.problem_type=multi_label_classification",
            "data.train=several.csv",
            "training.metric=macro_f1",
        ),
        ("engine.products=int8",),
        (
            "training.contrastive_steps=3",
            "head_start=probe",
            "training.evaluate_every=1",
            "data.cleaning=[whitespace]",
        ),
        ("adapter.fit=5_000", "adapter.fit_mode=measured"),
        (
            "augmentation.word_swap=0.3",
            "augmentation.typo_noise=0.3",
            "training.sampling=balanced",
            "training.curriculum=length",
            "data.long_texts=head_tail",
            "data.max_length=6",
        ),
        ("data.long_texts=windows", "data.max_length=6", "adapter.layers=[1]"),
        ("engine.precision=float16", "engine.attention=reference"),
        ("adapter.use_dora=true", "training.checkpoint_every=null", "training.evaluate_every=2"),
    ],
    ids=" ".join,
)
def test_what_was_interrupted_ends_as_what_was_not(
    workplace: Path, options: tuple[str, ...]
) -> None:
    expected, _ = trained("undisturbed", *options)
    interrupted("again", *options, step=2)
    interrupted("again", *options, step=6)
    found, said = trained("again", *options)
    assert found == expected
    assert [line for line in said if "continues" in line] == [
        "continues after step 6, from its checkpoint"
    ]
    lines = [Path(name, "metrics.jsonl").read_text() for name in ("undisturbed", "again")]
    assert len(lines[0].splitlines()) == len(lines[1].splitlines())
    adapters = [Path(n, "adapter", "adapter_model.safetensors") for n in ("undisturbed", "again")]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()


def test_a_training_goes_on_with_the_kernels_it_began_with(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("adapter.dropout=0",)  # layers with dropout are not fused, and ask nothing
    monkeypatch.setattr(kernels, "_answers", {})
    trained("asking", *options)
    fixed = kernels.answered_questions()
    (attention,) = (question for question in fixed if "attention" in question)
    others = {attention: 0}
    monkeypatch.setattr(kernels, "_answers", dict(others))
    expected, _ = trained("undisturbed", *options)
    interrupted("again", *options)
    monkeypatch.setattr(kernels, "_answers", {})  # a new process, which would be answered otherwise
    found, _ = trained("again", *options)
    assert found == expected
    assert kernels.answered_questions()[attention] == 0 != fixed[attention]
    about = json.loads(Path("again", "environment.json").read_text())
    assert about["kernels"][attention] == 0


def test_the_starts_are_not_computed_again(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("adapter.init=eva", "adapter.fit=5_000", "training.contrastive_steps=2")
    interrupted("run2", *options)
    for name in ("start_from_activations", "start_adapters", "fit_ranks"):
        monkeypatch.setattr(preparation, name, None)
    trained("run2", *options)


def test_the_probe_is_always_that_of_what_has_started(workplace: Path) -> None:
    options = ("head_start=probe", "adapter.init=eva", "training.contrastive_steps=3")
    expected, said = trained("undisturbed", *options)
    interrupted("again", *options)
    found, said_again = trained("again", *options)
    assert found == expected
    probes = [[line for line in lines if "linear probe" in line] for lines in (said, said_again)]
    assert probes[0] == probes[1] != []


def test_an_end_after_the_last_step_repeats_no_step(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: object) -> None:
        raise Crash

    expected, _ = trained("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "certify_run", crash)
        with pytest.raises(Crash):
            library.train(recipe(), "run2")
    assert Path("run2", "adapter").is_dir()
    monkeypatch.setattr("ranklet.training.fit.take_step", None)
    assert trained("run2")[0] == expected


@pytest.mark.parametrize("spoil", ["cut", "flip", "remove"])
def test_a_damaged_checkpoint_is_left_out_with_a_warning(workplace: Path, spoil: str) -> None:
    expected, _ = trained("undisturbed")
    run = interrupted("again")
    newest, before = checkpoint_folders(run.checkpoints)
    path = newest / "tensors.safetensors"
    content = path.read_bytes()
    if spoil == "remove":
        path.unlink()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 16])
        path.write_bytes(flipped if spoil == "flip" else content[:-1])
    found, said = trained("again")
    assert found == expected
    assert f"warning: {newest} is damaged and left out" in said
    step = int(before.name.removeprefix("step-"))
    assert f"continues after step {step}, from its checkpoint" in said


def test_where_every_checkpoint_is_damaged_it_starts_anew(workplace: Path) -> None:
    expected, _ = trained("undisturbed")
    run = interrupted("again")
    for path in checkpoint_folders(run.checkpoints):
        (path / "state.json").write_text("{}")
    found, said = trained("again")
    assert found == expected
    assert len([line for line in said if line.startswith("warning: ")]) == 2
    assert not any("continues" in line for line in said)


def test_a_checkpoint_of_another_training_is_refused(
    workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted("begun")
    held = sorted(str(path) for path in run.folder.rglob("*"))

    def refusal(*options: str) -> str:
        given = [part for option in (*OPTIONS, *options) for part in ("--set", option)]
        answer = ranklet("train", "recipe.yaml", "--out", "begun", *given)
        assert (answer.returncode, answer.stdout) == (2, "")
        (line,) = answer.stderr.splitlines()
        start, _, end = line.partition("; ")
        assert end == "to start anew, remove begun/checkpoints or choose another --out"
        assert sorted(str(path) for path in run.folder.rglob("*")) == held
        return start.removeprefix("error: begun: holds an unfinished training of ")

    with monkeypatch.context() as patch:
        versions = {"torch": "2.0.1"}
        real = environment.environment
        patch.setattr(continue_run, "environment", lambda *given: real(*given) | versions)
        assert re.fullmatch(r"another torch \(2\..*, here 2\.0\.1\)", refusal())
    weights = Path("encoder", "vocab.txt").read_text()
    Path("encoder", "vocab.txt").write_text(weights + "more\n")
    assert refusal().startswith("another encoder")
    Path("encoder", "vocab.txt").write_text(weights)
    rows = Path("train.csv").read_text()
    Path("train.csv").write_text(rows.replace("team", "squad", 1))
    assert refusal() == "another data"
    Path("train.csv").write_text(rows)
    shutil.rmtree(run.checkpoints)
    trained("begun")


def test_the_beginning_of_another_recipe_is_left_alone(workplace: Path) -> None:
    run = interrupted("begun")
    other = recipe("training.learning_rate=1e-4")
    for checkpoints in (True, False):
        if not checkpoints:
            shutil.rmtree(run.checkpoints)
        held = sorted(str(path) for path in run.folder.rglob("*"))
        with pytest.raises(RunError, match="begun: holds an unfinished run of another recipe; "):
            library.train(other, "begun")
        assert sorted(str(path) for path in run.folder.rglob("*")) == held


def test_missing_records_are_refused(workplace: Path) -> None:
    run = interrupted("begun")
    run.metrics.write_text("")
    with pytest.raises(RunError, match="bytes are missing since the last checkpoint; restore it"):
        library.train(recipe(), "begun")


def test_other_verbs_meet_an_unfinished_run(workplace: Path, ranklet: Command) -> None:
    interrupted("begun")
    answer = ranklet("verify", "begun")
    assert answer.returncode == 2
    assert "begun: holds an unfinished run; name the folder of a finished run" in answer.stderr


def test_a_full_disk_leaves_the_checkpoint_before(workplace: Path) -> None:
    from ranklet.training import checkpoints

    expected, _ = trained("undisturbed")
    write = checkpoints.write_atomically

    def write_until_full(path: Path, data: bytes) -> None:
        if path.parent.parent.name == "checkpoints" and b'"step": 6' in data:
            raise RunError(f"cannot write {path}: no space left on device; free some space")
        write(path, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "write_atomically", write_until_full)
        with pytest.raises(RunError) as caught:
            library.train(recipe(), "again")
    assert re.fullmatch(
        r"cannot write again/checkpoints/.*: no space left on device; free some space; "
        "the same command then continues the training",
        str(caught.value),
    )
    names = [path.name for path in Path("again", "checkpoints").iterdir()]
    assert sorted(names) == ["step-00000002", "step-00000004"]
    assert trained("again")[0] == expected


# Signals


def test_a_signal_ends_the_training_after_its_step(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = fit_model._batch_loader

    def signalling(*arguments: Any) -> Any:
        load, loaded = loader(*arguments), []

        def load_batch(indices: Any) -> Any:
            loaded.append(1)
            if len(loaded) == 3:
                signal.raise_signal(signal.SIGUSR1)
            return load(indices)

        return load_batch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_model, "_batch_loader", signalling)
        with pytest.raises(TrainingStoppedError) as caught:
            library.train(recipe("training.checkpoint_every=1000"), "again")
    assert str(caught.value) == (
        "stopped by SIGUSR1 after step 3; run the same command again to continue"
    )
    assert [path.name for path in Path("again", "checkpoints").iterdir()] == ["step-00000003"]
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    expected, _ = trained("undisturbed", "training.checkpoint_every=1000")
    assert trained("again", "training.checkpoint_every=1000")[0] == expected


@pytest.mark.parametrize(
    ("module", "moment"),
    [(fit_model, "_validate"), (workflow, "evaluate_splits"), (preparation, "read_splits")],
)
def test_a_signal_outside_of_a_step_ends_it_at_once(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, moment: str
) -> None:
    expected, _ = trained("undisturbed")

    def signalled(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the signal must end it before")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, moment, signalled)
        with pytest.raises(TrainingStoppedError, match="stopped by SIGTERM; run the same"):
            library.train(recipe(), "again")
    assert Path("again").exists() == (moment != "read_splits")
    assert trained("again")[0] == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_while_the_certificate_is_written_finds_the_run_finished(
    number: signal.Signals,
    workplace: Path,
    ranklet: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal_at_the_certificate(number, monkeypatch)
    answer = ranklet("train", "recipe.yaml", "--out", "again")
    assert answer.returncode == 0, answer.stderr
    assert_finished("again", ranklet)


@pytest.mark.parametrize("late", [False, True], ids=["before its rename", "after it"])
def test_ctrl_c_once_the_adapter_is_written_is_130(
    late: bool, workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        signal_at_the_certificate(signal.SIGINT, patch, late)
        # A shell that starts the tests in the background has Ctrl-C ignored.
        ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            answer = ranklet("train", "recipe.yaml", "--out", "again")
        finally:
            signal.signal(signal.SIGINT, ignored)
    assert answer.returncode == 130
    state = "the run is finished: again" if late else "the trained adapter is whole: again/adapter"
    assert answer.stderr.endswith(f"error: interrupted; {state}\n")
    if not late:
        assert ranklet("train", "recipe.yaml", "--out", "again").returncode == 0
    assert_finished("again", ranklet)


def signal_at_the_certificate(
    number: signal.Signals, patch: pytest.MonkeyPatch, late: bool = False
) -> None:
    write = workflow.write_json

    def signalled(path: Path, content: Any) -> None:
        is_last = path.name == "certificate.json"
        if is_last and not late:
            signal.raise_signal(number)
        write(path, content)
        if is_last and late:
            signal.raise_signal(number)

    patch.setattr(workflow, "write_json", signalled)


def assert_finished(folder: str, ranklet: Command) -> None:
    assert ranklet("verify", folder).returncode == 0
    assert not Path(folder, "checkpoints").exists()
    assert not Path(folder, "unfinished.json").exists()


def test_ctrl_c_ends_all_seeds(
    workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: CheckpointSchedule, checkpoint: Checkpoint) -> None:
        if checkpoint.step == 4:  # the first epoch was validated
            raise KeyboardInterrupt

    several = ("train", "recipe.yaml", "--out", "several", "--seeds", "0,1",
               "--set", "training.epochs=2", "--set", "training.checkpoint_every=4")  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointSchedule, "keep", interrupt)
        answer = ranklet(*several)
    assert answer.returncode == 130, answer.stderr
    assert answer.stderr.endswith(
        "interrupted; several/seed-0 is finished; the same command trains what is missing\n"
    )
    assert not Path("several/seed-1").exists()
    assert ranklet(*several).returncode == 0
    assert Path("several/seeds.json").is_file()


def test_listening_ends_with_the_first_signal_and_with_the_training() -> None:
    own = signal.getsignal(signal.SIGUSR1)
    with stop_on_signals() as stop, stop.deferred():
        assert signal.getsignal(signal.SIGUSR1) != own
        signal.raise_signal(signal.SIGUSR1)
        assert stop.signal == "SIGUSR1"
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        stop.signal = None
    heard: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with stop_on_signals():
            signal.raise_signal(signal.SIGUSR1)  # the program's own listener keeps its place
        assert heard == [signal.SIGUSR1]
        assert signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, own)


def test_outside_of_the_main_thread_nobody_listens() -> None:
    entered: list[bool] = []

    def listen() -> None:
        with stop_on_signals() as stop:
            entered.append(stop.signal is None)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert entered == [True]


def test_in_a_worker_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pool ends it by SIGTERM and waits for that."""
    monkeypatch.setattr("multiprocessing.parent_process", object)
    with stop_on_signals():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


# Processes of their own

LONG = ("training.epochs=15", "training.batch_size=4", "training.checkpoint_every=1",
        "adapter.dropout=0.1", "training.token_dropout=0.1",
        "training.evaluate_every=20")  # fmt: skip


def start(out: str) -> subprocess.Popen[str]:
    given = [part for option in LONG for part in ("--set", option)]
    code = "from ranklet.cli.main import run; run()"
    command = [sys.executable, "-c", code, "train", "recipe.yaml", "--out", out, *given]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def wait_for_checkpoint(out: str, process: subprocess.Popen[str]) -> None:
    while not checkpoint_folders(Path(out, "checkpoints")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_sigkill_and_sigterm_and_the_same_command_again(workplace: Path, ranklet: Command) -> None:
    given = [part for option in LONG for part in ("--set", option)]
    assert ranklet("train", "recipe.yaml", "--out", "undisturbed", *given).returncode == 0

    killed = start("again")
    wait_for_checkpoint("again", killed)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL

    first = checkpoint_folders(Path("again", "checkpoints"))[0]
    stopped = start("again")
    while checkpoint_folders(Path("again", "checkpoints"))[0] == first:
        assert stopped.poll() is None, stopped.communicate()
        time.sleep(0.01)
    stopped.terminate()
    said = stopped.communicate(timeout=60)[1]
    assert stopped.returncode == 75, said
    assert re.search(r"continues after step \d+, from its checkpoint\n", said)
    assert re.search(r"error: stopped by SIGTERM( after step \d+)?; run the same .*\n\Z", said)

    last = ranklet("train", "recipe.yaml", "--out", "again", *given)
    assert last.returncode == 0
    assert "continues after step" in last.stderr
    one, other = (Path(n, "adapter", "adapter_model.safetensors") for n in ("undisturbed", "again"))
    assert one.read_bytes() == other.read_bytes()
    certificates = [Path(n, "certificate.json").read_text() for n in ("undisturbed", "again")]
    assert certificates[0] == certificates[1]


def test_a_second_signal_ends_a_process_at_once(workplace: Path) -> None:
    code = (
        "import os, signal, time\n"
        "from ranklet.workflows._train.signals import stop_on_signals\n"
        "with stop_on_signals() as stop, stop.deferred():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print(stop.signal, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGUSR1, "SIGTERM\n")
    assert os.listdir(".")
