"""LoRA training by ranklet, through `ranklet train`'s own workflow."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from library.measure import Job, Result, now, peak_device_mib, peak_rss_mib
from library.workload import ALPHA, LEARNING_RATE, RANK, TARGETS

EPOCHS = 2


def train(job: Job) -> Result:
    """Train two epochs and measure the second one, from the end of one to the end of the other.

    Nothing is measured from inside the engine, so no fast path can be missed or flattered: the
    first epoch warms everything up, and fills the cache of frozen layers where there is one.
    """
    from ranklet.recipe import load_recipe
    from ranklet.run.observer import Observer
    from ranklet.workflows import train as workflow

    folder = Path(job["folder"])
    recipe_file = folder / "recipe.yaml"
    recipe_file.write_text(json.dumps(recipe_tree(job)), encoding="utf-8")
    recipe = load_recipe(recipe_file, job["settings"])
    clock = _EpochClock(job["device"])
    clock.begin()
    observer = Observer(report=clock.hear, record=clock.record)
    run = workflow.train(recipe, folder / "run", observer=observer)
    about = json.loads(run.environment.read_text(encoding="utf-8"))
    plan = json.loads(run.plan.read_text(encoding="utf-8"))
    return {
        **clock.figures(),
        "trainable": plan["total"],
        "dtype": about["machine"]["precision"],
        "configuration": "; ".join(clock.heard),
    }


def recipe_tree(job: Job) -> dict[str, Any]:
    """Return the recipe of a job before its settings."""
    recipe: dict[str, Any] = {
        "encoder": job["encoder"],
        "budget": 1_000_000_000,
        "seed": job["seed"],
        "data": {
            "train": job["texts"],
            "validation": job["validation"],
            "duplicates": "keep",
            "max_length": job["max_length"],
        },
        "adapter": {"rank": RANK, "alpha": float(ALPHA), "target_modules": list(TARGETS)},
        "training": {
            "epochs": EPOCHS,
            "batch_size": job["batch_size"],
            "learning_rate": LEARNING_RATE,
        },
        "engine": {"device": job["device"]},
    }
    if any(setting.startswith("training.batch_tokens=") for setting in job["settings"]):
        del recipe["training"]["batch_size"]
    if job["layers"] is not None:
        recipe["adapter"]["layers"] = job["layers"]
    return recipe


class _EpochClock:
    """Notes when epochs end; validations are left out of the second one's time.

    It waits for the device only where an epoch ends, so that it costs the training nothing.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.heard: list[str] = []
        self.began = self.first_step = 0.0
        self.trained: list[float] = []  # seconds at which each epoch's last step was done
        self.validated: list[float] = []
        self.steps = self.texts = self.tokens = 0
        self.loss = 0.0
        self.rss_mib = 0
        self.device_mib: int | None = None

    def begin(self) -> None:
        self.began = time.perf_counter()

    def hear(self, line: str) -> None:
        self.heard += (
            [line] if line.startswith(("engine:", "frozen layers", "cache", "steps:")) else []
        )

    def record(self, record: dict[str, Any]) -> None:
        if record["kind"] == "validation":
            self.validated.append(now(self.device))
            return
        self.first_step = self.first_step or time.perf_counter()
        if len(self.validated) == EPOCHS - 1:
            self.steps += 1
            self.texts += record["texts"]
            self.tokens += record["tokens"]
        if float(record["epoch"]).is_integer():
            self.trained.append(now(self.device))
            self.loss = record["loss"]
            self.rss_mib, self.device_mib = peak_rss_mib(), peak_device_mib(self.device)

    def figures(self) -> Result:
        seconds = self.trained[-1] - self.validated[-2]
        return {
            "texts_per_s": self.texts / seconds,
            "tokens_per_s": self.tokens / seconds,
            "texts": self.texts,
            "tokens": self.tokens,
            "steps": self.steps,
            "seconds": seconds,
            "until_first_step_s": self.first_step - self.began,
            "first_epoch_s": self.trained[0] - self.first_step,
            "peak_rss_mib": self.rss_mib,
            "peak_device_mib": self.device_mib,
            "last_loss": self.loss,
        }
