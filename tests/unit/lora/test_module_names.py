"""Which modules a pattern names."""

from __future__ import annotations

import pytest

from ranklet.lora.module_names import LayerSelection, layer_indices, matches


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
    assert not matches("e.layer.13.self.query", f"layer.9-{'9' * 5000}.self.query")


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("0-2", (0, 1, 2)),
        ("3-", (3, 4, 5)),
        ([5, "1-2", 2], (5, 1, 2)),
        ("8-", (8,)),
        ("4-6", (4, 5, 6)),
        # One too many says as much as all of them.
        ("4-999999999", (4, 5, 6)),
        ("8-999999999", (8,)),
    ],
)
def test_ranges_of_layers_are_written_out(
    layers: LayerSelection, expected: tuple[int, ...]
) -> None:
    assert layer_indices(layers, last=5) == expected
