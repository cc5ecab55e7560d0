"""ranklet verify: the verb, and a line for each thing that a run states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_json, print_line

if TYPE_CHECKING:
    from ranklet.workflows.verify import Check


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    data: Annotated[
        str | None, typer.Option(help="The test data, to compute the test figure again.")
    ] = None,
    encoder: options.EncoderOption = None,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Derive again what a run states: plan, counts, hashes, probe logits, test figure."""
    from ranklet.workflows.verify import verify

    checks = verify(options.model_source(run, encoder, None, device, precision), data)
    if json:
        print_json([asdict(check) for check in checks])
    else:
        print_checks(checks)
    if any(check.state == "differs" for check in checks):
        raise typer.Exit(1)


def print_checks(checks: Sequence[Check]) -> None:
    """Print one line for each check of a run."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        print_line(f"{check.name:<{width}}  {check.state:<11}  {check.detail}")
