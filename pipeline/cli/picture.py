"""Crops side by side."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import fail
from pipeline.core.params import ParamsError


def picture(
    system: Annotated[str, typer.Argument(help="An entry of `systems` in params.yaml.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the PNG goes.")] = Path("comparison.png"),
    scene: Annotated[list[str] | None, typer.Option(
        metavar="NAME", help="A scene of the test captures; more may be given.")] = None,
):
    """Draw crops of test captures side by side: input, stage 1, stage 2, truth.

    \b
    Example: python -m pipeline picture sr-edsr -o comparison.png
    """
    from pipeline.core.params import derived, load
    from pipeline.images.encode import write_png
    from pipeline.report.picture import comparison
    from pipeline.restore.manifest import AbsentNetwork

    try:
        params = load()
        if system not in params.systems:
            fail(f"systems.{system}: no such entry, there are {', '.join(params.systems)}")
        entry = params.systems[system]
        write_png(output, comparison(entry.task, entry.start, derived(system)["stage2"], scene or []))
    except (ParamsError, AbsentNetwork, FileNotFoundError, ValueError) as error:
        fail(error)
