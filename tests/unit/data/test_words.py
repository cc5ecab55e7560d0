"""Words of scripts with spaces between them, and of others."""

from __future__ import annotations

import pytest

from ranklet.data.words import count_words, terms, terms_and_pairs

CHINESE = "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002"  # six characters and a full stop
JAPANESE = "\u3053\u308c\u306fNHK\u3067\u3059\u3002"  # three, a name, two and a full stop
THAI = "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e04\u0e23\u0e31\u0e1a"  # 4 + 2 marks, 3 + 1
KOREAN = "\uc624\ub298 \ub0a0\uc528\uac00 \uc88b\ub2e4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("it's 5.5m - no", 4),
        (CHINESE, 6),
        (f"{CHINESE} {CHINESE}", 12),
        (JAPANESE, 6),
        (THAI, 7),
        (KOREAN, 3),
        ("caf\u00e9 \u0434\u0430 \u2014", 3),
        ("\u3002", 1),
    ],
)
def test_characters_count_where_a_script_puts_no_spaces(text: str, words: int) -> None:
    assert count_words(text) == words


def test_terms_are_words_in_small_letters() -> None:
    assert terms("It's 5.5m, No!") == ["it", "s", "5", "5m", "no"]
    assert terms_and_pairs("A b C") == ["a", "b", "c", "a b", "b c"]


def test_terms_of_a_script_without_spaces_are_runs_of_characters() -> None:
    assert terms("\u5929\u6c14\u597d") == [
        "\u5929",
        "\u6c14",
        "\u597d",
        "\u5929\u6c14",
        "\u6c14\u597d",
        "\u5929\u6c14\u597d",
    ]
    assert terms("NHK\u3067") == ["nhk", "\u3067"]


def test_vowel_signs_part_no_word() -> None:
    assert terms("\u0939\u093f\u0928\u094d\u0926\u0940") == ["\u0939\u093f\u0928\u094d\u0926\u0940"]
