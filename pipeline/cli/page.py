"""The report with training times."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import fail
from pipeline.cli.times import times


def page(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the page goes.")] = Path("report.html"),
):
    """Write the report's page with the training times of this machine, which metrics/report/index.html leaves out.

    \b
    Example: python -m pipeline page -o report.html
    """
    from pipeline.stages.page import write_page

    try:
        write_page(output, times())
    except (ValueError, OSError) as error:
        fail(error)
    typer.echo(output)
