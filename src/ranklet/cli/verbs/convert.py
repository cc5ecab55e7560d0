"""ranklet convert: the verb, and where the converted encoder lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ranklet.cli.terminal import print_line


def convert(
    encoder: Annotated[
        str, typer.Argument(metavar="ENCODER", help="Folder or hub id of an encoder or classifier.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; must not exist.")],
) -> None:
    """Write an encoder's pickled weights and SentencePiece tokenizer in files that are read."""
    from ranklet.workflows.convert import convert

    print_line(f"encoder: {convert(encoder, out)}")
