"""A params.yaml for one's own photos."""
import subprocess
from enum import StrEnum
from pathlib import Path
from textwrap import fill
from typing import Annotated

import typer

from pipeline.cli import PIPED_WIDTH, fail
from pipeline.cli.init_plan import TASKS
from pipeline.core.files import write
from pipeline.core.params import PARAMS_FILE, ParamsError, parse

DEMO = Path("presets/demo.yaml")
HEAD = """\
# The params.yaml that comes with Restage, in place of what `python -m pipeline init` wrote:
#   python -m pipeline preset demo
without: [photos]
"""
Task = StrEnum("Task", [*TASKS])


def init(
    captures: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the photos to restore.")],
    clean: Annotated[Path, typer.Option(metavar="DIR",
        help="Folder of sharp photos of other scenes: what restored photos should look like.")],
    task: Annotated[Task, typer.Option(
        help="x4, x2: enlarge photos. same-size: sharpen soft photos. screens: remove moire from photographs of screens.")],
    truth: Annotated[Path | None, typer.Option(metavar="DIR",
        help="Folder of the perfect versions of the captures, under the same names, if you have them. A folder `truth` "
             "within --captures is found without this option.")] = None,
    start: Annotated[str | None, typer.Option(metavar="NAME",
        help="A trained network that takes the place of stage 1: one of starters/, or a file of `export --to "
             "safetensors`. Then no stage 1 is trained.")] = None,
    force: Annotated[bool, typer.Option("--force",
        help="Overwrite params.yaml even if it has changes that are not committed.")] = False,
):
    """Write a params.yaml for your own photos. It prints what it assumes about them. Then `make repro` trains.

    \b
    Example: python -m pipeline init --captures /photos/phone --clean /photos/sharp --task same-size
    """
    from pipeline.cli.init_plan import assumptions
    from pipeline.cli.init_survey import plan_project
    from pipeline.cli.init_text import params_text
    from pipeline.core.reading import parse_yaml

    if not force and PARAMS_FILE.exists() and (reason := uncommitted(PARAMS_FILE)):
        fail(f"{PARAMS_FILE} {reason}; commit it, or overwrite it with --force")
    chosen = plan_project(task.value, captures, clean, truth, start)
    text = params_text(chosen)
    parse(parse_yaml(text, PARAMS_FILE), str(PARAMS_FILE))
    if before := demo():
        write(DEMO, HEAD + before)
    write(PARAMS_FILE, text)
    for paragraph in assumptions(chosen):
        typer.echo(fill(paragraph, PIPED_WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
    typer.echo(f"Written: {PARAMS_FILE}, {len(text.splitlines())} lines."
               + (" `python -m pipeline preset demo` brings the demo back." if before else ""))
    typer.echo("Next: `python -m pipeline check --prune` deletes what the demo has left. Then `make repro` trains.")


def uncommitted(file: Path) -> str:
    """Why git does not know the contents of `file`; empty where it does."""
    status = subprocess.run(["git", "status", "--porcelain", "--ignored", "--", str(file)], capture_output=True, text=True)
    if status.returncode:
        return "is there, and this is no git repository that would keep it"
    return "has changes that are not committed" if status.stdout.strip() else ""


def demo() -> str:
    """The text of params.yaml where it is the demo's, with built-in data; empty otherwise."""
    from pipeline.core.reading import parse_yaml, read_text

    try:
        text = read_text(PARAMS_FILE)
        return text if parse_yaml(text, PARAMS_FILE).get("builtin") else ""
    except ParamsError:
        return ""
