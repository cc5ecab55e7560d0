"""Gives out trials to workers and keeps what comes back, until there is nothing left to do."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ranklet.errors import RunError
from ranklet.recipe import Recipe
from ranklet.run.folder import Run
from ranklet.search.folder import SearchFolder
from ranklet.search.halving import promoted
from ranklet.search.record import SearchRecord
from ranklet.search.trial import Trial
from ranklet.training.checkpoints import checkpoint_folders
from ranklet.workflows._tune.job import Job, Outcome
from ranklet.workflows._tune.workers import Workers

# Workers of a trial may die so often without a step taken in between.
MOST_DEATHS = 5

# So many trials that fail alike, one behind the other, end the search.
EQUAL_FAILURES = 3

# Share of the time after which nothing new is asked for, so that the best still come to their end.
EXPLORING = 0.6


@dataclass(eq=False)
class Driver:
    """A search at work.

    A point is asked for with what is known of the trials that are as many before it as there are
    workers, so that no clock decides.

    Attributes:
        folder: Of the search.
        record: Its trials.
        workers: Those that train.
        rungs: Shares of a training at which trials pause; the last is 1.
        wanted: Trials that the search is to have.
        recipe_of: Settings of a trial -> recipe.
        ask: Trials before it -> the next one, waiting or over budget; None: there are no more.
        report: Receives lines for a person.
        changed: Receives a trial when something came of it.
        deadline: Of the monotonic clock; None: there is time.
    """

    folder: SearchFolder
    record: SearchRecord
    workers: Workers
    rungs: Sequence[float]
    wanted: int
    recipe_of: Callable[[Trial], Recipe]
    ask: Callable[[Sequence[Trial]], Trial | None]
    report: Callable[[str], None]
    changed: Callable[[Trial], None]
    deadline: float | None = None
    started: float = field(default_factory=time.monotonic)
    _deaths: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _reaching: int = 0  # trials that the rung in hand is to have

    def explore(self) -> None:
        """Ask for trials and bring each to the first rung."""
        self._reaching = self.wanted
        begun = {trial.number for trial in self.record.trials if self._is_settled(trial)}

        def next_jobs() -> Iterator[Job | None]:
            for number in range(self.wanted):
                if number in begun:
                    continue
                while not self._is_known(number):
                    yield None
                if number >= len(self.record) and not self._ask():
                    return
                if self.record[number].state == "waiting":
                    yield self._job(number, 0)

        self._work(next_jobs())

    def promote(self, rung: int) -> None:
        """Let the best of a rung go on to the next, and drop what the others would go on from."""
        trials = self.record.trials
        numbers = promoted(trials, rung, sum(len(trial.values) > rung for trial in trials))
        self._drop(rung, numbers)
        self._reaching = len(numbers)
        going_on = [
            number
            for number in numbers
            if len(self.record[number].values) == rung + 1
            and self.record[number].state in ("paused", "finished")
        ]
        self._work(iter([self._job(number, rung + 1) for number in going_on]))

    def train(self, jobs: Sequence[Job]) -> dict[int, Outcome]:
        """Train runs that are no trials to their end; return what came of each, by its number."""
        outcomes: dict[int, Outcome] = {}
        self._work(iter(jobs), lambda job, outcome: outcomes.update({job.number: outcome}))
        return outcomes

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _work(
        self,
        jobs: Iterator[Job | None],
        keep: Callable[[Job, Outcome], None] | None = None,
    ) -> None:
        """Give out jobs as workers are idle, and keep what comes back; None: none can start yet."""
        running = 0
        upcoming = next(jobs, _END)
        while not self.is_late and (running or upcoming is not _END):
            while self.workers.idle and isinstance(upcoming, Job):
                self.workers.submit(upcoming)
                running += 1
                upcoming = next(jobs, _END)
            assert running or upcoming is not None, "nothing runs that a trial could wait for"
            ended = self.workers.wait(self._seconds_left())
            if ended is None:
                continue
            job, outcome = ended
            if outcome is None:
                self._died(job)
                self.workers.submit(job)
                continue
            running -= 1
            (keep or self._keep)(job, outcome)
            if upcoming is None:
                upcoming = next(jobs, _END)

    def _job(self, number: int, rung: int) -> Job:
        recipe = self.recipe_of(self.record[number]).model_dump_json()
        return Job(number, recipe, str(self.folder.trial(number).folder), self.rungs[rung])

    def _ask(self) -> bool:
        """Add a trial to the record; False where there are no more."""
        if self._is_time_to_promote():
            return False
        trials = self.record.trials
        hidden = len(trials) - self.workers.count
        trial = self.ask([t if t.number <= hidden else replace(t, values=()) for t in trials])
        if trial is None:
            return False
        self.record.keep(trial)
        if trial.state == "over budget":
            self.changed(trial)
        return True

    def _keep(self, job: Job, outcome: Outcome) -> None:
        trial = self.record[job.number]
        values = trial.values if outcome.value is None else (*trial.values, outcome.value)
        trial = replace(
            trial,
            state=outcome.ending,
            values=values if outcome.ending in ("paused", "finished") else trial.values,
            steps=outcome.steps,
            seconds=trial.seconds + outcome.seconds,
            error=outcome.error,
            traceback=outcome.traceback,
        )
        self.record.keep(trial)
        self.changed(trial)
        rung = len(trial.values) - 1
        if trial.state == "paused":
            self._drop(rung, promoted(self.record.trials, rung, self._reaching))
        self._check_failures()

    def _drop(self, rung: int, going_on: Sequence[int]) -> None:
        """Remove what trials that paused at a rung would go on from, but of those that may."""
        for trial in self.record.trials:
            if (
                trial.state == "paused"
                and len(trial.values) == rung + 1
                and trial.number not in going_on
            ):
                shutil.rmtree(self.folder.trial(trial.number).checkpoints, ignore_errors=True)

    def _died(self, job: Job) -> None:
        newest = checkpoint_folders(Run(Path(job.folder)).checkpoints)[:1]
        key = (job.folder, *(path.name for path in newest))
        self._deaths[key] += 1
        self.report(f"{job.folder}: its worker died; another goes on from its checkpoint")
        if self._deaths[key] >= MOST_DEATHS:
            raise RunError(
                f"{job.folder}: its worker died {MOST_DEATHS} times at the same step; is there "
                "memory for so many workers? The same command goes on"
            )

    def _check_failures(self) -> None:
        last = [trial for trial in self.record.trials if trial.state == "failed"][-EQUAL_FAILURES:]
        numbers = [trial.number for trial in last]
        in_a_row = len(last) == EQUAL_FAILURES and numbers[-1] - numbers[0] == EQUAL_FAILURES - 1
        if in_a_row and len({trial.error for trial in last}) == 1:
            raise RunError(
                f"{self.folder.folder}: trials {numbers[0]} to {numbers[-1]} failed alike: "
                f"{last[0].error}; the record holds their tracebacks"
            )

    def _is_settled(self, trial: Trial) -> bool:
        return trial.state != "waiting"

    def _is_known(self, number: int) -> bool:
        """Tell whether all is known that the sampler is to know when it is asked for a trial."""
        before = self.record.trials[: max(0, number - self.workers.count + 1)]
        return all(self._is_settled(trial) for trial in before)

    def _is_time_to_promote(self) -> bool:
        if self.deadline is None:
            return False
        passed = time.monotonic() - self.started
        return passed >= EXPLORING * (self.deadline - self.started)

    def _seconds_left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_END = object()
