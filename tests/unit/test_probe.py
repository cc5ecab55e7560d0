"""The linear probe: what it learns, its penalty, and data with too little to learn from."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from ranklet.probe import NEVER, fit_probe


def clouds(rows: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=rows)
    centres = 3 * np.random.default_rng(99).normal(size=(classes, 8))
    states = centres[labels] + generator.normal(size=(rows, 8))
    return torch.from_numpy(states).float() * 7 + 100, torch.from_numpy(labels)


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    return float((logits.argmax(1) == labels).float().mean())


def test_it_knows_what_can_be_told_apart() -> None:
    states, labels = clouds(300, 5)
    probe = fit_probe(states, labels, 5)
    others, truth = clouds(300, 5, seed=1)
    assert accuracy(probe.logits(others), truth) > 0.95


def test_out_of_fold_it_knows_nothing_of_labels_without_meaning() -> None:
    states, _ = clouds(200, 5)
    labels = torch.from_numpy(np.random.default_rng(3).integers(2, size=200))
    probe = fit_probe(states, labels, 2)
    assert accuracy(probe.logits_out_of_fold, labels) < 0.65


def test_it_equals_scikit_learn_on_standardized_features() -> None:
    from sklearn.linear_model import LogisticRegression

    states, labels = clouds(200, 3)
    probe = fit_probe(states, labels, 3)
    standard = ((states - states.mean(0)) / states.std(0, unbiased=False)).numpy()
    model = LogisticRegression(C=probe.penalty, max_iter=1000).fit(standard, labels.numpy())
    expected = model.predict_proba(standard)
    assert probe.logits(states).softmax(1).numpy() == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_class_without_texts_is_never_the_answer(classes: int) -> None:
    states, labels = clouds(60, classes)
    probe = fit_probe(states, labels, classes + 1)
    assert probe.bias[classes] == -NEVER
    assert int(probe.logits(states).argmax(1).max()) < classes


def test_classes_of_one_text_and_two_texts_in_all() -> None:
    states = torch.eye(4)[:3] * 5
    probe = fit_probe(states, torch.tensor([0, 1, 2]), 3)
    assert probe.logits(states).argmax(1).tolist() == [0, 1, 2]
    assert fit_probe(states[:2], torch.tensor([0, 1]), 2).weight.shape == (2, 4)


def test_label_sets_have_a_regression_each() -> None:
    states, labels = clouds(300, 3)
    sets = torch.stack([(labels == 0).long(), (labels != 1).long(), torch.zeros_like(labels)], 1)
    probe = fit_probe(states, sets, 3)
    answers = (probe.logits(states) > 0).long()
    assert (answers == sets).float().mean() > 0.97
    assert probe.logits(states)[:, 2].max() < 0


def test_the_warnings_of_others_are_heard_afterwards() -> None:
    before = list(warnings.filters)
    fit_probe(*clouds(60, 3), 3)
    assert warnings.filters == before
