"""The commands of `python -m pipeline`, and what they share. What is slow to import is imported where it is used."""
import os
from functools import wraps
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipeline.core.files import read_json
from pipeline.restore.manifest import AbsentNetwork

MODELS = Path("models")
CHOICES = Path("metrics/select")
PIPED_WIDTH = 110  # columns, where no terminal says how wide it is

System = Annotated[str | None, typer.Option(
        help="An entry of `systems`: take the network that `dvc repro select` chose for it, instead of one that you name.")]


def fail(message) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


def times() -> dict[str, dict]:
    """Network -> device and seconds of its last training on this machine."""
    folder = Path(os.environ.get("RESTAGE_WORK", ".work"), "times")  # as train/checkpoint.py, which imports torch
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}


def choices() -> dict[str, dict]:
    """System -> what metrics/select says of its networks: `chosen`, if one was, and the `reason`."""
    return {key: choice for path in sorted(CHOICES.glob("*.json")) for key, choice in read_json(path).items()}


def in_one_line(command):
    """The command, with what is wrong with params, data, networks or the disk told in one line and not by a traceback."""
    @wraps(command)
    def run(*arguments, **options):
        try:
            command(*arguments, **options)
        except (ValueError, OSError, AbsentNetwork) as error:
            fail(error)

    return run
