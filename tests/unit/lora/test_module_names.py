"""Which modules a pattern names."""

from __future__ import annotations

from ranklet.lora.module_names import matches


def test_a_suffix_matches_whole_words_only() -> None:
    assert matches("a.b.query", "query")
    assert matches("a.b.query", "b.query")
    assert matches("query", "query")
    assert not matches("a.subquery", "query")
    assert matches("e.layer.3.self.query", "layer.3")
    assert not matches("e.layer.13.self.query", "layer.3")
    assert not matches("e.layer.3.self.query", "layer.3.self")
    assert matches("e.layer.13.self.query", "layer.9-.self.query")
    assert not matches("e.layer.13.self.query", "layer.9-12.self.query")
