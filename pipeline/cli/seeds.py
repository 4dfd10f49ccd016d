"""Several seeds compared."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import PIPED_WIDTH, fail


def seeds(
    revs: Annotated[list[str], typer.Argument(
        metavar="REV", help="Commits, DVC experiments or `workspace`: the same params, other seeds.")],
    task: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A task; all by default. More may be given.")] = None,
    test_set: Annotated[list[str] | None, typer.Option(
        metavar="NAME", help="A test set; all but those for choosing by default.")] = None,
    against: Annotated[str | None, typer.Option(help="A row to compare all rows with, in place of their own stage 1.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .md file for the tables; a .csv is written beside it.")] = None,
):
    """Compare trainings of several seeds: mean, spread, and differences with intervals.

    \b
    Example: python -m pipeline seeds exp-a exp-b exp-c --test-set captures
    """
    from rich.console import Console

    from pipeline.compare.revisions import RevisionError, read_revisions
    from pipeline.compare.seeds import sections
    from pipeline.compare.seeds_text import Comparison
    from pipeline.core.files import replacing
    from pipeline.score.names import TEST_SETS

    if out and out.suffix != ".md":
        fail(f"--out {out}: wanted a file that ends in .md")
    try:
        revisions = read_revisions(revs, task)
    except RevisionError as error:
        fail(error)
    params = revisions[0].params
    if unknown := [name for name in test_set or () if name not in TEST_SETS]:
        fail(f"--test-set {unknown[0]}: no such name, there are {', '.join(TEST_SETS)}")
    test_sets = test_set or [name for name in TEST_SETS if not name.endswith("-val")]
    found = list(sections(revisions, task or list(params.tasks), test_sets, against))
    if not found:
        fail(f"there are no scores on {', '.join(test_sets)}")
    rows = list(dict.fromkeys(row for section in found for row in section.table["row"]))
    if against and against not in rows:
        fail(f"--against {against}: no such row, there are {', '.join(rows)}")
    comparison = Comparison(params, [revision.params.seed for revision in revisions], against, found)
    console = Console(highlight=False)
    comparison.show(console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH))
    if out:
        with replacing(out, "w") as handle:
            handle.write(comparison.markdown())
        comparison.write_csv(out.with_suffix(".csv"))
