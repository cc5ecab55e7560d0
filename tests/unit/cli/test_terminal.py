"""What a terminal shows of the tables that pages show too."""

from __future__ import annotations

import pytest

from ranklet.cli.terminal import cell_text, print_table
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report import page
from ranklet.evaluation.report.table import Cell, Difference, Share, Table

SPACE, DASH = "\N{NARROW NO-BREAK SPACE}", "\N{EN DASH}"
SCORE = Metric(0.5, (0.125, 0.875))


@pytest.mark.parametrize(
    ("cell", "in_terminal", "on_page"),
    [
        ("words", "words", ("words", "")),
        (1_234, "1,234", ("1,234", "")),
        (0.25, "0.2500", ("0.2500", "")),
        (None, "", (DASH, "")),
        (Share(0.125), "12.5%", (f"12.5{SPACE}%", "")),
        (Share(0.125, 2), "12.50%", (f"12.50{SPACE}%", "")),
        (SCORE, "0.5000 [0.1250, 0.8750]", (f"50.0{SPACE}%", f"12.5{DASH}87.5")),
        (
            Difference(Metric(0.5, (-0.125, 0.875))),
            "+50.00 [-12.50, +87.50]",
            ("+50.0", "-12.5 to +87.5"),
        ),
        ((3, Share(0.5)), "3 (50.0%)", ("3", f"50.0{SPACE}%")),
        (f"2{SPACE}min", "2 min", (f"2{SPACE}min", "")),
    ],
)
def test_a_cell_is_shown_in_both_places(
    cell: Cell, in_terminal: str, on_page: tuple[str, str]
) -> None:
    assert cell_text(cell) == in_terminal
    assert page.cell_text(cell, 1) == on_page


def test_figures_stand_on_the_right_and_words_on_the_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(
        Table("About", ("name", "rows", "said"), [("a", 1, "b"), ("longer", 20, "c")], (2,))
    )
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "About",
        "name    rows  said",
        "a          1  b",
        "longer    20  c",
    ]


def test_what_moves_a_cursor_or_marks_text_up_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(Table("", ("[red]name", "\x1b[2J"), [("[bold]", "a\rb")]))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["[red]name", "?[2J"], ["[bold]", "a?b"]]
