"""Presets merged into params.yaml."""
from pathlib import Path
from textwrap import shorten
from typing import Annotated

import typer

from pipeline.cli import fail
from pipeline.core.params import PARAMS_FILE, ParamsError, parse

PRESETS = Path("presets")


def preset(
    names: Annotated[list[str], typer.Argument(help="Files of presets/, without their ending; in their order.")],
    show: Annotated[bool, typer.Option("--show", help="Only say what would change.")] = False,
):
    """Merge presets into params.yaml. Comments stay; `git checkout params.yaml` takes it back.

    \b
    Example: python -m pipeline preset p2 all
    """
    from pipeline.core.files import replacing
    from pipeline.core.presets import difference, merge
    from pipeline.core.reading import parse_yaml, read_text

    try:
        before = after = read_text(PARAMS_FILE)
    except ParamsError as error:
        fail(error)
    for name in names:
        file = PRESETS / f"{name}.yaml"
        if not file.is_file():
            there = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml"))) or "none; is this the project's root?"
            fail(f"no preset {name!r}, there are {there}")
        try:
            after = merge(after, read_text(file), file)
            parse(parse_yaml(after, PARAMS_FILE), f"{PARAMS_FILE} with {file}")
        except ParamsError as error:
            fail(f"{shorten(str(error), 400, placeholder=' ...')}\n{file} says at its top which preset comes before it, if any")
    typer.echo("\n".join(difference(parse_yaml(before, PARAMS_FILE), parse_yaml(after, PARAMS_FILE))) or "nothing changes")
    if not show:
        with replacing(PARAMS_FILE, "w") as handle:
            handle.write(after)
