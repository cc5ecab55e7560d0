"""A search at work, with workers that only say what a training would have said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ranklet.errors import RunError
from ranklet.recipe import Recipe
from ranklet.search.folder import SearchFolder
from ranklet.search.record import SearchRecord
from ranklet.search.trial import Trial
from ranklet.workflows._tune.driver import MOST_DEATHS, Driver
from ranklet.workflows._tune.job import Job, Outcome

RUNGS = (1 / 9, 1 / 3, 1.0)
STEPS = 90


@dataclass
class Pretended:
    """Workers whose trainings take no time; they end in any order, and die now and then."""

    count: int
    order: random.Random
    deaths: float = 0.0
    diverge: Sequence[int] = ()
    fail: Sequence[int] = ()
    jobs: list[Job] = field(default_factory=list)
    submitted: list[Job] = field(default_factory=list)

    @property
    def idle(self) -> int:
        return self.count - len(self.jobs)

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.submitted.append(job)
        assert len(self.jobs) <= self.count

    def wait(self, seconds: float | None) -> tuple[Job, Outcome | None]:
        job = self.jobs.pop(self.order.randrange(len(self.jobs)))
        if self.order.random() < self.deaths:
            return job, None
        if job.number in self.diverge:
            return job, Outcome("diverged", None, 3, 1.0, "the loss is nan")
        if job.number in self.fail:
            return job, Outcome("failed", None, 0, 1.0, "out of luck", "Traceback ...")
        ending = "finished" if job.share == 1 else "paused"
        value = quality(job.number) + 0.01 * job.share
        return job, Outcome(ending, value, round(job.share * STEPS), 1.0)

    def close(self) -> None:
        pass


def quality(number: int) -> float:
    return random.Random(number).random()


def driver(folder: Path, workers: Pretended, wanted: int, space: int = 1000) -> Driver:
    def ask(trials: Sequence[Trial]) -> Trial | None:
        if len(trials) >= space:
            return None
        # What is known decides, as a sampler's points do.
        known = sum(trial.values[0] for trial in trials if trial.values)
        point = {"training.learning_rate": 1e-3 + known * 1e-6}
        return Trial(len(trials), point, point, 100)

    return Driver(
        folder=SearchFolder(folder),
        record=SearchRecord(folder / "trials.jsonl", lambda line: None),
        workers=workers,
        rungs=RUNGS,
        wanted=wanted,
        recipe_of=lambda trial: Recipe.model_validate({"data": {"train": "x.csv"}}),
        ask=ask,
        report=lambda line: None,
        changed=lambda trial: None,
    )


def search(folder: Path, workers: Pretended, wanted: int = 27) -> tuple[Trial, ...]:
    one = driver(folder, workers, wanted)
    one.explore()
    for rung in range(len(RUNGS) - 1):
        one.promote(rung)
    return one.record.trials


def without_clock(trials: Sequence[Trial]) -> list[object]:
    return [(t.number, t.point, t.state, t.values, t.steps) for t in trials]


def test_27_trials_end_as_27_9_and_3_and_no_step_is_taken_twice(tmp_path: Path) -> None:
    workers = Pretended(1, random.Random(0))
    trials = search(tmp_path, workers)
    reached = [sum(len(trial.values) > rung for trial in trials) for rung in range(3)]
    # The recipe as it is goes on beside the best, unless it is among them.
    assert reached[0] == 27
    assert reached[1] in (9, 10)
    assert reached[2] in (3, 4)
    assert len(workers.submitted) == sum(reached)
    best = max(range(27), key=quality)
    assert trials[best].state == "finished"
    assert trials[0].state == "finished"


@pytest.mark.parametrize("count", [1, 2, 4])
def test_no_clock_and_no_death_decides(tmp_path: Path, count: int) -> None:
    outcomes = []
    for index, deaths in enumerate((0.0, 0.0, 0.3)):
        folder = tmp_path / str(index)
        folder.mkdir()
        workers = Pretended(count, random.Random(index), deaths)
        outcomes.append(without_clock(search(folder, workers)))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("ends_after", [1, 7, 20, 30, 38])
def test_a_search_that_is_killed_goes_on_to_the_same_end(
    tmp_path: Path, count: int, ends_after: int
) -> None:
    class Killed(Exception):
        pass

    class Mortal(Pretended):
        left = ends_after

        def wait(self, seconds: float | None) -> tuple[Job, Outcome | None]:
            if not self.left:
                raise Killed
            self.left -= 1
            return super().wait(seconds)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    expected = without_clock(search(whole, Pretended(count, random.Random(1))))
    with pytest.raises(Killed):
        search(cut, Mortal(count, random.Random(2)))
    assert without_clock(search(cut, Pretended(count, random.Random(3)))) == expected


def test_a_space_with_few_points_ends_the_search(tmp_path: Path) -> None:
    one = driver(tmp_path, Pretended(2, random.Random(0)), 40, space=5)
    one.explore()
    one.promote(0)
    assert len(one.record.trials) == 5


def test_what_diverges_or_fails_is_said_and_not_promoted(tmp_path: Path) -> None:
    workers = Pretended(1, random.Random(0), diverge=[3, 9], fail=[5])
    trials = search(tmp_path, workers)
    assert [trials[n].state for n in (3, 5, 9)] == ["diverged", "failed", "diverged"]
    assert trials[5].traceback.startswith("Traceback")
    assert all(not trials[n].values for n in (3, 5, 9))


def test_three_equal_failures_in_a_row_end_the_search(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"trials 4 to 6 failed alike: out of luck"):
        search(tmp_path, Pretended(1, random.Random(0), fail=[4, 5, 6]))


def test_failures_that_are_not_in_a_row_do_not(tmp_path: Path) -> None:
    search(tmp_path, Pretended(1, random.Random(0), fail=[4, 6, 8]))


def test_a_worker_that_always_dies_ends_the_search(tmp_path: Path) -> None:
    workers = Pretended(1, random.Random(0), deaths=1.0)
    with pytest.raises(RunError, match=r"died 5 times at the same step"):
        search(tmp_path, workers)
    assert len(workers.submitted) == MOST_DEATHS
