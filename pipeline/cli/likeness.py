"""Captures beside a synthesis."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import PIPED_WIDTH, fail
from pipeline.core.params import ParamsError


def likeness(
    captures: Annotated[str, typer.Argument(metavar="SET", help="An entry of `sets` in params.yaml: real captures.")],
    pairs: Annotated[str, typer.Argument(help="An entry of `pairs`: the synthesis to compare with them.")],
    truth: Annotated[str | None, typer.Option(help="An entry of `sets`: the captures' clean images, if there are any.")] = None,
    out: Annotated[Path | None, typer.Option(
        help="A .md file for the tables; a .json with the numbers and a .png with the curves are written beside it.")] = None,
):
    """Compare real captures with synthetic inputs, to tune the ranges of a recipe: see docs/likeness.md.

    \b
    Example: python -m pipeline likeness sr-captures sr-random --out likeness.md
    """
    from rich.console import Console

    from pipeline.compare.likeness_text import LikenessReport, draw_likeness, measure
    from pipeline.core.device import pick
    from pipeline.core.files import replacing, write_json
    from pipeline.core.params import load

    if out and out.suffix != ".md":
        fail(f"--out {out}: wanted a file that ends in .md")
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)
    try:
        params = load()
        pick(params.threads)
        with console.status("comparing"):
            found = measure(params, captures, pairs, truth)
    except (ParamsError, OSError, ValueError) as error:
        fail(error)
    comparison = LikenessReport(captures, pairs, found)
    comparison.show(console)
    if out:
        with replacing(out, "w") as handle:
            handle.write(comparison.markdown())
        write_json(out.with_suffix(".json"), comparison.json())
        draw_likeness(found, out.with_suffix(".png"), comparison.title)
