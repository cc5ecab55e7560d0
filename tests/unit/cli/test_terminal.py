"""What a terminal shows of the tables that pages show too."""

from __future__ import annotations

import io
import json
import sys

import pytest

from ranklet.cli.terminal import (
    allow_any_encoding,
    cell_text,
    print_json,
    print_line,
    print_table,
)
from ranklet.cli.verbs.classify import print_classifications
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report import page
from ranklet.evaluation.report.table import Cell, Difference, Share, Table
from ranklet.workflows.classify import Classification

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


def ascii_stdout(patch: pytest.MonkeyPatch) -> io.BytesIO:
    """Make standard output one of a terminal that knows 128 signs; return what is written."""
    written = io.BytesIO()
    # In the test itself: pytest puts its own in place after every fixture.
    patch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    allow_any_encoding()
    return written


def test_signs_that_a_terminal_lacks_are_written_with_backslashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = ascii_stdout(monkeypatch)
    print_line("café")
    print_table(Table("…", ("naïve",), [("日本",)]))
    assert [line.strip() for line in written.getvalue().decode("ascii").splitlines()] == [
        r"caf\xe9",
        r"\u2026",
        r"na\xefve",
        r"\u65e5\u672c",
    ]


def test_bars_and_json_need_no_sign_that_a_terminal_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = ascii_stdout(monkeypatch)
    print_classifications([Classification("a", "é", {"é": 0.9, "b": 0.1})])
    lines = written.getvalue().decode("ascii").splitlines()
    assert lines == [r"\xe9", rf"  \xe9   90.0%  {'#' * 27}", "  b   10.0%  ###"]
    written = ascii_stdout(monkeypatch)
    print_json({"label": "é"})
    assert json.loads(written.getvalue()) == {"label": "é"}
