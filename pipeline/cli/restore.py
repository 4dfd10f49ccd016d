"""Photos restored."""
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli import MODELS, fail
from pipeline.cli.choice import chosen


def restore(
    inputs: Annotated[list[Path], typer.Argument(
        metavar="PHOTO", help="PNG, JPEG, TIFF, WebP, BMP; HEIC with pillow-heif; folders of them, globs in quotes.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A file for one photo, otherwise a folder.")],
    model: Annotated[list[str] | None, typer.Option(
        metavar="NAME", help="A row of params.yaml, a network below models/, or a file of `export --to safetensors`; a second "
                             "takes the first one's output.")] = None,
    system: Annotated[str | None, typer.Option(help="Instead: the network chosen without truth for this system.")] = None,
    format: Annotated[Literal["png", "jpg", "tiff", "webp"] | None, typer.Option(
        help="In a folder; by default that of each photo (BMP and HEIC: PNG).")] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP; a WebP of 100 is lossless.")] = 95,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Mean over eight flips and turns: 8 times slower.")] = False,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="bf16 is faster where the hardware has it.")] = "fp32",
    device: Annotated[Literal["cpu", "cuda", "mps"] | None, typer.Option(
        help="By default the first that there is of cuda, mps and cpu.")] = None,
    tile: Annotated[int | None, typer.Option(
        min=16, help="Pixels on a side that the network sees at a time; by default as many as memory allows.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also write each photo and its restoration side by side.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace other files too; never an input.")] = False,
    max_megapixels: Annotated[float, typer.Option(min=0, help="Refuse photos that claim to be larger.")] = 200,
):
    """Restore photos with a trained network: one by name, or the one that `dvc repro select` chose for a system.

    Photos that were restored already are skipped, so the same command continues after Ctrl-C. See docs/restore.md.

    \b
    Example: python -m pipeline restore photos -o restored --system sr-edsr
    """
    from pipeline.restore.batch import restore_all
    from pipeline.restore.manifest import AbsentNetwork
    from pipeline.restore.plan import plan
    from pipeline.restore.restorer import Restorer

    if bool(model) == bool(system):
        fail("name a network with --model, or a system with --system")
    try:
        jobs, passed = plan(inputs, output, f".{format}" if format else None, compare)
    except ValueError as error:
        fail(error)
    names = [chosen(system)] if system else model
    try:
        restorer = Restorer(*names, models=MODELS, device=device, precision=precision, ensemble=ensemble, tile=tile)
    except (AbsentNetwork, FileNotFoundError, ValueError) as error:
        fail(f"{error} (networks in {MODELS}/: {', '.join(_trained()) or 'none'})")
    if restorer.remark:
        typer.echo(restorer.remark)
    tile = restorer.tile
    outcome = restore_all(restorer, jobs, quality, compare, overwrite, max_megapixels)
    if restorer.tile != tile:
        typer.echo(f"memory ran out: from then on, tiles of {restorer.tile} pixels instead of {tile}")
    for photo, reason in outcome.failed.items():
        typer.echo(f"error: {photo}: {reason}", err=True)
    done = f"{len(outcome.restored)} restored" + (f", {len(outcome.skipped)} there already" if outcome.skipped else "")
    done += f"; {passed}" if passed else ""
    if outcome.stopped:
        typer.echo(f"stopped: {done}, of {len(jobs)}; the same command continues", err=True)
        raise typer.Exit(outcome.stopped)
    if outcome.failed:
        fail(f"{len(outcome.failed)} of {len(jobs)} photos could not be restored; {done}")
    typer.echo(done)


def _trained() -> list[str]:
    """The names of the networks below models/ that have weights."""
    from pipeline.core.files import read_json

    return sorted(path.parent.name for path in MODELS.glob("*/manifest.json") if "weights" in read_json(path))
