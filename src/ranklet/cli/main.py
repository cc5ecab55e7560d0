"""The app: every verb below one command, and how a call of it ends."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from ranklet.cli.exit_codes import exit_code_of
from ranklet.cli.terminal import allow_any_encoding
from ranklet.cli.verbs.audit import audit
from ranklet.cli.verbs.classify import classify
from ranklet.cli.verbs.compare import compare
from ranklet.cli.verbs.convert import convert
from ranklet.cli.verbs.estimate import estimate
from ranklet.cli.verbs.evaluate import evaluate
from ranklet.cli.verbs.init import init
from ranklet.cli.verbs.plan import plan
from ranklet.cli.verbs.predict import predict
from ranklet.cli.verbs.recipes import recipes_app
from ranklet.cli.verbs.shrink import shrink
from ranklet.cli.verbs.stress import stress
from ranklet.cli.verbs.train import train
from ranklet.cli.verbs.tune import tune
from ranklet.cli.verbs.verify import verify

app = typer.Typer(
    name="ranklet",
    help="Fine-tune text encoders into text classifiers under a hard budget of trained parameters.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    init,
    plan,
    train,
    tune,
    evaluate,
    predict,
    classify,
    verify,
    shrink,
    audit,
    compare,
    estimate,
    stress,
    convert,
)
for verb in VERBS:
    app.command()(verb)
app.add_typer(recipes_app, name="recipes", invoke_without_command=True)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from ranklet import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show tracebacks of errors, and the kernels chosen for this machine."
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that stand before the verb."""
    # run() reads --debug too, for it also sees errors of the command line itself.
    if debug:
        logging.getLogger("ranklet").addHandler(logging.StreamHandler())
        logging.getLogger("ranklet").setLevel(logging.DEBUG)
    del version


def run() -> None:
    """Run the command line; every error becomes one line and an exit code."""
    allow_any_encoding()
    arguments = sys.argv[1:] or ["--help"]

    def invoke() -> None:
        # Not app(), which prints errors of the command line in a form of its own.
        with typer.main.get_command(app).make_context("ranklet", arguments) as context:
            context.command.invoke(context)

    sys.exit(exit_code_of(invoke, with_traceback="--debug" in arguments))
