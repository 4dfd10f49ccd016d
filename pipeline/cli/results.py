"""What a run gave: its report, pictures, several seeds beside each other, captures beside a synthesis."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import PIPED_WIDTH, fail, times
from pipeline.core.files import write, write_json
from pipeline.core.params import derived, load


def page(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the page goes.")] = Path("report.html"),
):
    """Write the report's page with the training times of this machine, which metrics/report/index.html leaves out.

    \b
    Example: python -m pipeline page -o report.html
    """
    from pipeline.stages.page import write_page

    write_page(output, times())
    typer.echo(output)


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
    from pipeline.images.encode import write_png
    from pipeline.report.picture import comparison

    entry = load().entry("systems", system)
    write_png(output, comparison(entry.task, entry.start, derived(system)["stage2"], scene or []))


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
    from pipeline.compare.revisions import read_revisions
    from pipeline.compare.seeds import sections
    from pipeline.compare.seeds_text import Comparison
    from pipeline.compare.text import console_of
    from pipeline.score.names import TEST_SETS

    _check_markdown(out)
    revisions = read_revisions(revs, task)
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
    comparison.show(console_of(PIPED_WIDTH))
    if out:
        write(out, comparison.markdown())
        comparison.write_csv(out.with_suffix(".csv"))


def likeness(
    captures: Annotated[str, typer.Argument(metavar="SET", help="An entry of `sets` in params.yaml: real captures.")],
    pairs: Annotated[str, typer.Argument(help="An entry of `pairs`: the synthesis to compare with them.")],
    truth: Annotated[str | None, typer.Option(help="An entry of `sets`: the captures' clean images, if there are any.")] = None,
    out: Annotated[Path | None, typer.Option(
        help="A .md file for the tables; a .json with the numbers and a .png with the curves are written beside it.")] = None,
):
    """Compare real captures with synthetic inputs, to tune the ranges of a recipe: see docs/likeness.md.

    \b
    Example: python -m pipeline likeness sr-captures sr --out likeness.md
    """
    from pipeline.compare.likeness_text import LikenessReport, draw_likeness, measure
    from pipeline.compare.text import console_of
    from pipeline.core.device import pick

    _check_markdown(out)
    params, console = load(), console_of(PIPED_WIDTH)
    pick(params.threads)
    with console.status("comparing"):
        found = measure(params, captures, pairs, truth)
    comparison = LikenessReport(captures, pairs, found)
    comparison.show(console)
    if out:
        write(out, comparison.markdown())
        write_json(out.with_suffix(".json"), comparison.json())
        draw_likeness(found, out.with_suffix(".png"), comparison.title)


def _check_markdown(out: Path | None) -> None:
    if out and out.suffix != ".md":
        fail(f"--out {out}: wanted a file that ends in .md")
