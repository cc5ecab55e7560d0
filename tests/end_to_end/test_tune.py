"""A search from end to end: the same trials however often it is killed, and a winner to believe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ranklet as library
from ranklet.errors import RunError, TrainingDivergedError
from ranklet.run.folder import Run
from ranklet.search.trial import SearchResult
from ranklet.workflows._tune.job import Job, do_job
from ranklet.workflows.tune import RayWorkers, Search

Command = Callable[..., Any]

OPTIONS = ("training.epochs=3", "training.batch_size=4", "data.test=null", "adapter.dropout=0.1")


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time of so small a training, and no hash covers them."""
    from ranklet.workflows import train as workflow

    monkeypatch.setattr(workflow, "write_run_report", lambda run, hashes: None)


def recipe(*options: str) -> library.Recipe:
    return library.load_recipe("recipe.yaml", [*OPTIONS, *options])


def job(folder: Path, share: float, *options: str) -> Job:
    return Job(0, recipe(*options).model_dump_json(), str(folder), share)


def test_a_trial_that_pauses_and_goes_on_ends_with_the_same_bytes(workplace: Path) -> None:
    first = do_job(job(workplace / "paused", 1 / 3))
    assert first.ending == "paused"
    assert first.value is not None
    middle = do_job(job(workplace / "paused", 2 / 3))
    assert middle.steps == 2 * first.steps
    last = do_job(job(workplace / "paused", 1.0))
    whole = do_job(job(workplace / "whole", 1.0))
    assert (last.ending, last.value, last.steps) == (whole.ending, whole.value, whole.steps)
    assert last.steps == 3 * first.steps
    paused, unpaused = Run(workplace / "paused"), Run(workplace / "whole")
    for name in ("adapter_model.safetensors", "classifier.json"):
        assert (paused.adapter / name).read_bytes() == (unpaused.adapter / name).read_bytes()
    steps = [json.loads(line) for line in paused.metrics.read_text().splitlines()]
    numbers = [record["step"] for record in steps if record["kind"] == "train"]
    assert numbers == list(range(1, last.steps + 1))  # none is repeated


def test_a_run_that_is_finished_is_not_trained_again(workplace: Path) -> None:
    done = do_job(job(workplace / "one", 1.0))
    before = Run(workplace / "one").certificate.read_bytes()
    again = do_job(job(workplace / "one", 1.0))
    assert (again.ending, again.value) == ("finished", done.value)
    assert Run(workplace / "one").certificate.read_bytes() == before


