"""`python -m pipeline`, run from the project's root."""
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import in_one_line
from pipeline.cli.init import init
from pipeline.cli.local_page import app_
from pipeline.cli.networks import export, import_, restore
from pipeline.cli.project import check, fetch_trunks, params, preset, speed
from pipeline.cli.repro import repro
from pipeline.cli.results import likeness, page, picture, seeds, tensorboard

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  context_settings={"max_content_width": 110},
                  help="Restage trains networks that restore photos. README.md shows the first steps.")


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False):
    if version:
        typer.echo(f"Restage {__version__}")
        raise typer.Exit()


for command in (init, repro, restore, app_, preset, check, params, speed, import_, export, fetch_trunks, picture, page, seeds,
                likeness, tensorboard):
    app.command(command.__name__.rstrip("_").replace("_", "-"))(in_one_line(command))
