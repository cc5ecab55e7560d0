from __future__ import annotations

import pytest

from ranklet.data.audit.oddities import Oddity, find_oddities, repair


@pytest.mark.parametrize(
    ("text", "kinds", "repaired"),
    [
        ("all is well here", (), "all is well here"),
        ("cafÃ© in the rain", ("mojibake",), "café in the rain"),
        ("so â€œgoodâ€\x9d a thing", ("mojibake", "control"), "so “good” a thing"),
        ("\u00ce\u00b4\u00ce\u00b5 and peace today", ("mojibake",), "\u03b4\u03b5 and peace today"),
        ("café naïve Straße мир 日本", (), None),
        ("DÉJÀ VU AU CAFÉ» ici", (), None),
        ("a &lt;b&gt;bold&lt;/b&gt; move now", ("html",), "a bold move now"),
        ("last week #39;s record highs", ("html",), "last week's record highs"),
        ("a < b and c > d", (), None),
        ("soft\u00adware and\u200b more \x07bells", ("control",), "software and more bells"),
        ("family 👨\u200d👩\u200d👧 stays together", (), None),
        ("tabs\tand\nlines stay put", (), None),
        ("lost a l\ufffdtter in here", ("replacement",), None),
        ("good", ("near empty",), None),
        ("two words", ("near empty",), None),
        (" ... !", ("empty",), None),
        ("", ("empty",), None),
    ],
)
def test_oddities_and_their_repair(
    text: str, kinds: tuple[Oddity, ...], repaired: str | None
) -> None:
    assert find_oddities(text) == kinds
    assert repair(text)[0] == (text if repaired is None else repaired)
    assert repair(repair(text)[0]) == (repair(text)[0], ())
