"""Agreement, ranking, Brier score and temperature against scikit-learn and brute force."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn import metrics as sk

from ranklet.evaluation.calibration import Scaling, at_temperature, fit_temperature
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.result import Evaluation
from ranklet.json_values import from_values, to_values

EXACT = {"rtol": 1e-12, "atol": 1e-12}
CASES = 100


def case(seed):
    """Labels (n,) and probabilities (n, classes) float32; some cases with ties and rare classes."""
    random = np.random.default_rng(seed)
    classes, rows = int(random.integers(2, 7)), int(random.integers(20, 80))
    shares = random.dirichlet(np.full(classes, 0.7))
    labels = random.choice(classes, rows, p=shares)
    logits = random.normal(size=(rows, classes)) * random.choice([0.5, 2, 8])
    logits += random.uniform(0, 3) * np.eye(classes)[labels]
    if seed % 3 == 0:
        logits = logits.round()
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = exponents / exponents.sum(1, keepdims=True)
    return labels.astype(np.int64), probabilities.astype(np.float32)


def differences(labels, probabilities, sabotage=0.0):
    """Yield (ours, scikit-learn's) of every figure that both have."""
    classes = probabilities.shape[1]
    names = [str(label) for label in range(classes)]
    figures = evaluate_one_label(probabilities, labels, names, "test").one_label
    predicted = probabilities.argmax(1)
    if len({*labels, *predicted}) > 1:  # else both are 0 / 0: a warning there, 0 here
        yield figures.matthews.value + sabotage, sk.matthews_corrcoef(labels, predicted)
        yield figures.kappa.value + sabotage, sk.cohen_kappa_score(labels, predicted)
    one_hot = np.eye(classes)[labels]
    exact = probabilities.astype(np.float64)
    yield figures.brier + sabotage, ((exact - one_hot) ** 2).sum(1).mean()
    areas, precisions = [], []
    for column, found in enumerate(figures.ranking):
        if 0 < one_hot[:, column].sum() < len(labels):
            areas.append(sk.roc_auc_score(one_hot[:, column], probabilities[:, column]))
            precisions.append(
                sk.average_precision_score(one_hot[:, column], probabilities[:, column])
            )
            yield found.roc_auc + sabotage, areas[-1]
            yield found.average_precision + sabotage, precisions[-1]
        else:
            assert found.roc_auc is None
            assert found.average_precision is None
    if areas:
        yield figures.roc_auc_macro + sabotage, np.mean(areas)
        yield figures.average_precision_macro + sabotage, np.mean(precisions)
    if all(len(set(row)) == classes for row in probabilities.tolist()):
        every = list(range(classes))
        for top in figures.top:
            theirs = sk.top_k_accuracy_score(labels, probabilities, k=top.k, labels=every)
            yield top.accuracy.value + sabotage, theirs


def test_every_further_figure_equals_scikit_learn(monkeypatch):
    monkeypatch.setattr("ranklet.evaluation.intervals.bootstrap_intervals", no_intervals)
    compared = 0
    for seed in range(CASES):
        for ours, theirs in differences(*case(seed)):
            np.testing.assert_allclose(ours, theirs, **EXACT)
            compared += 1
    assert compared > 10 * CASES


def test_a_figure_that_is_off_would_be_found(monkeypatch):
    monkeypatch.setattr("ranklet.evaluation.intervals.bootstrap_intervals", no_intervals)
    for ours, theirs in differences(*case(1), sabotage=1e-9):
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(ours, theirs, **EXACT)


def no_intervals(confusion, statistic, seed):
    """Stand in for the bootstrap, whose intervals are looked at elsewhere."""
    return statistic(confusion), statistic(confusion)


def test_brier_is_scikit_learns_where_it_has_several_classes():
    labels, probabilities = case(5)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    names = list(range(exact.shape[1]))
    try:
        theirs = sk.brier_score_loss(labels, exact, labels=names, scale_by_half=False)
    except (TypeError, ValueError):
        pytest.skip("scikit-learn before 1.7 has it for two classes only")
    from ranklet.evaluation.calibration import brier_score

    np.testing.assert_allclose(brier_score(exact, labels), theirs, **EXACT)


@pytest.mark.parametrize("seed", range(0, CASES, 4))
def test_no_temperature_has_a_lower_loss(seed):
    labels, probabilities = case(seed)
    logits = np.log(probabilities.astype(np.float64))

    rows, classes = logits.shape
    targets = np.full((rows, classes), 1 / (rows + 2) / (classes - 1))
    targets[np.arange(rows), labels] = (rows + 1) / (rows + 2)

    def loss(temperature):
        scaled = at_temperature(probabilities, temperature)
        return -(targets * np.log(scaled)).sum(1).mean()

    found = fit_temperature(logits, labels)
    if found == 1.0:
        return
    best = minimize_scalar(
        loss, bounds=(found / 3, 3 * found), method="bounded", options={"xatol": 1e-9}
    )
    assert loss(found) <= best.fun + 1e-12
    assert (at_temperature(probabilities, found).argmax(1) == probabilities.argmax(1)).all()


def test_a_temperature_undoes_a_factor():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 400)
    logits = random.normal(size=(400, 4)) + 2 * np.eye(4)[labels]
    once = fit_temperature(logits, labels)
    assert 0.4 < once < 0.6  # normal noise of variance 1 and a step of 2: the odds are exp(2 z)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * once, rel=1e-9)


@pytest.mark.parametrize("seed", range(0, 30, 3))
def test_json_gives_the_further_figures_back(seed, monkeypatch):
    monkeypatch.setattr("ranklet.evaluation.intervals.bootstrap_intervals", no_intervals)
    labels, probabilities = case(seed)
    names = [f"class {index}" for index in range(probabilities.shape[1])]
    whole = evaluate_one_label(probabilities, labels, names, "test", scaling=Scaling(1.7, 1.2))
    written = json.loads(json.dumps(to_values(whole), allow_nan=False))
    assert from_values(Evaluation, written, "f", "r") == whole
    without = {key: value for key, value in written.items() if key != "one_label"}
    assert from_values(Evaluation, without, "f", "r").one_label is None
