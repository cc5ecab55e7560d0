"""A workplace for the command line: a tiny random encoder, a few texts, a finished run."""

from __future__ import annotations

import hashlib
import json
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from sealed import seal
from torch import Tensor

import ranklet as library
from ranklet.cli import exit_codes
from ranklet.cli.main import run as run_command_line
from ranklet.encoder.bert import Encoder
from ranklet.encoder.config import read_config
from ranklet.evaluation.report.figures import drawing, training
from ranklet.run.certificate import write_manifest
from ranklet.run.folder import Run

Answer = subprocess.CompletedProcess[str]
Command = Callable[..., Answer]

TOPICS = {
    "Sports": ["team", "goal", "match", "coach", "player", "league"],
    "World": ["minister", "treaty", "border", "capital", "election", "envoy"],
}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = (*SPECIAL, *(word for words in TOPICS.values() for word in words), "the", "a")
CONFIG = {
    "model_type": "bert",
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-6,
    "pad_token_id": 0,
}
RECIPE = """\
encoder: encoder
budget: 10_000
data: {train: train.csv, test: test.csv, max_length: 16, validation: 6}
adapter: {rank: 2, target_modules: [query, value]}
training: {epochs: 1, batch_size: 8}
engine: {device: cpu, precision: float32}
"""


