"""What is said of a difference, and which entry is named."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.sentences import p_in_words, points
from ranklet.evaluation.comparison.significance import holm
from ranklet.evaluation.comparison.verdicts import (
    CHOOSING_BY_TEST,
    Comparison,
    Contender,
    choice_in_words,
    compare_contenders,
)
from ranklet.evaluation.intervals import Metric, share_with_interval
from ranklet.evaluation.label_sets import evaluate_label_sets
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.report.comparison_tables import entry_table, pair_table
from ranklet.evaluation.unlabelled.result import Estimate
from ranklet.json_values import to_values
from ranklet.problem import MultiLabel

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
    assert said.endswith(": noise (p = 0.25), macro F1 too; about 2,700 rows would tell")


def test_a_real_difference_of_one_seed_each_says_so() -> None:
    (said,) = sentences([contender("mine", 900), contender("other", 920)])
    assert "mine is 2.00 points below other" in said
    assert (
        "real (p < 0.0001), macro F1 too; between these two trained models: with one seed each"
        in said
    )


def test_the_same_recipe_is_noise_whatever_p_is() -> None:
    (said,) = sentences([contender("0", 900), contender("1", 920)], same_recipe=True)
    assert ": noise (p < 0.0001), macro F1 too; these two trained models do differ, but" in said


def test_equal_runs_need_no_rows() -> None:
    (said,) = sentences([contender("mine", 90, rows=100), contender("other", 90, rows=100)])
    assert said == "mine and other are equal on 100 rows [+0.0, +0.0]: noise (p = 1), macro F1 too"


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


def of_answers(name: str, labels: np.ndarray, given: np.ndarray) -> Contender:
    """A system of one run and two classes."""
    evaluation = evaluate_one_label(EYE[given].astype(np.float32), labels, ["a", "b"], "test")
    answers = RowAnswers("texts", EYE[labels], EYE[given])
    return Contender(name, {0: name}, {0: evaluation}, {0: answers}, 7, None, {})


def test_a_rare_class_that_one_never_names_is_told_by_macro_f1() -> None:
    # 50 of 1,000 texts are rare: one names none of them; the other 40, and 45 others wrongly.
    labels = (np.arange(1_000) < 50).astype(np.int64)
    careful = np.zeros(1_000, dtype=np.int64)
    bold = np.where(np.arange(1_000) < 50, np.arange(1_000) < 40, np.arange(1_000) < 95)
    pair = [of_answers("bold", labels, bold.astype(np.int64)), of_answers("mine", labels, careful)]
    found = compare_contenders(pair, "test", False)
    (judged,) = found.pairs
    assert (judged.accuracy_verdict, judged.f1_verdict) == ("noise", "real")
    assert judged.verdict == "mixed"
    assert judged.sentence.startswith("bold is 0.50 points below mine in accuracy on 1,000 rows [")
    # F1 of 910 / 955 x 910 / 920 and 40 / 85 x 40 / 50, against 2 950 / 1950 and 0.
    gap = (2 * 905 / (915 + 950) + 2 * 40 / (85 + 50)) / 2 - 950 / 1950
    assert f"(p = 0.66); but its macro F1 is {100 * gap:.2f} points above [+" in judged.sentence
    assert ": real (p < 0.0001); between these two trained models" in judged.sentence
    assert "Where accuracy and macro F1 disagree" in found.notes[1]
    alike = compare_contenders([contender("mine", 903), contender("other", 900)], "test", False)
    assert not any("disagree" in note for note in alike.notes)


def test_better_by_one_figure_and_worse_by_the_other_is_mixed() -> None:
    labels = (np.arange(2_000) < 100).astype(np.int64)
    careful = np.zeros(2_000, dtype=np.int64)
    bold = (np.arange(2_000) < 300).astype(np.int64)  # all rare texts, and 200 others
    (judged,) = compare_contenders(
        [of_answers("bold", labels, bold), of_answers("careful", labels, careful)], "test", False
    ).pairs
    assert (judged.accuracy_verdict, judged.f1_verdict) == ("real", "real")
    assert judged.verdict == "mixed"
    assert "5.00 points below careful in accuracy" in judged.sentence
    assert "but its macro F1 is" in judged.sentence


def test_p_of_macro_f1_is_corrected_among_its_own() -> None:
    found = compare_contenders(
        [contender(str(hits), hits) for hits in (900, 906, 912)], "test", False
    )
    raw = [pair.difference.f1_p for pair in found.pairs]
    assert [pair.f1_p for pair in found.pairs] == pytest.approx(list(holm(raw)))
    assert found.pairs[1].f1_p == pytest.approx(3 * raw[1])


def test_of_several_labels_a_text_exact_match_and_macro_f1_are_judged() -> None:
    random = np.random.default_rng(0)
    labels = random.random((400, 3)) < 0.4
    contenders = []
    for name, share in (("mine", 0.05), ("other", 0.25)):
        given = labels ^ (random.random(labels.shape) < share)
        evaluation = evaluate_label_sets(
            np.where(given, 0.9, 0.1).astype(np.float32),
            labels.astype(np.int64),
            MultiLabel((0.5, 0.5, 0.5)),
            ["a", "b", "c"],
            "test",
        )
        answers = RowAnswers("texts", labels, given)
        contenders.append(Contender(name, {0: name}, {0: evaluation}, {0: answers}, 7, None, {}))
    found = compare_contenders(contenders, "test", False)
    (judged,) = found.pairs
    assert judged.verdict == "real"
    assert "points above other in exact match on 400 rows [" in judged.sentence
    for entry, each in zip(found.entries, contenders, strict=True):
        assert each.evaluations[0].label_sets is not None
        assert entry.f1_micro == each.evaluations[0].label_sets.f1_micro
        assert each.evaluations[0].f1_macro == entry.f1_macro
    assert judged.difference.f1_macro.value == pytest.approx(
        found.entries[0].f1_macro.value - found.entries[1].f1_macro.value
    )
    assert entry_table(found).columns[:4] == ["run", "exact match", "micro F1", "macro F1"]
    assert pair_table(found).columns[2:] == ["exact match, points", "p", "macro F1, points", "p"]


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
