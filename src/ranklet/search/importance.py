"""How much each setting explains of what the trials are worth."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from ranklet.recipe.space import Space
from ranklet.search.asking import known_trials
from ranklet.search.trial import Trial
from ranklet.search.values import LEAST_FOR_IMPORTANCE, finished_trials


def importance_of(space: Space, trials: Sequence[Trial]) -> Mapping[str, float] | None:
    """Return the share of each setting, by dotted field; None with too few finished trials.

    Watanabe et al. 2023 (arXiv:2304.10255): PED-ANOVA.

    Args:
        space: What could differ.
        trials: All of the search.
    """
    if len(finished_trials(trials)) < LEAST_FOR_IMPORTANCE:
        return None
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="maximize")
        study.add_trials(known_trials(space, trials))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return optuna.importance.get_param_importances(study, evaluator=evaluator)
