"""A row as one file for other programs."""
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli import MODELS, fail
from pipeline.cli.choice import chosen
from pipeline.core.params import ParamsError


def export(
    to: Annotated[Literal["onnx", "safetensors", "edsr-pytorch", "rcan", "basicsr", "kair"], typer.Option(
        help="onnx: a graph for any program, checked against the network; safetensors: for `restore --model FILE` elsewhere; "
             "otherwise whose program is to read the weights.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A file; .pth, .pt or .safetensors for other projects.")],
    name: Annotated[str | None, typer.Argument(
        metavar="ROW", help="A row of params.yaml, which may be a chain, or a network below models/.")] = None,
    system: Annotated[str | None, typer.Option(help="Instead: the network chosen without truth for this system.")] = None,
):
    """Write a row as one file for other programs, and beside it FILE.md, its model card. See docs/networks.md.

    \b
    Example: python -m pipeline export sr-edsr-stage2 --to onnx -o edsr-stage2.onnx
    """
    from rich.console import Console

    from pipeline.export.write import export_row as write
    from pipeline.restore.manifest import AbsentNetwork

    if bool(name) == bool(system):
        fail("name a row, or a system with --system")
    name = name or chosen(system)
    try:
        with Console(file=sys.stderr).status(f"exporting {name}"):  # bound, as the exporter's own words to it are dropped
            said = write(name, to, output, MODELS)
    except ParamsError as error:
        fail(error)
    except (AbsentNetwork, OSError, ValueError) as error:
        fail(f"{name}: {error}")
    typer.echo(f"{said}\n{output}.md: its model card")
