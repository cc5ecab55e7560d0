"""Cleaning, word counts, splits and duplicates on cases that can be read off by eye."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ranklet.data.cleaning import clean, drop_empty, filter_by_words
from ranklet.data.duplicates import DuplicatePair, normal_form, resolve_duplicates
from ranklet.data.examples import Examples
from ranklet.data.splits import split_validation
from ranklet.data.words import count_words
from ranklet.errors import DataError
from ranklet.vocabulary import CleaningStep, EmptyPolicy

ALL: tuple[CleaningStep, ...] = ("ag_news", "html", "whitespace")


def examples(texts: list[str], labels: str | None = None, source: str = "train.csv") -> Examples:
    lines = tuple(range(2, len(texts) + 2))
    return Examples(tuple(texts), tuple(labels) if labels else None, lines, source)


@pytest.mark.parametrize(
    ("steps", "text", "expected"),
    [
        (("html",), "a &lt; b &amp; c &#39;d&#x27; &eacute;", "a < b & c 'd' é"),
        (("html",), "a < b and c > d, x<y, 3 <4> 5", "a < b and c > d, x<y, 3 <4> 5"),
        (("html",), "a <b and c> d <insert name> <TXN.N>", "a <b and c> d <insert name> <TXN.N>"),
        (("html",), "<b>N</b>ew<br/>line<!-- no --><P CLASS=x>end</P>", "New line end "),
        (("html",), '<a href="http://x.y/?a=1&amp;b=2" target=_top>Dell</a>', "Dell"),
        (("html",), "&lt;b&gt;bold&lt;/b&gt; &amp;lt;i&amp;gt;it&amp;lt;/i&amp;gt;", "bold it"),
        (("html",), "AT&T &copycat &nonsense; &", "AT&T &copycat &nonsense; &"),
        (("ag_news",), "last week #39;s  quot;high quot; of  #36;5", 'last week\'s "high" of $5'),
        (
            ("ag_news",),
            "S amp;P, lamp; #12; #50; ranked #36 &amp;",
            "S&P, lamp; #12; #50; ranked #36 &amp;",
        ),
        (("ag_news",), "dwindling\\band for \\$5 \\\\ more", "dwindling band for  $5   more"),
        (("ag_news",), "caf #233; #8212; #146;", "café—\u2019"),
        (("whitespace",), " a\t b\n\n\u00a0c ", "a b c"),
        (
            ALL,
            "(Reuters) - Dell &lt;B&gt;up&lt;/B&gt;\\5 percent ",
            "(Reuters) - Dell up 5 percent",
        ),
        (("html",), "&" + "amp;" * 1000 + "lt;", None),
        (ALL, "<" * 500 + "b>" * 500, None),
        ((), " a &lt; ", " a &lt; "),
    ],
)
def test_cleaning(steps: tuple[CleaningStep, ...], text: str, expected: str | None) -> None:
    cleaned = clean(text, steps)
    assert clean(cleaned, steps) == cleaned
    if expected is None:
        assert len(cleaned) < len(text)
    else:
        assert cleaned == expected


@pytest.mark.parametrize(("text", "words"), [("", 0), (" a  b\nc ", 3), ("it's 5.5m", 2)])
def test_words_are_runs_between_white_space(text: str, words: int) -> None:
    assert count_words(text) == words


@pytest.mark.parametrize(
    ("low", "high", "kept"),
    [
        (None, None, (2, 3, 4)),
        (2, None, (3, 4)),
        (None, 2, (2, 3)),
        (2, 2, (3,)),
        (1, 3, (2, 3, 4)),
    ],
)
def test_the_word_filter_keeps_its_bounds(
    low: int | None, high: int | None, kept: tuple[int, ...]
) -> None:
    found, dropped = filter_by_words(examples(["a", "a b", "a b c"], "xyx"), low, high)
    assert (found.lines, dropped) == (kept, 3 - len(kept))


def test_a_filter_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"no row has 5 to inf words; widen data\.min_words"):
        filter_by_words(examples(["a", "b"]), 5, None)


@pytest.mark.parametrize(
    ("labels", "size", "hint"),
    [
        ("xxyy", 0.0, "give a share between 0 and 1"),
        ("xxyy", 1.0, "give a share between 0 and 1"),
        ("xxyy", float("nan"), "give a share between 0 and 1"),
        ("xxyy", True, "data.validation is True"),
        ("xxyy", 0, "or a number of rows"),
        ("xxyy", -3, "or a number of rows"),
        ("xxyy", 1, "takes 1 of 4 rows; with 2 labels take 2 to 2"),
        ("xxyy", 3, "takes 3 of 4 rows"),
        ("xxyy", 99, "takes 99 of 4 rows"),
        ("xxyyz", 3, "takes 3 of 5 rows; with 3 labels take 2 to 2"),
        ("xyz", 0.5, "no label has two rows"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(labels: str, size: float | int, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        split_validation(examples(list("abcdefg"[: len(labels)]), labels), size, 0)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_share_has_a_row_of_each_label_and_a_single_row_stays_in_train() -> None:
    train, validation = split_validation(examples(list("abcdefgh"), "xxxxxyyz"), 0.1, 0)
    assert sorted(validation.labels or ()) == ["x", "y"]
    assert set(train.labels or ()) == {"x", "y", "z"}


def test_a_split_needs_labels() -> None:
    with pytest.raises(DataError, match=r"has no labels; set data\.label_column"):
        split_validation(examples(["a", "b"]), 1, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The U.S. economy!", "the us  economy"),
        ("don't", "DONT"),
        ("Straße", "STRASSE"),
        ("cafe\u0301", "CAFÉ"),
        ("\uff21\uff22\uff23 \uff11", "abc 1"),
        (" !? ", "!?"),
    ],
)
def test_case_punctuation_and_spelling_of_characters_are_ignored(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("की", "का"), ("!", "?"), ("1", "2")])
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


TRAIN = examples(["One.", "two", "ONE", "three", "One.", "four", "five"], "xxxyyxx")
VALIDATION = examples(["Four?", "six"], "xy", "valid.csv")
TEST = examples(["six.", "three!"], "yy", "test.csv")


def test_duplicates_are_dropped_from_train_and_counted() -> None:
    kept, report = resolve_duplicates(TRAIN, VALIDATION, TEST, "drop")
    assert kept == TRAIN.select([0, 1, 6])
    assert (report.within_train, report.conflicting_labels, report.dropped) == (2, 1, 4)
    assert (report.train_validation, report.train_test, report.validation_test) == (1, 1, 1)
    assert report.pairs == (
        DuplicatePair("within_train", "train.csv:4", "train.csv:2"),
        DuplicatePair("within_train", "train.csv:6", "train.csv:2"),
        DuplicatePair("train_validation", "train.csv:7", "valid.csv:2"),
        DuplicatePair("train_test", "train.csv:5", "test.csv:3"),
        DuplicatePair("validation_test", "valid.csv:3", "test.csv:2"),
    )


SPELLINGS = ["C", "C++", "C#", "+1.0 %", "-1.0 %", "😀 ok", "😡 ok"]
EMOJI = ["\u2764\ufe0f", "\u2639\ufe0f", "\U0001f44d\U0001f3fd", "\U0001f44e\U0001f3fd"]


def test_texts_that_differ_stay_apart_while_their_labels_differ() -> None:
    train = examples([*SPELLINGS, *EMOJI], "abcdefghijk")
    other = examples([text.lower() + "." for text in SPELLINGS], "lmnopqr", "test.csv")
    assert resolve_duplicates(train, None, other, "refuse")[0] == train


def test_texts_that_differ_by_case_and_punctuation_alone_are_one_while_their_labels_agree() -> None:
    kept, report = resolve_duplicates(examples(SPELLINGS, "aaabbcc"), None, None, "drop")
    assert kept.texts == ("C", "+1.0 %", "😀 ok")
    assert (report.within_train, report.conflicting_labels) == (4, 0)


def test_emoji_are_no_marks() -> None:
    assert len({normal_form(text) for text in EMOJI}) == 4


def test_a_row_with_another_label_speaks_for_no_other_spelling() -> None:
    # The second is the first with another label; the third is neither.
    kept, report = resolve_duplicates(examples(["C", "C", "c"], "abb"), None, None, "drop")
    assert (kept.texts, report.conflicting_labels) == (("C", "c"), 1)


def test_the_halves_of_a_pair_stay_apart() -> None:
    pairs = (("a b", "c"), ("a", "b c"), ("A b!", "c"))
    train = Examples(pairs, ("x", "x", "x"), (2, 3, 4), "a.csv")
    assert resolve_duplicates(train, None, None, "drop")[0].texts == pairs[:2]


@pytest.mark.parametrize(("policy", "kept", "dropped"), [("drop", "ac", 2), ("keep", "a  c", 1)])
def test_empty_texts_are_dropped_or_kept(policy: EmptyPolicy, kept: str, dropped: int) -> None:
    train = replace(examples(["a", " ", "c"], "xyx"), blank=1)
    filled, count = drop_empty(train, policy)
    assert ("".join(filled.texts), count) == (kept.replace("  ", " "), dropped)
    none, count = drop_empty(examples(["a"], "x"), "refuse")
    assert (none.texts, count) == (("a",), 0)


def test_empty_texts_are_refused_with_their_line() -> None:
    with pytest.raises(DataError, match=r"train.csv:3: empty text after cleaning; delete"):
        drop_empty(examples(["a", ""], "xy"), "refuse")
    with pytest.raises(DataError, match=r"every text is empty; .* set data.empty to keep"):
        drop_empty(examples(["", " "], "xy"), "drop")


def test_keep_counts_and_changes_nothing() -> None:
    kept, report = resolve_duplicates(TRAIN, VALIDATION, TEST, "keep")
    assert (kept, report.dropped, report.within_train) == (TRAIN, 0, 2)


def test_refuse_names_the_counts_and_the_first_pair() -> None:
    with pytest.raises(DataError) as caught:
        resolve_duplicates(TRAIN, VALIDATION, TEST, "refuse")
    counts = (
        "train.csv: duplicate texts: 2 rows within train (1 with another label), 1 also in "
        "validation, 1 also in test, 1 of validation in test"
    )
    assert str(caught.value).startswith(f"{counts}; the first is train.csv:4 = train.csv:2")


def test_a_test_set_that_holds_all_of_train_is_refused() -> None:
    with pytest.raises(DataError, match="every row is a duplicate or occurs in validation or test"):
        resolve_duplicates(TRAIN, None, TRAIN, "drop")


def test_marks_behind_a_letter_that_folds_to_several_are_composed_again() -> None:
    # Upper case, a sharp s with an accent has become two letters, the second of which takes it.
    assert normal_form("\u00df\u0301") == normal_form("SS\u0301") == "s\u015b"
    assert normal_form("\u01f0\u0323") == normal_form("J\u030c\u0323") == "\u01f0\u0323"
