"""The backbones of LPIPS and SRGAN."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import fail

TRUNKS = Path("data/trunks")


def fetch_trunks(
    source: Annotated[Path | None, typer.Option("--from", help="A folder with the files; otherwise download.")] = None,
):
    """Fill data/trunks/: backbones for LPIPS, and from a folder NIQE's published model. No stage ever downloads anything.

    \b
    Example: python -m pipeline fetch-trunks --from ~/weights
    """
    from pipeline.cli.trunks import fetch

    try:
        written = fetch(TRUNKS, source)
    except (OSError, ValueError) as error:
        fail(error)
    typer.echo("\n".join(str(path) for path in written))
