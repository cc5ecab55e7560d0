"""How commands end: one line for each problem, and the code that a script sees."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest
import typer

import ranklet
from ranklet.cli import exit_codes
from ranklet.cli.exit_codes import exit_code_of
from ranklet.errors import BudgetExceededError, DataError, RecipeError, RecipeIssue
from ranklet.termination import TerminatedError


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def command() -> NoReturn:
        raise error

    return command


TWO_ISSUES = RecipeError([RecipeIssue("r.yaml", "seed", "no"), RecipeIssue("r.yaml", "head", "no")])


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (DataError("no rows", "a.csv"), DataError.exit_code, ["error: a.csv: no rows"]),
        (
            BudgetExceededError("budget: over\nit", 2, 1),
            BudgetExceededError.exit_code,
            ["error: budget: over?it"],
        ),
        (TWO_ISSUES, RecipeError.exit_code, [f"error: {issue}" for issue in TWO_ISSUES.issues]),
        (typer.BadParameter("no such\nthing."), 2, ["error: Invalid value: no such thing"]),
        (KeyboardInterrupt(), 130, ["error: interrupted"]),
        (KeyboardInterrupt("all is lost"), 130, ["error: interrupted; all is lost"]),
        (TerminatedError(), 143, ["error: stopped by SIGTERM"]),
        (
            MemoryError(),
            1,
            ["error: out of memory; lower training.batch_size or data.max_length"],
        ),
        (
            PermissionError(13, "Permission denied", "out.csv"),
            2,
            ["error: out.csv: permission denied; choose another place"],
        ),
        (
            ValueError("ours\nand more"),
            1,
            [
                "error: internal error: ValueError: ours; "
                "run again as `ranklet --debug ...` to see where"
            ],
        ),
    ],
)
def test_every_failure_is_its_lines_and_its_code(
    error: BaseException, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(raising(error), with_traceback=False) == code
    captured = capsys.readouterr()
    assert captured.err.splitlines() == lines
    assert captured.out == ""


def test_sigterm_is_an_error_while_a_command_works() -> None:
    def command() -> None:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the signal must end it before")

    assert exit_code_of(command, with_traceback=False) == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_goes_well_is_0_and_what_ends_itself_has_its_own_code() -> None:
    assert exit_code_of(lambda: None, with_traceback=False) == 0
    assert exit_code_of(raising(typer.Exit(5)), with_traceback=False) == 5


def test_a_traceback_comes_before_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(raising(ValueError("ours")), with_traceback=True) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2:-1] == ["ValueError: ours"]
    assert lines[-1].startswith("error: internal error: ValueError: ours;")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BrokenPipeError(), 1, ""),
        (
            OSError(28, "No space left on device"),
            2,
            "error: standard output: no space left on device; choose another place\n",
        ),
    ],
)
def test_an_output_that_takes_no_more_is_left(
    error: OSError,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pointed: list[tuple[str, int]] = []
    opened = os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(opened, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(
            exit_codes.os,
            "dup2",
            lambda new, old: pointed.append((os.readlink(f"/dev/fd/{new}"), old)),
        )
        assert exit_code_of(raising(error), with_traceback=False) == code
    assert pointed == [(os.devnull, opened)]
    assert capsys.readouterr().err == message


def test_python_m_ranklet_is_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ranklet", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("ranklet", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{ranklet.__version__}\n"
