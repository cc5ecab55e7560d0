"""What came of a search: the winner, what it is worth, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ranklet.errors import RunError
from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.significance import compare_answers
from ranklet.evaluation.predictions import read_predictions
from ranklet.files import write_atomically
from ranklet.json_values import to_values
from ranklet.recipe.space import Space
from ranklet.run.folder import Run, write_json
from ranklet.run.reading import read_evaluations
from ranklet.run.row_answers import row_answers
from ranklet.search.belief import (
    best_after,
    corrected_macro_f1,
    corrected_score,
    frontier,
    smallest_equal,
    verdict,
)
from ranklet.search.folder import SearchFolder
from ranklet.search.importance import importance_of
from ranklet.search.luck import largest_seed_spread
from ranklet.search.page import render_search
from ranklet.search.trial import Estimate, SearchResult, Trial, Verdict
from ranklet.search.values import finished_trials


def conclude(
    folder: SearchFolder,
    space: Space,
    trials: Sequence[Trial],
    again: Mapping[str, Mapping[int, float]],
    result: SearchResult,
) -> SearchResult:
    """Fill in what a search is to be believed, and write its result and its page.

    Args:
        folder: Of the search.
        space: What could differ.
        trials: All of them, by number.
        again: Validations on fresh seeds, of `winner` and of `default`, where these were trained.
        result: What is known besides.

    Raises:
        RunError: A finished trial's answers cannot be read, or the disk refuses a file.
    """
    best = best_of(trials)
    finished = finished_trials(trials)
    answers = {trial.number: _answers(folder.trial(trial.number)) for trial in finished}
    numbers = frontier(trials)
    concluded = replace(
        result,
        trials=tuple(trials),
        best=None if best is None else best.number,
        corrected=_corrected(answers, result.metric, largest_seed_spread(list(again.values()))),
        verdict=result.verdict if best is None else _verdict(folder, best, again, result.metric),
        frontier=numbers,
        smallest=smallest_equal(numbers, answers, result.metric),
    )
    write_json(folder.result, to_values(concluded))
    values = [trial.values[-1] for trial in finished]
    curve = best_after(values, len(values)) if len(values) > 1 else None
    write_atomically(folder.page, render_search(concluded, curve, importance_of(space, trials)))
    return concluded


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the finished trial with the best validation, the first of equals."""
    return max(finished_trials(trials), key=lambda own: (own.values[-1], -own.number), default=None)


def _answers(run: Run) -> RowAnswers:
    path = run.predictions("validation")
    evaluation = read_evaluations(run).get("validation")
    if evaluation is None:
        raise RunError(f"{run.folder}: has no evaluation on validation; remove the search's folder")
    return row_answers(read_predictions(path), evaluation, path)


def _corrected(
    answers: Mapping[int, RowAnswers], metric: str, seed_spread: float
) -> Estimate | None:
    """Correct the winner's score for luck; a loss is not, since answers have no probabilities."""
    runs = list(answers.values())
    if len(runs) < 2 or metric == "loss":
        return None
    if metric == "macro_f1":
        return corrected_macro_f1(runs, 0, seed_spread)
    return corrected_score(np.stack([run.right for run in runs]), 0, seed_spread)


def _verdict(
    folder: SearchFolder, best: Trial, again: Mapping[str, Mapping[int, float]], metric: str
) -> Verdict:
    winner, default = again.get("winner", {}), again.get("default", {})
    rows = 0.0
    if metric == "accuracy" and winner.keys() == default.keys() and len(winner) > 1:
        answers = {
            name: {seed: _answers(folder.again(name, seed)) for seed in winner}
            for name in ("winner", "default")
        }
        # Where every seed has validation rows of its own, their chance is in the seeds' already.
        if len({own.rows for runs in answers.values() for own in runs.values()}) == 1:
            rows = compare_answers(answers["winner"], answers["default"]).row_variance
    return verdict(winner, default, metric, default_won=best.number == 0, row_variance=rows)
