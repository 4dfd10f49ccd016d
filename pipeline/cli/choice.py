"""The network that was chosen for a system."""
from pathlib import Path

import typer

from pipeline.cli import fail

CHOICES = Path("metrics/select")


def chosen(system: str) -> str:
    """The network that metrics/select names for a system; says so on the console."""
    from pipeline.core.files import read_json

    choices = {key: choice for path in sorted(CHOICES.glob("*.json")) for key, choice in read_json(path).items()}
    if system not in choices:
        fail(f"no choice for a system {system!r} in {CHOICES}/, there are {', '.join(choices) or 'none'}: `dvc repro select` "
             "makes them")
    choice = choices[system]
    if "chosen" not in choice:
        fail(f"{system}: {choice['reason']}; name a network with --model")
    typer.echo(f"{system}: {choice['chosen']}, chosen without truth: {choice['reason']}")
    return choice["chosen"]
