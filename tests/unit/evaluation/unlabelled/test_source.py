"""New texts are told from known ones where their source differs, and not where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from ranklet.evaluation.unlabelled import source
from ranklet.evaluation.unlabelled.source import (
    ModelOutputs,
    PerturbedOutputs,
    is_other_source,
    separate,
    source_in_words,
)

CLASSES = 3
WIDTH = 24


def drawn(
    generator: np.random.Generator, rows: int, offset: float = 0.0, shares: tuple[float, ...] = ()
) -> ModelOutputs:
    """Draw texts of three classes; another source is off in a direction that no class has."""
    classes = generator.choice(CLASSES, rows, p=shares or None)
    states = generator.normal(size=(rows, WIDTH)) * 0.5
    states[np.arange(rows), classes] += 3.0
    states[:, CLASSES] += offset
    return ModelOutputs(np.eye(CLASSES)[classes], states.astype(np.float32))


def test_samples_of_the_same_source_are_not_told_apart() -> None:
    generator = np.random.default_rng(0)
    known = drawn(generator, 120)
    for rows in [10, 10, 10, 20, 20, 20, 50, 50, 120, 600] * 3:
        separation = separate(known, drawn(generator, rows))
        assert separation is not None
        assert not separation.is_clear, (rows, separation)


def test_many_texts_of_the_same_source_raise_no_alarm() -> None:
    generator = np.random.default_rng(1)
    # A difference that 2,000 texts of each prove beyond doubt, and that means nothing.
    separation = separate(drawn(generator, 2_000), drawn(generator, 2_000, offset=0.2))
    assert separation is not None
    assert separation.auc > separation.by_chance
    assert not separation.is_clear


@pytest.mark.parametrize("rows", [10, 30, 300])
def test_another_source_is_told(rows: int) -> None:
    generator = np.random.default_rng(2)
    known = drawn(generator, 100)
    separation = separate(known, drawn(generator, rows, offset=2.0))
    assert separation is not None
    assert separation.is_clear
    assert separation.auc > 0.95


def test_the_shares_of_the_classes_do_not_count() -> None:
    generator = np.random.default_rng(3)
    known, other = drawn(generator, 300), drawn(generator, 300, shares=(0.9, 0.1, 0.0))
    separation = separate(known, other)
    assert separation is not None
    assert separation.auc < 0.6


def test_and_they_would_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    known, other = drawn(generator, 300), drawn(generator, 300, shares=(0.9, 0.1, 0.0))
    monkeypatch.setattr(source, "_weights", lambda known, new: np.ones(len(known) + len(new)))
    separation = separate(known, other)
    assert separation is not None
    assert separation.is_clear


def test_what_looks_like_a_shift_that_was_learnt_is_no_other_source() -> None:
    generator = np.random.default_rng(4)
    known, new = drawn(generator, 100), drawn(generator, 100, offset=2.0)
    separation = separate(known, new)
    assert separation is not None

    def shifted_by(offset: float) -> PerturbedOutputs:
        return PerturbedOutputs("typos", np.arange(100), drawn(generator, 100, offset=offset))

    assert is_other_source(separation, [shifted_by(-1.0)], new)
    assert not is_other_source(separation, [shifted_by(-1.0), shifted_by(2.0)], new)


def test_too_few_texts_or_none_of_the_same_label_tell_nothing() -> None:
    generator = np.random.default_rng(5)
    known = drawn(generator, 100, shares=(1.0, 0.0, 0.0))
    assert separate(known, drawn(generator, 9, shares=(1.0, 0.0, 0.0))) is None
    assert separate(known, drawn(generator, 50, shares=(0.0, 1.0, 0.0))) is None


def test_chance_by_hand() -> None:
    generator = np.random.default_rng(6)
    same = (1.0, 0.0, 0.0)
    separation = separate(drawn(generator, 40, shares=same), drawn(generator, 10, shares=same))
    assert separation is not None
    # 2.326 standard deviations of the Mann-Whitney statistic of 40 and 10 values.
    assert separation.by_chance == pytest.approx(0.5 + 2.3263 * (51 / 12 / 400) ** 0.5, abs=1e-4)


def test_the_warning_is_one_line_with_what_differs() -> None:
    said = source_in_words(0.987, ["they are shorter (9 words, not 36)"])
    assert said.startswith("these texts seem to be of another source: in 99% of pairs")
    assert "they are shorter (9 words, not 36)" in said
    assert "outside the interval" in said
    assert "neither length nor new words show how" in source_in_words(0.9, [])
