"""`python -m ranklet`: the command line."""

from ranklet.cli.main import run

run()