@pytest.mark.parametrize(
    ("error", "ending", "line"),
    [
        (TrainingDivergedError("the loss is nan", 3), "diverged", "the loss is nan"),
        (ValueError("no such luck"), "failed", "ValueError: no such luck"),
        (RunError("the disk is full"), "failed", "the disk is full"),
    ],
    ids=["diverged", "ours", "theirs"],
)
def test_what_diverges_and_what_fails_is_told_apart(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, ending: str, line: str
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("ranklet.workflows.train.train", broken)
    outcome = do_job(job(workplace / "b", 1.0))
    assert (outcome.ending, outcome.error, outcome.value) == (ending, line, None)
    assert ("Traceback" in outcome.traceback) is (ending == "failed")


SPACE = {
    "training.learning_rate": {"log": [1e-4, 3e-2]},
    "adapter.rank": [1, 2, 4],
    "head_dropout": {"range": [0.0, 0.3]},
}


def search(out: str, trials: int = 7, **options: Any) -> Search:
    return library.tune(recipe(), SPACE, trials=trials, out=out, fresh_seeds=0, **options)


def without_clock(result: SearchResult) -> list[Any]:
    return [
        (trial.number, trial.point, trial.settings, trial.state, trial.values, trial.steps)
        for trial in result.trials
    ]


def test_a_search_ends_with_a_winner_whose_recipe_trains_the_same_bytes(workplace: Path) -> None:
    one = search("search")
    assert [trial.number for trial in one.result.trials] == list(range(7))
    assert one.result.trials[0].point["adapter.rank"] == 2  # the recipe as it is
    assert one.result.trials[0].state == "finished"
    states = [trial.state for trial in one.result.trials]
    assert states.count("finished") in (2, 3)
    assert states.count("paused") == 7 - states.count("finished")
    assert one.result.best is not None
    best = one.result.trials[one.result.best]
    run = Run(Path("search", "trials", f"{best.number:04d}"))
    again = library.train(Path("search", "best.yaml"), "again")
    for name in ("adapter_model.safetensors", "classifier.json"):
        assert (again.adapter / name).read_bytes() == (run.adapter / name).read_bytes()
    assert library.verify(run.folder)
    assert not run.evaluation_of("test").exists()  # the choice never saw it
    paused = next(trial for trial in one.result.trials if trial.state == "paused")
    assert not Run(Path("search", "trials", f"{paused.number:04d}")).checkpoints.exists()
    assert "Content-Security-Policy" in Path("search", "tune.html").read_text()
    cached = list(Path(os.environ["RANKLET_CACHE"]).rglob("*"))
    assert sum(path.is_file() and path.parent.name == "tokens" for path in cached) == 2

    # The same call once more trains nothing.
    before = Path("search", "trials.jsonl").read_bytes()
    assert without_clock(search("search").result) == without_clock(one.result)
    assert Path("search", "trials.jsonl").read_bytes() == before


PROGRAM = """
import sys
import ranklet as library
from ranklet.workflows import train as workflow
from test_tune import SPACE, recipe
library.tune(recipe(), SPACE, trials=int(sys.argv[2]), out=sys.argv[1], workers=int(sys.argv[3]),
             fresh_seeds=0)
"""


def start(out: str, trials: int, workers: int) -> subprocess.Popen[bytes]:
    """Start a search as a process of its own, with its trials' processes in its session."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, out, str(trials), str(workers)],
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{os.environ['PYTHONPATH']}"},
        start_new_session=True,
    )


def test_a_search_whose_parts_are_killed_ends_with_the_same_trials(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(library.__file__).parents[1]))
    expected = without_clock(search("undisturbed", workers=2).result)
    process = start("killed", 7, 2)
    wait_for_lines(Path("killed", "trials.jsonl"), 3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)  # a worker
    wait_for_lines(Path("killed", "trials.jsonl"), 7)
    process.kill()
    process.wait(60)
    assert without_clock(search("killed", workers=2).result) == expected


def wait_for_lines(path: Path, count: int) -> None:
    deadline = time.monotonic() + 100
    while not path.exists() or len(path.read_bytes().splitlines()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_command_line_searches_and_says_what_to_do(workplace: Path, ranklet: Command) -> None:
    Path("space.yaml").write_text("training.learning_rate: {log: [1e-3, 1e-2]}\n")
    options = ("--set", "training.epochs=1", "--fresh-seeds", "2", "--out", "found")
    answer = ranklet("tune", "recipe.yaml", "--space", "space.yaml", "--trials", "3", *options)
    assert answer.returncode == 0, answer.stderr
    assert "verdict: " in answer.stdout
    assert "recipe: found/best.yaml" in answer.stdout
    assert "the test data stay closed" in answer.stderr
    assert "trial 0 finished" in answer.stderr
    answer = ranklet("tune", "recipe.yaml", "--trials", "4", *options)
    assert answer.returncode == 2
    assert "holds a search of another recipe, space or number of trials" in answer.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "test"), "allowed: validation"),
        (("--time", "soon"), "soon: is no duration; write such as 90s, 10m or 1h30m"),
        (("--space", "none.yaml"), "no such file"),
    ],
)
def test_what_a_search_cannot_do_is_refused(
    workplace: Path, ranklet: Command, options: tuple[str, ...], message: str
) -> None:
    answer = ranklet("tune", "recipe.yaml", "--out", "found", *options)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert not Path("found").exists()


def test_a_search_ends_in_time_with_what_there_is(workplace: Path) -> None:
    started = time.monotonic()
    one = search("short", trials=500, seconds=12.0)
    assert time.monotonic() - started < 60
    assert 1 <= len(one.result.trials) < 500


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(Path(library.__file__).parents[1]))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.filterwarnings("ignore")
def test_a_lost_node_costs_steps_and_no_trial(workplace: Path, cluster: Any) -> None:
    own, nodes = cluster

    def lose_a_node() -> None:
        lines = Path("found", "trials.jsonl")
        while not lines.exists() or len(lines.read_text().splitlines()) < 5:
            time.sleep(0.1)
        own.remove_node(nodes[0], allow_graceful=False)

    threading.Thread(target=lose_a_node, daemon=True).start()
    on_cluster = search("found", workers=RayWorkers(2, own.address))
    assert without_clock(on_cluster.result) == without_clock(search("here", workers=2).result)
