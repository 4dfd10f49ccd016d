"""`restore` of a video: which input is one, which options are not for it, and what became of it."""
from pathlib import Path

import typer

from pipeline.cli import fail


def video_among(inputs: list[Path]) -> Path | None:
    """The video that is named, if one is. Those in folders and patterns are passed over, as other files are."""
    from pipeline.images.video import VIDEO_SUFFIXES

    return next((path for path in inputs if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()), None)


def refuse_for_video(inputs: list[Path], output: Path, options: dict[str, object]) -> None:
    """End the command where a video cannot be restored so. `options`: those for photos alone, by name."""
    from pipeline.restore.clip import pyav
    from pipeline.restore.video import check_target

    if len(inputs) > 1:
        fail(f"{video_among(inputs)} is a video: restore each with a command of its own, and photos with another")
    if given := next((name for name, value in options.items() if value), None):
        fail(f"{given} is for photos; a video takes --crf, and --strength, --blend, --mask and --ensemble as photos do")
    pyav()
    check_target(inputs[0], output)


def video_restored(restorer, path: Path, output: Path, crf: int | None, tile: int | None, overwrite: bool,
                   max_megapixels: float) -> None:
    """Restore a video, and say so or end the command."""
    from pipeline.restore.container import CRF
    from pipeline.restore.video import restore_video

    try:
        done = restore_video(restorer, path, output, crf or CRF, tile, overwrite, max_megapixels)
    except (ValueError, OSError, MemoryError) as error:
        fail(f"{path}: {error}")
    for remark in done.remarks:
        typer.echo(f"note: {path}: {remark}", err=True)
    if done.stopped:
        typer.echo(f"stopped; the same command continues: {output} has {done.kept} of {done.frames} frames so far", err=True)
        raise typer.Exit(done.stopped)
    typer.echo(f"{output}: {done.frames} frames restored" if done.frames else f"{output} is there already")
