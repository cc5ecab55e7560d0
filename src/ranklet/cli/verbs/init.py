"""ranklet init: a recipe for somebody's own data, to be read and changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_line


def init(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Training texts: file, folder or hub data set."),
    ],
    text: options.TextOption = None,
    label: options.LabelOption = None,
    test: options.TestOption = None,
    set_: options.SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="YAML file to write; default: named after the data.")
    ] = None,
) -> None:
    """Write the recipe that `train DATA` would take, and train nothing."""
    from ranklet.errors import RunError
    from ranklet.files import write_atomically
    from ranklet.workflows.init import init

    out = out or Path(f"{options.stem_of(data)}.yaml")
    if out.exists():
        raise RunError(f"{out}: exists already; name another file with --out")
    first = init(data, test, text=text or (), label=label, overrides=set_ or [])
    write_atomically(out, first.to_yaml())
    for line in first.seen:
        print_line(line)
    print_line(f"recipe: {out}")
