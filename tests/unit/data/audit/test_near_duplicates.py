from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ranklet.data.audit import near_duplicates
from ranklet.data.audit.copies import Copy, CopySearch, find_copies, fingerprints
from ranklet.data.audit.near_duplicates import nearest_duplicates, shingle_sets
from ranklet.data.examples import Examples

TEN = "one two three four five six seven eight nine ten"


def split(*texts: str, labels: str | None = None) -> Examples:
    lines = tuple(range(len(texts)))
    return Examples(texts, None if labels is None else tuple(labels), lines, "a.csv")


def test_shingles_are_pairs_of_words_without_markup_case_and_punctuation() -> None:
    sets = shingle_sets(["A b, <b>C</b>!", "a B c", "c a b a b", "word", "...", ""])
    # ab bc | ab bc | ca ab ba | word
    assert sets.sum(axis=1).tolist() == [2, 2, 3, 1, 0, 0]
    assert sets.shape == (6, 5)
    assert (sets[[0]] != sets[[1]]).nnz == 0
    assert set(sets.data.tolist()) == {1}


def test_characters_of_scripts_without_spaces_are_words() -> None:
    assert shingle_sets(["日本語の文", "日本語"]).sum(axis=1).tolist() == [4, 2]


def test_resemblance_and_containment_by_hand() -> None:
    # 9 pairs; a substituted word in the middle takes 2 of them: 7 shared of 11.
    changed = TEN.replace("five", "5")
    found = nearest_duplicates(shingle_sets([TEN, changed]))
    assert found.match.tolist() == [-1, 0]
    assert found.resemblance[1] == pytest.approx(7 / 11)
    assert found.containment[1] == pytest.approx(7 / 9)


@pytest.mark.parametrize(
    ("other", "is_found"),
    [
        # All 8 pairs of the short text are in the long one.
        ("one two three four five six seven eight nine" + " x y z u v w q r s t o p l", True),
        # The same with 7 pairs: a phrase.
        ("one two three four five six seven eight" + " x y z u v w q r s t o p l k", False),
    ],
)
def test_a_cut_copy_is_found_from_eight_pairs_of_words(other: str, is_found: bool) -> None:
    short = " ".join(other.split()[: 9 if is_found else 8])
    found = nearest_duplicates(shingle_sets([other, short]))
    assert bool(found.match[1] == 0) == is_found
    assert found.resemblance[1] < 0.5


def test_at_the_threshold_is_a_near_duplicate_and_below_it_is_none() -> None:
    # 6 pairs each, 4 shared: 4 / 8; then 3 shared: 3 / 9.
    texts = ["a b c d e f g", "a b c d e x y", "a b c d v x y"]
    sets = shingle_sets(texts)
    assert nearest_duplicates(sets[[0, 1]]).match.tolist() == [-1, 0]
    assert nearest_duplicates(sets[[0, 2]]).match.tolist() == [-1, -1]


def test_the_nearest_is_taken_and_only_earlier_rows_within_a_split() -> None:
    near, nearer = TEN.replace("five", "5"), TEN.replace("one", "1")
    own, others = fingerprints(split(TEN, near, "something else"), split(near, nearer, TEN.upper()))
    assert find_copies(own) == CopySearch({1: Copy(0, False, 7 / 11, 7 / 9)})
    across = find_copies(own, others).copies
    assert across[0] == Copy(2, True)
    assert across[1] == Copy(0, True)
    assert 2 not in across


def test_a_repeated_text_is_near_to_what_its_first_copy_is_near_to() -> None:
    near = TEN.replace("five", "5")
    own, others = fingerprints(split(near, near.upper()), split(TEN))
    assert {row: copy.other for row, copy in find_copies(own, others).copies.items()} == {
        0: 0,
        1: 0,
    }
    assert not any(copy.exact for copy in find_copies(own, others).copies.values())
    assert find_copies(own) == CopySearch({1: Copy(0, True)})


def test_texts_without_words_are_copies_of_nothing() -> None:
    own, others = fingerprints(split("...", "...", ""), split("...", ""))
    assert find_copies(own) == find_copies(own, others) == CopySearch({})


# Texts from one template


def invoices(count: int) -> list[str]:
    return [
        f"hello this is a reminder that your invoice number {row} over {row % 7} euro is due soon"
        for row in range(count)
    ]


def test_the_work_on_a_template_grows_with_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    compare = near_duplicates._keep_nearest

    def counting(first: Any, second: Any, rows: Any, *others: Any) -> Any:
        compared.append(len(rows))
        return compare(first, second, rows, *others)

    monkeypatch.setattr(near_duplicates, "_keep_nearest", counting)
    found = nearest_duplicates(shingle_sets(invoices(900)))
    assert (found.match[1:] >= 0).all()
    assert not found.is_open.any()
    # Each with each were 404,550.
    assert sum(compared) <= 900 * near_duplicates.FIRST_COMPARED


def test_a_row_that_may_have_a_copy_further_on_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # The rarest pair of words of the last text is that of four others.
    texts = [*(f"p q {row}" for row in range(4)), *(f"{row} q r" for row in range(5)), "p q r"]
    (own,) = fingerprints(split(*texts))
    assert find_copies(own) == CopySearch({})
    monkeypatch.setattr(near_duplicates, "MOST_WITH_SHINGLE", 3)
    assert find_copies(own) == CopySearch({}, frozenset({9}))


def test_other_texts_are_compared_as_if_there_were_no_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = np.random.default_rng(0).zipf(1.3, (600, 12)) % 500
    words[300:] = np.where(np.arange(12) == 5, 7, words[:300])
    sets = shingle_sets([" ".join(f"w{word}" for word in text) for text in words])
    limited = nearest_duplicates(sets)
    monkeypatch.setattr(near_duplicates, "MOST_WITH_SHINGLE", 10**6)
    monkeypatch.setattr(near_duplicates, "FIRST_COMPARED", 10**6)
    unlimited = nearest_duplicates(sets)
    assert (limited.match >= 0).sum() >= 300
    assert limited.match.tolist() == unlimited.match.tolist()
    assert limited.resemblance.tolist() == unlimited.resemblance.tolist()


def test_of_other_labels_only_equal_texts_are_exact_copies_and_others_give_nothing_away() -> None:
    own, others = fingerprints(split("C", "C++", "C", labels="xyz"), split("c#", labels="w"))
    assert find_copies(own).copies == {1: Copy(0, False), 2: Copy(0, True)}
    assert find_copies(own, others) == find_copies(others, own) == CopySearch({})
    own, others = fingerprints(split("C", "\u2764\ufe0f", labels="xy"), split("c!", labels="x"))
    assert find_copies(own, others).copies == {0: Copy(0, True)}