def write_encoder(
    folder: Path, vocabulary: Sequence[str] = VOCABULARY, num_hidden_layers: int = 2
) -> None:
    """Write a random BERT as a Hugging Face folder, without transformers."""
    folder.mkdir()
    shape = {"vocab_size": len(vocabulary), "num_hidden_layers": num_hidden_layers}
    (folder / "config.json").write_text(json.dumps(CONFIG | shape), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(1)
    encoder = Encoder(read_config(folder), with_pooler=True)
    for table in (module for module in encoder.modules() if isinstance(module, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    tensors = {f"bert.{name}": tensor for name, tensor in encoder.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")


def rows_of_text(number: int) -> str:
    """Write a csv of different texts of both topics."""
    rows = [
        f"the {words[row % 6]} a {words[row // 6 % 6]} {row},{label}"
        for row in range(number)
        for label, words in TOPICS.items()
    ]
    return "\n".join(["text,label", *rows]) + "\n"


@pytest.fixture(scope="session")
def encoder_of_words(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write an encoder of one layer that knows these words; its folder comes back."""

    def write(words: Sequence[str]) -> Path:
        folder = tmp_path_factory.mktemp("words") / "encoder"
        write_encoder(folder, (*SPECIAL, *words), num_hidden_layers=1)
        return folder

    return write


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `encoder`, `recipe.yaml`, `{train,test,several}.csv` and the run `run`."""
    folder = tmp_path_factory.mktemp("workplace")
    write_encoder(folder / "encoder")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "train.csv").write_text(rows_of_text(15), encoding="utf-8")
    (folder / "test.csv").write_text(rows_of_text(3), encoding="utf-8")
    several = rows_of_text(15).replace(",World\n", ",Sports|World\n", 5)
    (folder / "several.csv").write_text(several, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RANKLET_CACHE", str(folder.with_name("cache-of-workplace")))
        patch.setattr(sys, "argv", ["ranklet", "train", "recipe.yaml", "--out", "run"])
        with pytest.raises(SystemExit) as ended:
            run_command_line()
    assert ended.value.code == 0
    return folder


@cache
def empty_figure(kind: Literal["png", "svg"]) -> bytes:
    (rendered,) = drawing._rendered(training.training_loss([]), [kind])
    return rendered


def let_one_drawing_stand_for_all(patch: pytest.MonkeyPatch) -> None:
    files = {kind: empty_figure(kind) for kind in ("png", "svg")}
    patch.setattr(drawing, "_rendered", lambda _, kinds: [files[kind] for kind in kinds])


@pytest.fixture(autouse=True)
def _one_drawing(made_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one drawing stand for all but those of `made_once`: they are most of a tiny training."""
    let_one_drawing_stand_for_all(monkeypatch)


@pytest.fixture(scope="session")
def train_in() -> Callable[..., None]:
    """Train a `recipe.yaml` where it lies, as a fixture that many tests share does it."""

    def train(folder: Path, out: Path | str, *overrides: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("RANKLET_CACHE", str(folder.with_name(f"cache-of-{folder.name}")))
            let_one_drawing_stand_for_all(patch)
            library.train(library.load_recipe("recipe.yaml", overrides), out)

    return train


@pytest.fixture
def workplace(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `made_once` without pictures, and an earlier output, as the working directory."""
    folder = tmp_path / "workplace"
    left_out = shutil.ignore_patterns("figures", "report.html", "local.json")
    shutil.copytree(made_once, folder, ignore=left_out)
    write_manifest(Run(folder / "run"))
    (folder / "earlier.csv").write_text("label,probability\nWorld,0.9\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(folder / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return folder


@pytest.fixture
def ranklet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call the command line inside this process; what it printed and its exit code come back."""

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["ranklet", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command_line()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, *printed)

    return call


@pytest.fixture
def ranklet_process() -> Command:
    """Call the command line in a process of its own.

    `blocks` limits the size of the files it writes; other keywords go to `subprocess.run`.
    """

    def call(*arguments: str, blocks: int | None = None, **options: object) -> Answer:
        limit = f"ulimit -f {'unlimited' if blocks is None else blocks}"
        code = "from ranklet.cli.main import run; run()"
        command = ["sh", "-c", f'{limit}; exec "$@"', "sh", sys.executable, "-c", code]
        defaults = {"capture_output": True, "text": True, "timeout": 120}
        return subprocess.run([*command, *arguments], **(defaults | options))

    return call


class Bench:
    """Ways to spoil the files of a workplace; what changes values of an adapter mends its sums."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes | str) -> None:
        raw = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(raw)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def cut(self, name: str) -> None:
        """Keep the first two thirds of a file."""
        raw = (self.folder / name).read_bytes()
        self.put(name, raw[: len(raw) * 2 // 3])

    def fields(self, name: str, **changes: object) -> None:
        """Change fields of a JSON object; None removes one."""
        values = json.loads((self.folder / name).read_text(encoding="utf-8")) | changes
        self.put(
            name, json.dumps({key: value for key, value in values.items() if value is not None})
        )
        seal((self.folder / name).parent)

    def drop(self, name: str, part: str) -> None:
        """Remove the tensors that have `part` in their names."""
        held = load_file(self.folder / name)
        save_file({key: held[key] for key in held if part not in key}, self.folder / name)
        seal((self.folder / name).parent)

    def tensor(self, name: str, key: str, change: Callable[[Tensor | None], Tensor]) -> None:
        """Replace a tensor, or add one."""
        held = load_file(self.folder / name)
        changed = {**held, key: change(held.get(key)).contiguous()}
        save_file(changed, self.folder / name)
        seal((self.folder / name).parent)

    def tree(self) -> dict[str, str]:
        """Describe everything in the folder: files by their hash."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else "folder"
            for path in sorted(self.folder.rglob("*"))
        }


@pytest.fixture
def bench(workplace: Path) -> Bench:
    return Bench(workplace)


def lines_of_refusal(answer: Answer, progress: str = "(?!)") -> list[str]:
    """Check that a command was refused; return its problems, without the lines of `progress`."""
    assert (answer.returncode, answer.stdout) == (2, ""), answer.stderr
    lines = answer.stderr.removesuffix("\n").split("\n")
    lines = [line for line in lines if not re.match(progress, line)]
    assert all(line.startswith("error: ") and len(line) < 700 for line in lines), answer.stderr
    return [line.removeprefix("error: ") for line in lines]


@pytest.fixture
def problems_of(
    ranklet: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Call a command in `tmp_path`; return its problems, after checking that it wrote nothing."""
    print_error = exit_codes.print_error

    def print_one_line(problem: str) -> None:
        assert "\n" not in problem, "print_error would hide it"
        print_error(problem)

    def call(*arguments: str) -> list[str]:
        before = Bench(tmp_path).tree()
        lines = lines_of_refusal(ranklet(*arguments))
        assert Bench(tmp_path).tree() == before
        return lines

    monkeypatch.setattr(exit_codes, "print_error", print_one_line)
    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture
def problem_of(problems_of: Callable[..., list[str]]) -> Callable[..., str]:
    """Call a command that has one problem, `PLACE: FIELD: PROBLEM`; return the last part."""

    def call(place: str, field: str, *arguments: str) -> str:
        (line,) = problems_of(*arguments)
        start = "".join(f"{part}: " for part in (place, field) if part)
        assert line.startswith(start), line
        problem = line.removeprefix(start)
        assert field or not re.match(r"[\w.]+: ", problem), f"{line!r} names a field"
        return problem

    return call


@pytest.fixture
def is_refused(bench: Bench, ranklet: Command) -> Callable[..., None]:
    """Check that a command ends with exit code 2, a line for each problem, and nothing written.

    ` .. ` in a problem stands for anything. `progress` is what may come before the problems.
    """

    def check(
        command: str, *problems: str, call: Command = ranklet, progress: str = "(?!)"
    ) -> None:
        before = bench.tree()
        lines = lines_of_refusal(call(*shlex.split(command)), progress)
        assert len(lines) == len(problems), lines
        for line, problem in zip(lines, problems, strict=True):
            pattern = ".*".join(map(re.escape, problem.split(" .. ")))
            assert re.match(pattern, line), line
        assert bench.tree() == before

    return check


@pytest.fixture
def trains(workplace: Path, ranklet: Command) -> Callable[..., Answer]:
    """Check that a file which somebody brings trains, if need be with what its refusal names.

    `fixes` are settings (`data.encoding=cp1252`) or options (`--label topic`). Without them the
    file must train as it is; with them it must be refused in one line that spells each of them, and
    then train with them. `given` are settings and options of both calls. The answer of the training
    comes back.
    """

    def arguments(words: Sequence[str]) -> list[str]:
        options = [word.split(" ") if word.startswith("--") else ["--set", word] for word in words]
        return [part for option in options for part in option]

    def check(file: str | Path, *fixes: str, given: Sequence[str] = ()) -> Answer:
        settings = [f"data.train={file}", "data.test=null", "data.validation=2"]
        command = ["train", "recipe.yaml", *arguments([*settings, "training.max_steps=1", *given])]
        if fixes:
            before = Bench(workplace).tree()
            (line,) = lines_of_refusal(ranklet(*command))
            missing = [fix for fix in fixes if fix not in line]
            assert not missing, f"{missing} not in {line!r}"
            assert Bench(workplace).tree() == before
        answer = ranklet(*command, *arguments(fixes))
        assert answer.returncode == 0, answer.stderr
        return answer

    return check


@pytest.fixture
def small_disk(workplace: Path) -> Iterator[Path]:
    """A file system of 16 kB inside the workplace."""
    disk = workplace / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def files_limited_to() -> Callable[[int], AbstractContextManager[None]]:
    """Let every write beyond a file size fail in this process, as on a full disk."""

    @contextmanager
    def limit(num_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit
