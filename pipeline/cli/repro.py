"""All that is ready, at once."""
from typing import Annotated

import typer

from pipeline.cli import PIPED_WIDTH, fail
from pipeline.core.params import PARAMS_FILE


def repro(
    targets: Annotated[list[str] | None, typer.Argument(
        metavar="TARGET",
        help="A stage, such as evaluate@sr, or a group of stages. What it needs runs, too. Default: everything.",
        )] = None,
    jobs: Annotated[int, typer.Option(
        "-j", "--jobs", min=0,
        help="How many stages run at the same time. 0: one for each GPU, or without a GPU as many as CPU cores allow.")] = 0,
    gpus: Annotated[str, typer.Option(
        metavar="0,1", help="The GPUs to use. Each stage gets one of them. Default: all.")] = "",
    dask: Annotated[str, typer.Option(
        metavar="ADDRESS", help="Run the stages on the workers of the Dask scheduler at this address: docs/scale.md.")] = "",
    force: Annotated[bool, typer.Option("-f", "--force", help="Also run stages that are up to date.")] = False,
    report: Annotated[bool, typer.Option(
        "--report", help="Run nothing. Show how long the stages took when they last ran here.")] = False,
):
    """Run all stages that are not up to date. Stages that do not need each other run at the same time.

    \b
    Example: python -m pipeline repro -j 4 evaluate@sr
    """
    from dvc.exceptions import DvcException

    from pipeline.run import dag
    from pipeline.run.stage import FORKABLE, only_command

    if not FORKABLE:
        fail("`python -m pipeline repro` needs processes that fork, which Windows has only in WSL; `dvc repro` makes the same")
    try:
        with only_command():
            found = dag.read(targets or [])
            if not report:
                with _slots(jobs, gpus.split(",") if gpus else [], dask) as slots:
                    raise typer.Exit(_run(found, slots, force))
            _report(found)
    except DvcException as error:
        fail(" ".join(str(error).split()))


def _slots(jobs: int, gpus: list[str], dask: str):
    """What stages run on, as a context manager."""
    from contextlib import nullcontext

    from dvc.utils.serialize import load_yaml

    from pipeline.run.slots import slots

    if not dask:
        return nullcontext(slots(jobs, gpus, load_yaml(PARAMS_FILE).get("threads", 1) if PARAMS_FILE.is_file() else 1))
    if gpus:
        fail("--gpus is for the GPUs of this machine. With --dask, start one worker for each GPU: docs/scale.md")
    try:
        from pipeline.run.cluster import cluster
    except ImportError as error:
        fail(f"--dask needs two more packages, here and on all workers: pip install dask distributed ({error})")
    return cluster(dask, jobs)


def _run(found, slots, force: bool) -> int:
    """Returns the exit code."""
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.run.execute import Run
    from pipeline.run.show import Show

    with ThreadPoolExecutor(max(len(found.stages), 1)) as executor:
        run = Run(found, executor, slots, Show(found, slots.jobs), force)
        code = run()
    if not code and "report" in found.stages:
        from pipeline.check.elsewhere import on_another_machine
        from pipeline.stages import report

        typer.echo()
        report.show(*filter(None, [on_another_machine()]))
    return code


def _report(found) -> None:
    from rich.console import Console

    from pipeline.run.report import report

    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)
    for section in report(found.needs):
        console.print(section, soft_wrap=True)
