"""What a run gave: its report, pictures, several seeds beside each other, captures beside a synthesis."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import PIPED_WIDTH, fail, times
from pipeline.core.files import write, write_json
from pipeline.core.params import derived, load

RELOAD = 5  # seconds between two looks at curves that grow


def page(
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path("report.html"),
):
    """Write the page of results with training times.

    It shows what metrics/report/index.html shows, and also how long trainings took on this machine.

    \b
    Example: python -m pipeline page -o report.html
    """
    from pipeline.stages.page import write_page

    write_page(output, times())
    typer.echo(output)


def tensorboard(
    port: Annotated[int, typer.Option(help="Port of TensorBoard's page, which opens on this machine alone.")] = 6006,
    once: Annotated[bool, typer.Option("--once", help="Write the event files to .work/tensorboard, and stop.")] = False,
):
    """Show the training curves in TensorBoard.

    It also shows the curves of trainings that run. Ctrl-C ends it. The package tensorboard has to be installed.

    \b
    Example: python -m pipeline tensorboard
    """
    import time

    from pipeline.report.board import Board

    folder = Path(".work/tensorboard")
    try:
        from tensorboard import program

        board = Board(Path("metrics/curves"), folder)
    except ModuleNotFoundError as error:
        fail(f"TensorBoard is not installed ({error}): pip install tensorboard -c constraints.txt")
    typer.echo(f"{board.update()} curves of metrics/curves are in {folder}")
    if once:
        return
    server = program.TensorBoard()
    server.configure(argv=["", "--logdir", str(folder), "--port", str(port), "--reload_interval", str(RELOAD)])
    typer.echo(f"TensorBoard: {server.launch()}")
    while True:
        time.sleep(RELOAD)
        board.update()


def picture(
    system: Annotated[str, typer.Argument(help="An entry of `systems` in params.yaml.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The PNG file to write.")] = Path("comparison.png"),
    scene: Annotated[list[str] | None, typer.Option(
        metavar="NAME", help="A scene of the test captures. May be given several times. Default: the first.")] = None,
):
    """Draw input, stage 1, stage 2 and truth side by side.

    \b
    Example: python -m pipeline picture sr-edsr -o comparison.png
    """
    from pipeline.images.encode import write_png
    from pipeline.report.picture import comparison

    entry = load().entry("systems", system)
    write_png(output, comparison(entry.task, entry.start, derived(system)["stage2"], scene or []))


def seeds(
    revs: Annotated[list[str], typer.Argument(
        metavar="REV", help="Commits, DVC experiments or `workspace`. Only the seed may differ between them.")],
    task: Annotated[list[str] | None, typer.Option(metavar="NAME",
        help="A task, such as sr. May be given several times. Default: all.")] = None,
    test_set: Annotated[list[str] | None, typer.Option(
        metavar="NAME", help="A test set. May be given several times. Default: captures, captures-far and synthetic.")] = None,
    against: Annotated[str | None, typer.Option(help="A row to compare all rows with. Default: each row's stage 1.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .md file for the tables. A .csv is written beside it.")] = None,
):
    """Compare trainings with different seeds.

    Prints mean and spread of each row, and its difference from its stage 1, with an interval.

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
    captures: Annotated[str, typer.Argument(metavar="SET", help="An entry of `sets` in params.yaml that holds captures.")],
    pairs: Annotated[str, typer.Argument(help="An entry of `pairs`. Its inputs are compared with the captures.")],
    truth: Annotated[str | None, typer.Option(
        help="An entry of `sets` that holds the truth of the captures, if you have it.")] = None,
    out: Annotated[Path | None, typer.Option(
        help="A .md file for the tables. A .json with the numbers and a .png with the curves are written beside it.")] = None,
):
    """Compare captures with synthetic inputs. It shows how to tune a recipe to your camera. See docs/likeness.md.

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
