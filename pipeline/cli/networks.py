"""Networks put to use: photos restored, rows as files for other programs, other projects' weights as stage 1."""
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli import CHOICES, MODELS, System, choices, fail
from pipeline.cli.video import refuse_for_video, video_among, video_restored
from pipeline.core.files import write
from pipeline.core.params import PARAMS_FILE, ParamsError, load, parse
from pipeline.restore.manifest import AbsentNetwork


def restore(
    inputs: Annotated[list[Path], typer.Argument(
        metavar="PHOTO", help="Files (PNG, JPEG, TIFF, WebP, BMP; HEIC with pillow-heif), folders, patterns such as '*.jpg'. "
                              "Or one video (MP4, MOV, MKV, WebM, AVI).")],
    output: Annotated[Path, typer.Option(
        "-o", "--output", help="A file for one photo, a folder for several. A video becomes .mp4, .mov or .mkv.")],
    model: Annotated[list[str] | None, typer.Option(
        metavar="NAME", help="The network: a row of the tables, a folder of models/, one of starters/, a file of `export --to "
                             "safetensors` or a folder of `export --to hub`. If given twice, the second network restores the "
                             "output of the first.")] = None,
    system: System = None,
    format: Annotated[Literal["png", "jpg", "tiff", "webp"] | None, typer.Option(
        help="Format of the files in the output folder. Default: that of each photo; PNG for BMP and HEIC.")] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100,
        help="Quality of JPEG and WebP files, 95 by default. A WebP of quality 100 is lossless.")] = None,
    crf: Annotated[int | None, typer.Option(min=1, max=51,
        help="Quality of a video, 17 by default. Larger numbers make smaller and coarser files.")] = None,
    ensemble: Annotated[bool, typer.Option("--ensemble",
        help="Restore the eight flips and quarter turns of the photo, and take their mean. Takes 8 times as long.")] = False,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(
        help="Precision of the computation. bf16 is faster on hardware that has it.")] = "fp32",
    device: Annotated[Literal["cpu", "cuda", "mps"] | None, typer.Option(
        help="Where to compute. Default: cuda if it is there, else mps, else cpu.")] = None,
    tile: Annotated[int | None, typer.Option(
        min=16, help="Side in pixels of the squares that a large photo is cut into. Default: what memory allows.")] = None,
    strength: Annotated[float, typer.Option(
        min=0, max=1.5, help="How much to restore: 0 is the photo, 1 its restoration. More than 1 exaggerates it.")] = 1,
    blend: Annotated[tuple[str, float] | None, typer.Option(
        metavar="NAME SHARE", help="Mix in the result of another network: its name and its share, from 0 to 1.")] = None,
    mask: Annotated[Path | None, typer.Option(
        exists=True, dir_okay=False,
        help="A picture of the photo's size: the photo is restored where it is white, and kept where it is black.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also write a PNG of photo and restoration side by side.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite",
        help="Overwrite files that restore did not write. Photos given as input are never overwritten.")] = False,
    max_megapixels: Annotated[float, typer.Option(min=0, help="Refuse photos and frames with more megapixels.")] = 200,
):
    """Restore photos, or a video, with a trained network.

    Photos that are restored already are skipped, so the same command continues after Ctrl-C. See docs/restore.md.

    \b
    Example: python -m pipeline restore photos -o restored --system sr-edsr
    """
    from pipeline.restore.plan import plan

    if bool(model) == bool(system):
        fail("name a network with --model, or a system with --system")
    if video := video_among(inputs):
        refuse_for_video(inputs, output, {"--format": format, "--quality": quality, "--compare": compare})
    elif crf:
        fail("--crf is for videos; photos take --quality")
    else:
        jobs, passed = plan(inputs, output, f".{format}" if format else None, compare)
    restorer = _loaded([chosen(system)] if system else model, device=device, precision=precision, ensemble=ensemble, tile=tile,
                       strength=strength, blend=blend, mask=mask)
    if video:
        video_restored(restorer, video, output, crf, tile, overwrite, max_megapixels)
    else:
        _photos_restored(restorer, jobs, passed, quality or 95, compare, overwrite, max_megapixels)


def _loaded(names: list[str], **options):
    """The Restorer; ends the command when there is none of these names."""
    from pipeline.restore.restorer import Restorer

    try:
        restorer = Restorer(*names, models=MODELS, **options)
    except (AbsentNetwork, FileNotFoundError, ValueError) as error:
        fail(f"{error} ({_networks_here()})")
    if restorer.remark:
        typer.echo(restorer.remark)
    return restorer


def _photos_restored(restorer, jobs: list, passed: str, quality: int, compare: bool, overwrite: bool,
                     max_megapixels: float) -> None:
    from pipeline.restore.batch import restore_all

    tile = restorer.tile
    outcome = restore_all(restorer, jobs, quality, compare, overwrite, max_megapixels)
    if restorer.tile != tile:
        typer.echo(f"memory ran out, so the rest was restored in tiles of {restorer.tile} pixels instead of {tile}")
    _tell(outcome, len(jobs), passed)


def _networks_here() -> str:
    from pipeline.restore.rows import trained
    from pipeline.restore.starters import starters

    return f"networks in {MODELS}/: {', '.join(trained(MODELS)) or 'none'}; starters: {', '.join(starters()) or 'none'}"


def _tell(outcome, photos: int, passed: str) -> None:
    """What became of the photos; ends the command when not all could be restored."""
    for photo, remarks in outcome.remarks.items():
        typer.echo(f"note: {photo}: {'; '.join(remarks)}", err=True)
    for photo, reason in outcome.failed.items():
        typer.echo(f"error: {photo}: {reason}", err=True)
    done = f"{len(outcome.restored)} restored" + (f", {len(outcome.skipped)} there already" if outcome.skipped else "")
    done += f"; {passed}" if passed else ""
    if outcome.stopped:
        typer.echo(f"stopped: {done}, of {photos}; the same command continues", err=True)
        raise typer.Exit(outcome.stopped)
    if outcome.failed:
        fail(f"{len(outcome.failed)} of {photos} photos could not be restored; {done}")
    typer.echo(done)


