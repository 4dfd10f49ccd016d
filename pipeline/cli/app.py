"""`python -m pipeline`, run from the project's root."""
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli.check import check
from pipeline.cli.export import export
from pipeline.cli.fetch_trunks import fetch_trunks
from pipeline.cli.importing import import_
from pipeline.cli.init import init
from pipeline.cli.likeness import likeness
from pipeline.cli.page import page
from pipeline.cli.params import params
from pipeline.cli.picture import picture
from pipeline.cli.preset import preset
from pipeline.cli.restore import restore
from pipeline.cli.seeds import seeds
from pipeline.cli.speed import speed

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
