"""How a command ends: an exit code and, where it failed, one line for each problem."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, cast

import typer

from ranklet.cli.terminal import print_error, print_traceback
from ranklet.errors import RankletError, RecipeError
from ranklet.termination import TerminatedError, sigterm_raises

# Any mistake in the command line; typer publishes this class of its parser only through a child.
UsageError = cast("type[Exception]", typer.BadParameter.__base__)


def exit_code_of(command: Callable[[], None], with_traceback: bool) -> int:
    """Call a command; return its exit code after printing what went wrong, if anything did."""
    try:
        with sigterm_raises():
            command()
            sys.stdout.flush()
    except typer.Exit as ending:
        return ending.exit_code
    except (Exception, KeyboardInterrupt) as error:
        if with_traceback:
            print_traceback()
        return _report(error)
    return 0


def _report(error: BaseException) -> int:
    if isinstance(error, RankletError):
        issues = error.issues if isinstance(error, RecipeError) else (error,)
        return _failed(error.exit_code, *map(str, issues))
    if isinstance(error, UsageError):
        return _failed(2, _usage_message(error))
    # As a shell names the end by a signal: 128 and its number.
    if isinstance(error, TerminatedError):
        return _failed(143, _with_state("stopped by SIGTERM", error))
    if isinstance(error, KeyboardInterrupt):
        return _failed(130, _with_state("interrupted", error))
    if isinstance(error, MemoryError):
        return _failed(1, "out of memory; lower training.batch_size or data.max_length")
    if isinstance(error, BrokenPipeError):
        _abandon_stdout()  # whoever read it has seen enough, as with `| head`
        return 1
    if isinstance(error, OSError):
        if error.filename is None:
            _abandon_stdout()
        reason = (error.strerror or str(error)).lower()
        return _failed(2, f"{error.filename or 'standard output'}: {reason}; choose another place")
    # The last resort: a defect of ours is one line too, and --debug shows where it is.
    return _failed(
        1,
        f"internal error: {type(error).__name__}: {str(error).partition(chr(10))[0]}; "
        "run again as `ranklet --debug ...` to see where",
    )


def _with_state(message: str, error: BaseException) -> str:
    """Add what an error says there is now."""
    return f"{message}; {error}" if str(error) else message


def _failed(exit_code: int, *messages: str) -> int:
    for message in messages:
        print_error(message)
    return exit_code


def _usage_message(error: Any) -> str:
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message}; see {error.ctx.command_path} --help" if error.ctx else message


def _abandon_stdout() -> None:
    # Python flushes it once more when it ends, and would then complain on its own.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
