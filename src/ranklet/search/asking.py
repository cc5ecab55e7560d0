"""What to try next: Optuna's sampler over what is known, asked anew for every trial."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

from ranklet.errors import MissingExtraError
from ranklet.recipe.space import Space
from ranklet.search.sampling import distributions, suggest
from ranklet.search.trial import Point, Trial

# Random points before the sampler trusts what it knows.
STARTUP_TRIALS = 10


def ask(
    space: Space, trials: Sequence[Trial], seed: int, attempt: int = 0, frontier: bool = False
) -> Point:
    """Return the next point, the same for the same arguments.

    The sampler is a fresh one whose seed is drawn from the search's and the trial's number: one
    that a restart makes again with the same seed would repeat its first points.

    Args:
        space: What may be asked for.
        trials: All before this one. Those with a value at the first rung are known to the sampler,
            the others it takes for running.
        seed: Of the search.
        attempt: How often this trial's point was already another's.
        frontier: Few parameters are wanted too, not accuracy alone.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("a search", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    own = hashlib.sha256(f"{seed} {len(trials)} {attempt}".encode()).digest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=STARTUP_TRIALS,
            multivariate=True,
            group=True,
            constant_liar=True,
            seed=int.from_bytes(own[:4], "big"),
        )
        directions: list[Any] = ["maximize", "minimize"] if frontier else ["maximize"]
        study = optuna.create_study(directions=directions, sampler=sampler)
        study.add_trials(known_trials(space, trials, frontier))
        return suggest(space, study.ask())


def known_trials(space: Space, trials: Sequence[Trial], frontier: bool = False) -> list[Any]:
    """Describe trials to Optuna, by their value at the first rung."""
    import optuna

    worst = min((trial.values[0] for trial in trials if trial.values), default=0.0)
    return [_known(optuna, space, trial, worst, frontier) for trial in trials]


def _known(optuna: Any, space: Space, trial: Trial, worst: float, frontier: bool) -> Any:
    """Describe a trial to Optuna; what diverged or failed is as bad as the worst."""
    states = optuna.trial.TrialState
    known: dict[str, dict[str, Any]] = {"params": {}, "distributions": {}}
    for name, (value, distribution) in distributions(space, trial.point).items():
        known["params"][name], known["distributions"][name] = value, distribution
    if trial.state == "over budget":
        return optuna.trial.create_trial(state=states.PRUNED, **known)
    if not trial.values and trial.state not in ("diverged", "failed"):
        return optuna.trial.create_trial(state=states.RUNNING, **known)
    value = worst if not trial.values or trial.state == "diverged" else trial.values[0]
    values = [value, float(trial.parameters)] if frontier else [value]
    return optuna.trial.create_trial(state=states.COMPLETE, values=values, **known)
