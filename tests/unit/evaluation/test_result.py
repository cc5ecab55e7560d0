"""Evaluation: what its JSON looks like, and what is refused of it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.result import Evaluation
from ranklet.json_values import from_values, to_values

PROBABILITIES = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.7, 0.3]], dtype=np.float32)
LABELS = np.array([0, 1, 1, 0])


@pytest.fixture
def written():
    return to_values(evaluate_one_label(PROBABILITIES, LABELS, ["no", "yes"], "test"))


def test_json_has_accuracy_and_interval_at_its_top(written):
    assert written["accuracy"] == 0.75
    low, high = written["interval"]
    assert low < 0.75 < high
    assert written["confusion"] == [[2, 0], [1, 1]]
    assert written["f1"]["macro"]["value"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert written["classes"][1]["recall"]["value"] == 0.5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content.pop("accuracy"), "key 'accuracy' is missing"),
        (lambda content: content["f1"].pop("macro"), "key 'macro' is missing"),
        (lambda content: content.update(interval=[0.1]), "not as written"),
        (lambda content: content.update(classes=[None]), "not as written"),
        (lambda content: content.update(rows="many"), "not as written"),
        (lambda content: content["confusion"].pop(), "do not fit 2 labels"),
        (lambda content: content["confusion"][0].pop(), "do not fit 2 labels"),
        (lambda content: content["classes"].pop(), "do not fit 2 labels"),
    ],
)
def test_damaged_json_is_refused_with_its_place(written, change, told):
    change(written)
    with pytest.raises(RunError, match=told):
        from_values(Evaluation, written, "test.json", "evaluate again")


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, ranklet.evaluation\n"
        "heavy = {'matplotlib', 'jinja2', 'sklearn', 'scipy', 'torch'} & set(sys.modules)\n"
        "print(*sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
