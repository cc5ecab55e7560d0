"""What is said of a difference, and which entry is named."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.verdicts import (
    CHOOSING_BY_TEST,
    Comparison,
    Contender,
    choice_in_words,
    compare_contenders,
    p_in_words,
    points,
)
from ranklet.evaluation.intervals import Metric, share_with_interval
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.unlabelled.result import Estimate
from ranklet.json_values import to_values

EYE = np.eye(2, dtype=bool)


def contender(name: str, *hits: int, rows: int = 1_000, texts: str = "texts") -> Contender:
    """A system whose runs answer their first rows right."""
    labels = np.zeros(rows, dtype=np.int64)
    given = [np.where(np.arange(rows) < right, 0, 1) for right in hits]
    probabilities = [EYE[each].astype(np.float32) for each in given]
    return Contender(
        name=name,
        runs={seed: f"{name}-{seed}" for seed in range(len(hits))},
        evaluations={
            seed: evaluate_one_label(each, labels, ["a", "b"], "test")
            for seed, each in enumerate(probabilities)
        },
        answers={
            seed: RowAnswers(texts, EYE[labels], EYE[each]) for seed, each in enumerate(given)
        },
        parameters=7,
        seconds=None,
        fields={},
    )


def sentences(contenders: Sequence[Contender], same_recipe: bool = False) -> list[str]:
    found = compare_contenders(contenders, "test", same_recipe)
    return [pair.sentence for pair in found.pairs]


def test_noise_says_how_many_rows_would_tell() -> None:
    (said,) = sentences([contender("mine", 903), contender("other", 900)])
    # McNemar of 3 and 0: 2 / 2**3. Rows: (1.960 + 0.842)**2 0.003 / 0.003**2 = 2,616.
    assert said.startswith("mine is 0.30 points above other on 1,000 rows [")
    assert said.endswith(": noise (p = 0.25); about 2,700 rows would tell")


def test_a_real_difference_of_one_seed_each_says_so() -> None:
    (said,) = sentences([contender("mine", 900), contender("other", 920)])
    assert "mine is 2.00 points below other" in said
    assert "real (p < 0.0001); between these two trained models: with one seed each" in said


def test_the_same_recipe_is_noise_whatever_p_is() -> None:
    (said,) = sentences([contender("0", 900), contender("1", 920)], same_recipe=True)
    assert ": noise (p < 0.0001); these two trained models do differ, but" in said


def test_equal_runs_need_no_rows() -> None:
    (said,) = sentences([contender("mine", 90, rows=100), contender("other", 90, rows=100)])
    assert said == "mine and other are equal on 100 rows [+0.0, +0.0]: noise (p = 1)"


def test_seeds_that_vary_ask_for_seeds() -> None:
    first, second = contender("mine", 880, 905, 931), contender("other", 901, 882, 920)
    (said,) = sentences([first, second])
    assert "on 1,000 rows, 3 seeds each [" in said
    assert said.endswith("seeds each would tell")


def test_several_pairs_are_corrected_and_noted() -> None:
    contenders = [contender(str(hits), hits) for hits in (900, 906, 912)]
    found = compare_contenders(contenders, "test", False)
    # 6, 12 and 6 rows of one only: 2 / 2**6, 2 / 2**12 and 2 / 2**6, times 2, 3 and 2.
    assert [pair.p for pair in found.pairs] == pytest.approx([0.0625, 3 / 2**11, 0.0625])
    assert [pair.verdict for pair in found.pairs] == ["noise", "real", "noise"]
    assert "corrected for 3 pairs" in found.pairs[0].sentence
    assert found.notes[0] == CHOOSING_BY_TEST
    assert "With 3 pairs" in found.notes[1]


def test_a_system_has_the_mean_and_the_interval_of_its_seeds() -> None:
    found = compare_contenders(
        [contender("mine", 900, 920), contender("other", 900)], "test", False
    )
    mine, other = found.entries
    assert mine.accuracy.value == pytest.approx(0.91)
    # 12.706 standard errors of 0.01; no share is above 1.
    assert mine.accuracy.interval == pytest.approx((0.91 - 0.12706, 1.0), abs=1e-4)
    assert other.accuracy == share_with_interval(900, 1_000)
    assert found.runs == ("mine-0", "mine-1", "other-0")


def test_other_rows_are_refused_by_name() -> None:
    with pytest.raises(RunError, match=r"mine and other: the rows differ; .* name a file"):
        sentences([contender("mine", 90), contender("other", 90, texts="others")])


def test_it_is_json() -> None:
    found = compare_contenders([contender("mine", 9), contender("other", 8)], "test", False)
    held = json.loads(json.dumps(to_values(found)))
    assert held["pairs"][0]["difference"]["only_right"] == [1, 0]
    assert set(held) == set(Comparison.__dataclass_fields__)


def test_numbers_in_words() -> None:
    assert points(-0.00312, 7_600) == "\N{MINUS SIGN}0.31"
    assert points(0.00312, 600) == "+0.3"
    assert p_in_words(0.04123) == "p = 0.041"
    assert p_in_words(1e-9) == "p < 0.0001"


def test_the_choice_without_labels_names_what_comes_close() -> None:
    def estimate(accuracy: float, warning: str | None = None) -> Estimate:
        known = Metric(0.9, (0.8, 0.95))
        interval = (accuracy - 0.02, accuracy + 0.02)
        return Estimate(accuracy, interval, 100, known, 50, {}, warning)

    held = {"a": estimate(0.80), "b": estimate(0.85), "c": estimate(0.83)}
    assert choice_in_words(held) == (
        "b is expected to be best there, 85.0%; the intervals of c reach as high: "
        "it may as well be noise"
    )
    clear = {"a": estimate(0.80, "too far"), "b": estimate(0.85)}
    assert choice_in_words(clear) == (
        "b is expected to be best there, 85.0%; not to be relied on for a"
    )