def export(
    to: Annotated[Literal["onnx", "safetensors", "hub", "edsr-pytorch", "rcan", "basicsr", "kair", "realesrgan", "nafnet",
                          "uhdm"], typer.Option(
        help="onnx: for any program. safetensors: for `restore --model FILE` in another folder. hub: a folder as a "
             "repository of the Hugging Face hub. The others: weights for that project, under its names.")],
    output: Annotated[Path, typer.Option("-o", "--output",
        help="The file to write, or the folder for hub. Weights for another project end in .pth, .pt or .safetensors.")],
    name: Annotated[str | None, typer.Argument(
        metavar="ROW", help="A row of the tables, or a folder of models/. It may be a chain or an ensemble.")] = None,
    system: System = None,
    license: Annotated[Literal["mit", "apache-2.0", "bsd-3-clause", "gpl-3.0", "openrail", "cc0-1.0", "cc-by-4.0",
                               "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "unknown"] | None, typer.Option(
        help="The licence that a hub folder's card names. Default: unknown.")] = None,
):
    """Write a network to a file for other programs. Its model card is beside it, as FILE.md. See docs/networks.md.

    \b
    Example: python -m pipeline export sr-edsr-stage2 --to onnx -o edsr-stage2.onnx
    """
    from rich.console import Console

    from pipeline.export.write import card_of, export_row

    if bool(name) == bool(system):
        fail("name a row, or a system with --system")
    if license and to != "hub":
        fail("--license is for --to hub")
    name = name or chosen(system)
    try:
        with Console(file=sys.stderr).status(f"exporting {name}"):  # bound, as the exporter's own words to it are dropped
            said = export_row(name, to, output, MODELS, license or "unknown")
    except (AbsentNetwork, OSError, ValueError) as error:
        fail(error if isinstance(error, ParamsError) else f"{name}: {error}")
    typer.echo(f"{said}\n{card_of(output, to)}: its model card")


def import_(
    file: Annotated[Path, typer.Argument(
        help="The file of weights: .pth, .pt or .safetensors. A file that holds code is refused.")],
    name: Annotated[str, typer.Option("--as", help="The name that the network gets here.")],
):
    """Use somebody else's trained network as stage 1. See docs/networks.md.

    Writes models/NAME, and adds the entry NAME to `imports` in params.yaml. It reads weights of EDSR-PyTorch, RCAN, BasicSR,
    KAIR, Real-ESRGAN (compact), NAFNet and UHDM. It also reads files of `export --to safetensors` that hold one network. If
    the package spandrel is installed, it reads weights of many other projects.

    \b
    Example: python -m pipeline import edsr_baseline_x4-6b446fab.pt --as edsr-official
    """
    import yaml

    from pipeline.core.graph import graph
    from pipeline.core.presets import merge
    from pipeline.core.reading import parse_yaml, read_text
    from pipeline.nets.layouts.files import read_weights
    from pipeline.nets.layouts.names import OWN, recognise, remarks
    from pipeline.restore.manifest import read_manifest
    from pipeline.restore.named import alone_in, saw_truth
    from pipeline.stages.convert import convert

    try:
        if name in graph(load()).nodes:
            fail(f"{name}: there is a network of this name; choose another, or remove its entry from {PARAMS_FILE}")
        if own := alone_in(file):
            layout, arch, options = OWN, own["arch"], own["options"]
        else:
            layout, arch, options = recognise(read_weights(file)) or ("spandrel", "spandrel", {})
        path, root = file.resolve(), Path.cwd()
        path = path.relative_to(root) if path.is_relative_to(root) else path
        entry = {"file": str(path), "layout": layout, "arch": arch, "options": options}
        entry |= {"saw_truth": True} if saw_truth(file) else {}
        after = merge(read_text(PARAMS_FILE), yaml.safe_dump({"imports": {name: entry}}, sort_keys=False))
        params = parse(parse_yaml(after, PARAMS_FILE), str(PARAMS_FILE))
        convert(name, params.imports[name])
        manifest = read_manifest(MODELS / name)
    except (OSError, ValueError) as error:
        fail(error if isinstance(error, ParamsError) or str(file) in str(error) else f"{file}: {error}")
    write(PARAMS_FILE, after)
    size = ", ".join([f"{manifest['parameters']:,} weights", *(f"{key} {value}" for key, value in options.items())])
    typer.echo(f"{MODELS / name}: {arch} as {layout} has it, {size}")
    for remark in remarks(layout, arch, options):
        typer.echo(f"note: {remark}")
    fitting = [key for key, system in params.systems.items() if params.pairs[system.pairs].scale == manifest["scale"]]
    typer.echo(f"Two-stage training goes on from it with `start: {name}` and `teacher: {name}` in an entry of systems"
               + (f", such as {', '.join(fitting)}" if fitting else ""))


def chosen(system: str) -> str:
    """The network that metrics/select names for a system; says so on the console."""
    made = choices()
    if system not in made:
        fail(f"no choice for a system {system!r} in {CHOICES}/, there are {', '.join(made) or 'none'}: `dvc repro select` "
             "makes them")
    choice = made[system]
    if "chosen" not in choice:
        fail(f"{system}: {choice['reason']}; name a network with --model")
    typer.echo(f"{system}: {choice['chosen']}, chosen without truth: {choice['reason']}")
    return choice["chosen"]
