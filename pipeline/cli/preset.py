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
    import yaml

    from pipeline.core.files import replacing
    from pipeline.core.presets import difference, merge

    before = after = PARAMS_FILE.read_text(encoding="utf-8")
    for name in names:
        file = PRESETS / f"{name}.yaml"
        if not file.is_file():
            there = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml"))) or "none; is this the project's root?"
            fail(f"no preset {name!r}, there are {there}")
        after = merge(after, file.read_text(encoding="utf-8"))
        try:
            parse(yaml.safe_load(after), f"{PARAMS_FILE} with {file}")
        except ParamsError as error:
            fail(f"{shorten(str(error), 400, placeholder=' ...')}\n{file} says at its top which preset comes before it, if any")
    typer.echo("\n".join(difference(yaml.safe_load(before), yaml.safe_load(after))) or "nothing changes")
    if not show:
        with replacing(PARAMS_FILE, "w") as handle:
            handle.write(after)
