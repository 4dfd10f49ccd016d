"""`python -m pipeline`, run from the project's root."""
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.commands.check import check
from pipeline.commands.export import export
from pipeline.commands.fetch_trunks import fetch_trunks
from pipeline.commands.importing import import_
from pipeline.commands.init import init
from pipeline.commands.keys import params
from pipeline.commands.likeness import likeness
from pipeline.commands.page import page
from pipeline.commands.picture import picture
from pipeline.commands.preset import preset
from pipeline.commands.restore import restore
from pipeline.commands.seeds import seeds
from pipeline.commands.speed import speed

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  context_settings={"max_content_width": 110},
                  help="Two-stage training for image restoration: `dvc repro` builds it, these commands use it.")


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False):
    if version:
        typer.echo(f"Restage {__version__}")
        raise typer.Exit()


for command in (init, restore, preset, check, params, speed, import_, export, fetch_trunks, picture, page, seeds, likeness):
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)
