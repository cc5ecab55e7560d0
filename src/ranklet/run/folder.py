"""The folder of one training: every path of it stands in `Run`, and nowhere else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ranklet.display import Display, shows_itself
from ranklet.errors import RunError
from ranklet.files import read_json_object, write_atomically
from ranklet.local_paths import LOCAL_FILE

RUNS_FOLDER = Path("runs")


class _Folder(Protocol):
    """A folder with a layout of its own."""

    @property
    def folder(self) -> Path:
        """Where it is."""


@dataclass(frozen=True)
class PathBelow:
    """What a folder has below it, under a fixed name."""

    name: str

    def __get__(self, owner: _Folder, kind: type) -> Path:
        return owner.folder / self.name


@shows_itself
@dataclass(frozen=True)
class Run:
    """The folder of one training.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    recipe = PathBelow("recipe.yaml")
    """The resolved recipe."""
    plan = PathBelow("plan.json")
    """Planned parameters, by module."""
    certificate = PathBelow("certificate.json")
    """Counted parameters, three ways; written last, so that it marks a finished run."""
    manifest = PathBelow("manifest.json")
    """SHA-256 of the files that the certificate leaves out, since a clock is in them."""
    environment = PathBelow("environment.json")
    """Versions, machine, data, times."""
    data = PathBelow("data.json")
    """Lengths and labels of the texts, by split."""
    metrics = PathBelow("metrics.jsonl")
    """Every training and validation record, one JSON object a line."""
    adapter = PathBelow("adapter")
    """The trained classifier, in PEFT's format."""
    evaluation = PathBelow("evaluation")
    """Everything that was measured: the files below, by split, and those of all splits."""
    baselines = PathBelow("evaluation/baselines.json")
    """Figures of simple classifiers on the same splits."""
    stress = PathBelow("evaluation/stress.json")
    """What shifts of the test texts did to the classifier."""
    figures = PathBelow("figures")
    """Pictures, PNG and SVG."""
    events = PathBelow("tensorboard")
    """TensorBoard's files, where they were asked for."""
    report = PathBelow("report.html")
    """The page to look at."""
    checkpoints = PathBelow("checkpoints")
    """What an interrupted training continues from; a finished run has none."""
    mark = PathBelow("unfinished.json")
    """Whose beginning this is; written first, so that nothing is emptied but an unfinished run of
    one's own, and removed once the certificate is there."""
    local = PathBelow(LOCAL_FILE)
    """Whole paths of what the other files name shortened; not for sharing."""
    lock = PathBelow(".ranklet-lock.tmp")
    """Held while a process trains here; by its name a temporary file, as it is."""

    def evaluation_of(self, split: str) -> Path:
        """Every figure of a split."""
        return self.evaluation / f"{split}.json"

    def curves(self, split: str) -> Path:
        """Points of the curves of a split."""
        return self.evaluation / f"{split}_curves.json"

    def predictions(self, split: str) -> Path:
        """What was said about each row of a split."""
        return self.evaluation / f"{split}_predictions.csv"

    def errors(self, split: str) -> Path:
        """The rows of a split that were predicted wrong, with their texts."""
        return self.evaluation / f"{split}_errors.csv"

    def importance(self, split: str) -> Path:
        """The words behind the errors of a split."""
        return self.evaluation / f"{split}_importance.json"

    @property
    def own_names(self) -> frozenset[str]:
        """What a training writes into the folder, by name."""
        described = (self.recipe, self.local, self.plan, self.environment, self.data)
        files = (self.mark, *described, self.metrics, self.manifest)
        folders = (self.adapter, self.evaluation, self.figures, self.events, self.checkpoints)
        ends = (self.report, self.certificate)
        return frozenset(path.name for path in (*files, *folders, *ends))

    @property
    def is_unfinished(self) -> bool:
        """Whether a run was begun here and not ended."""
        return self.mark.is_file() and not self.is_finished

    @property
    def is_finished(self) -> bool:
        """Whether the training ended and everything was written."""
        return self.certificate.is_file()

    def display(self) -> Display:
        """Return what there is of the run as a table."""
        state = "finished" if self.is_finished else "not finished"
        named = {
            "report.html": (self.report, "the page to look at"),
            "adapter/": (self.adapter, "the trained classifier, in PEFT's format"),
            "evaluation/": (self.evaluation, "figures, one file a split"),
            "recipe.yaml": (self.recipe, "the resolved recipe"),
            "plan.json": (self.plan, "planned parameters, by module"),
            "certificate.json": (self.certificate, "counted parameters and hashes"),
            "checkpoints/": (self.checkpoints, "what an interrupted training continues from"),
        }
        rows = [(name, what) for name, (path, what) in named.items() if path.exists()]
        return Display(f"Run {self.folder}, {state}", ("file", "holds"), rows)


def open_run(folder: Path) -> Run:
    """Open the folder of a finished run.

    Raises:
        RunError: There is no finished run.
    """
    run = Run(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; name the folder of a run (ranklet train --out)")
    if not run.is_finished:
        lacking = f"no run (there is no {run.certificate.name})"
        content = "an unfinished run" if run.is_unfinished else lacking
        raise RunError(f"{folder}: holds {content}; name the folder of a finished run")
    return run


@dataclass(frozen=True)
class SeedFolder:
    """The folder of one recipe trained with several seeds.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    recipe = PathBelow("recipe.yaml")
    """The recipe of all runs."""
    summary = PathBelow("seeds.json")
    """Seeds and figures of all runs; written last, so that it marks such a folder."""

    @property
    def is_begun(self) -> bool:
        """Whether the folder holds the recipe of several runs, and is not that of a single one."""
        single = Run(self.folder)
        of_single = (single.mark, single.plan, single.adapter, single.certificate)
        return self.recipe.is_file() and not any(path.exists() for path in of_single)

    def run(self, seed: int) -> Run:
        """The run of one seed."""
        return Run(self.folder / f"seed-{seed}")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        RunError: The file cannot be written.
    """
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run.

    Raises:
        RunError: The file is missing or broken.
    """
    return read_json_object(path, RunError)
