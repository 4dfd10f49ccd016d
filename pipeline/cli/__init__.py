"""The commands of `python -m pipeline`, a file each. What is slow to import is imported where it is used."""
from pathlib import Path
from typing import NoReturn

import typer

MODELS = Path("models")
PIPED_WIDTH = 110  # columns, where no terminal says how wide it is


def fail(message) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)
