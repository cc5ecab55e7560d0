"""The page of a search: one HTML file with its verdict, its winner and all of its trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.figures.drawing import figure_svg
from ranklet.evaluation.report.page import ReportFigure, inline_figures, render_page
from ranklet.evaluation.report.table import Cell, Difference, Share, Table
from ranklet.search.belief import BestAfter
from ranklet.search.drawings import search_figures
from ranklet.search.trial import Estimate, SearchResult, Trial, Verdict
from ranklet.search.values import (
    LEAST_FOR_IMPORTANCE,
    are_numbers,
    finished_trials,
    is_share,
    metric_in_words,
    setting_in_words,
    setting_names,
    short_names,
)

_DIGITS = 2  # after the point of a percentage
_MOST_CHOICES = 12  # words of a setting that a list to filter by can hold
_ERROR = "error"
_SHARED = "Done once, used by all trials"
_CAPTIONS = {
    "history": "Each trial at its latest value; one that is not finished trained for less. Below"
    " the dotted line are trials without a value, or far below all others.",
    "best_after": "What the best of so many finished trials is to be expected to reach, with its"
    " 95 % band: where the line is flat, more trials bring little.",
    "rungs": "Each trial up to the last rung that it reached; in brackets how many reached it.",
    "settings": "A line is a trial, from setting to setting to its value; values far below all"
    " others stand at the end of their axis.",
    "importance": "How much of what makes a trial good depends on each setting.",
    "frontier": "No other trial beats those of the frontier in both. Ringed is the smallest that a"
    " paired test does not find worse than the winner. Values far below are out of sight.",
}


def render_search(
    result: SearchResult, curve: BestAfter | None, importance: Mapping[str, float] | None
) -> str:
    """Render a search as one self-contained HTML page.

    Args:
        result: What the search gave.
        curve: The best after k trials; None where too few finished.
        importance: Of the settings, by dotted field; shown from 50 finished trials on.

    Returns:
        HTML that loads nothing from anywhere; settings and errors are escaped.
    """
    figures = inline_figures(
        {
            name: ReportFigure(figure_svg(drawing), _CAPTIONS[name])
            for name, drawing in search_figures(result, curve, importance).items()
        }
    )
    trials = {trial.number: trial for trial in result.trials}
    winner = None if result.best is None else trials[result.best]
    trials_shown = trial_table(result)
    return render_page(
        "search.html.jinja",
        result=result,
        metric=metric_in_words(result.metric),
        states=Counter(trial.state for trial in result.trials).most_common(),
        finished=len(finished_trials(result.trials)),
        winner=winner,
        smallest=None if result.smallest is None else trials[result.smallest],
        raw=None if winner is None else _cell(winner.value, result.metric),
        corrected=_with_interval(result.corrected, result.metric, Metric),
        difference=_with_interval(result.verdict.difference, result.metric, _gain),
        digits=_DIGITS,
        settings=None if winner is None else settings_table(winner, trials.get(0)),
        seeds=seed_table(result.verdict, result.metric) if result.verdict.winner else None,
        figures=figures,
        unimportant=_why_no_importance(result, importance),
        trials=trials_shown,
        choices=choices_of(trials_shown),
        failed=[trial for trial in result.trials if trial.error or trial.traceback],
        counters=Table(_SHARED, ("what", "count"), list(result.counters.items())),
    )


def settings_table(winner: Trial, default: Trial | None) -> Table:
    """List the settings of the winner beside those of the recipe as it was."""
    others = [default] if default is not None and default.number != winner.number else []
    beside = ", beside the recipe as it was" if others else ""
    return Table(
        f"Settings of the winner{beside}",
        ("setting", *(f"trial {trial.number}" for trial in (winner, *others))),
        [
            (name, *(_setting_cell(trial, name) for trial in (winner, *others)))
            for name in setting_names([winner, *others])
        ],
        texts=range(1, 2 + len(others)),
    )


def seed_table(verdict: Verdict, metric: str) -> Table:
    """List what the winner and the recipe as it was reach on every fresh seed."""
    rows = [
        (str(seed), _cell(value, metric), _cell(verdict.default.get(seed), metric))
        for seed, value in verdict.winner.items()
    ]
    return Table("Trained again on fresh seeds", ("seed", "winner", "as it was"), rows)


def trial_table(result: SearchResult) -> Table:
    """List all trials with their settings."""
    names = setting_names(result.trials)
    error = (_ERROR,) if any(trial.error for trial in result.trials) else ()
    columns = ("trial", "state", metric_in_words(result.metric), "parameters", "steps", "seconds")
    short = short_names(names, (*columns, _ERROR))
    words = [
        place
        for place, name in enumerate(names, start=len(columns))
        if not are_numbers([t.settings[name] for t in result.trials if name in t.settings])
    ]
    rows: list[Sequence[Cell]] = [
        (
            (str(trial.number), _role(trial.number, result)),
            trial.state,
            _value_cell(trial, result),
            trial.parameters,
            trial.steps,
            f"{trial.seconds:,.1f}",
            *(_setting_cell(trial, name) for name in names),
            *(trial.error for _ in error),
        )
        for trial in result.trials
    ]
    return Table(
        "All trials and their settings",
        (*columns, *(short[name] for name in names), *error),
        rows,
        texts=(1, *words, *(len(columns) + len(names) for _ in error)),
        sorts=True,
    )


def choices_of(table: Table) -> list[tuple[str, int, list[str]]]:
    """List by which columns a table can be filtered: name, place and words of each."""
    choices = []
    for column in table.texts:
        words = {cell for row in table.rows if isinstance(cell := row[column], str)}
        if len(words) <= _MOST_CHOICES and table.columns[column] != _ERROR:
            choices.append((table.columns[column], column, sorted(words)))
    return choices


def _why_no_importance(result: SearchResult, importance: Mapping[str, float] | None) -> str:
    finished = len(finished_trials(result.trials))
    if finished < LEAST_FOR_IMPORTANCE:
        return (
            f"How much each setting matters is shown from {LEAST_FOR_IMPORTANCE} finished trials"
            f" on, since of fewer it is mostly luck; here {finished} finished."
        )
    return "" if importance else "How much each setting matters was not computed."


def _role(number: int, result: SearchResult) -> str:
    roles = {
        "winner": number == result.best,
        "smallest not worse": number == result.smallest,
        "as it was": number == 0,
    }
    return ", ".join(role for role, has_it in roles.items() if has_it)


def _setting_cell(trial: Trial, name: str) -> str | None:
    return setting_in_words(trial.settings[name]) if name in trial.settings else None


def _value_cell(trial: Trial, result: SearchResult) -> Cell:
    cell = _cell(trial.value, result.metric)
    if trial.state == "finished" or not trial.values:
        return cell
    return cell, f"after {100 * result.rungs[len(trial.values) - 1]:.3g} %"


def _cell(value: float | None, metric: str) -> Share | float | None:
    return Share(value, _DIGITS) if value is not None and is_share(metric) else value


def _with_interval(
    estimate: Estimate | None, metric: str, shown: Callable[[float, tuple[float, float]], Cell]
) -> Cell:
    if estimate is None:
        return None
    if is_share(metric):
        return shown(estimate.value, (estimate.low, estimate.high))
    return f"{estimate.value:.4f}", f"{estimate.low:.4f} to {estimate.high:.4f}"


def _gain(value: float, interval: tuple[float, float]) -> Difference:
    return Difference(Metric(value, interval))
