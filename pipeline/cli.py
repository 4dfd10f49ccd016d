"""The commands of `python -m pipeline`, run from the project's root.

What is slow to import is imported where it is used.
"""
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from pipeline.core.params import PARAMS_FILE, ParamsError, parse

MODELS, PRESETS, TRUNKS, CHOICES = Path("models"), Path("presets"), Path("data/trunks"), Path("metrics/select")
PIPED_WIDTH = 110  # columns, where no terminal says how wide it is

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  context_settings={"max_content_width": 110},
                  help="Two-stage training for image restoration: `dvc repro` builds it, these commands use it.")


def fail(message) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


@app.command()
def restore(
    inputs: Annotated[list[Path], typer.Argument(
        metavar="PHOTO", help="PNG, JPEG, TIFF, WebP, BMP; HEIC with pillow-heif; folders of them, globs in quotes.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A file for one photo, otherwise a folder.")],
    model: Annotated[list[str] | None, typer.Option(
        metavar="NAME",
        help="A row of params.yaml, a network below models/, or a file of `export --to safetensors`; a second takes the first "
             "one's output.")] = None,
    system: Annotated[str | None, typer.Option(help="Instead: the network chosen without truth for this system.")] = None,
    format: Annotated[Literal["png", "jpg", "tiff", "webp"] | None, typer.Option(
        help="Of the files in a folder; by default that of each photo (BMP and HEIC: PNG).")] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP; a WebP of 100 is lossless.")] = 95,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Mean over eight flips and turns: 8 times slower.")] = False,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="bf16 is faster where the hardware has it.")] = "fp32",
    device: Annotated[Literal["cpu", "cuda", "mps"] | None, typer.Option(help="By default cuda when there is one.")] = None,
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
    from pipeline.restore.network import AbsentNetwork
    from pipeline.restore.plan import plan
    from pipeline.restore.restorer import Restorer

    if bool(model) == bool(system):
        fail("name a network with --model, or a system with --system")
    try:
        jobs = plan(inputs, output, f".{format}" if format else None, compare)
    except ValueError as error:
        fail(error)
    names = [_chosen(system)] if system else model
    try:
        restorer = Restorer(*names, models=MODELS, device=device, precision=precision, ensemble=ensemble, tile=tile)
    except (AbsentNetwork, FileNotFoundError, ValueError) as error:
        there = ", ".join(sorted(path.parent.name for path in MODELS.glob("*/network.safetensors"))) or "none"
        fail(f"{error} (networks in {MODELS}/: {there})")
    if restorer.remark:
        typer.echo(restorer.remark)
    outcome = restore_all(restorer, jobs, quality, compare, overwrite, max_megapixels)
    for photo, reason in outcome.failed.items():
        typer.echo(f"error: {photo}: {reason}", err=True)
    done = f"{len(outcome.restored)} restored" + (f", {len(outcome.skipped)} there already" if outcome.skipped else "")
    if outcome.stopped:
        typer.echo(f"stopped: {done}, of {len(jobs)}; the same command continues", err=True)
        raise typer.Exit(outcome.stopped)
    if outcome.failed:
        fail(f"{len(outcome.failed)} of {len(jobs)} photos could not be restored; {done}")
    typer.echo(done)


def _chosen(system: str) -> str:
    """The network that metrics/select names for a system; says so on the console."""
    from pipeline.core.files import read_json

    choices = {key: choice for path in sorted(CHOICES.glob("*.json")) for key, choice in read_json(path).items()}
    if system not in choices:
        fail(f"no choice for a system {system!r} in {CHOICES}/, there are {', '.join(choices) or 'none'}: `dvc repro select` "
             "makes them")
    choice = choices[system]
    if "chosen" not in choice:
        fail(f"{system}: {choice['reason']}; name a network with --model")
    typer.echo(f"{system}: {choice['chosen']}, chosen without truth: {choice['reason']}")
    return choice["chosen"]


@app.command()
def preset(
    names: Annotated[list[str], typer.Argument(help="Files of presets/, without their ending; a later one builds on the former.")],
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
            fail(error)
    typer.echo("\n".join(difference(yaml.safe_load(before), yaml.safe_load(after))) or "nothing changes")
    if not show:
        with replacing(PARAMS_FILE, "w") as handle:
            handle.write(after)


@app.command()
def check(prune: Annotated[bool, typer.Option("--prune", help="Delete the outs of entries that are gone.")] = False):
    """Say whether `dvc repro` can start, what it will run, and what to mend first.

    \b
    Example: python -m pipeline check
    """
    import shutil

    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from pipeline.core.params import load
    from pipeline.report import ready, stale
    from pipeline.report.ready import Finding

    def tell(finding: Finding) -> None:
        typer.echo(f"{finding.level:4}  {finding.text}")
        levels.append(finding.level)

    levels: list[str] = []
    try:
        params = load()
    except (ParamsError, FileNotFoundError) as error:
        fail(error)
    tell(Finding("ok", f"{PARAMS_FILE}: {len(params.tasks)} tasks, {len(params.systems)} systems, {len(params.rows)} rows"))
    for finding in (*ready.folders(params), *ready.machine(params), *ready.trunks(params), ready.device()):
        tell(finding)
    try:
        index = Repo(".").index
        outs = {Path(out.def_path) for stage in index.stages for out in stage.outs}
        if "fix" not in levels:
            changed = stale.changed(index.stages)
            tell(ready.plan(stale.pending(index.graph, changed), changed, _times()))
    except DvcException as error:
        fail(f"dvc: {' '.join(str(error).split())}")
    for path in ready.leftovers(outs):
        if prune:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        tell(Finding("note", f"{path} is of an entry that is gone: {'deleted' if prune else '--prune deletes it'}"))
    if "fix" in levels:
        raise typer.Exit(1)


@app.command()
def params(schema: Annotated[bool, typer.Option("--schema", help="A JSON schema, for editors, instead of Markdown.")] = False):
    """Print what params.yaml may hold: every key, what is allowed and what it means.

    \b
    Example: python -m pipeline params --schema > params.schema.json
    """
    import json

    from pipeline.core.schema import json_schema, markdown

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False) if schema else markdown(), nl=schema)


@app.command()
def speed(
    network: Annotated[str, typer.Argument(help="An entry of networks in params.yaml.")],
    compile: Annotated[bool, typer.Option("--compile", help="Try torch.compile too: a minute or more on a CPU.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each, after two that warm up.")] = 5,
):
    """Measure how fast a network of stage 1 trains on this machine under each of channels_last, precision and compile.

    \b
    Example: python -m pipeline speed sr-edsr
    """
    from pipeline.core.device import pick
    from pipeline.core.params import load
    from pipeline.train.speed import measure

    try:
        values = load()
    except ParamsError as error:
        fail(error)
    if network not in values.networks:
        fail(f"networks.{network}: no such entry, there are {', '.join(values.networks)}")
    entry, settings, device = values.networks[network], values.stage1_of(network), pick(values.threads)
    times = measure(entry.arch, entry.options, settings, device, rounds, compile)
    for variant, ms in sorted(times.items(), key=lambda item: item[1]):
        mark = "  <- as it is" if all(getattr(settings, key) == value for key, value in variant) else ""
        typer.echo(f"{ms:9.2f} ms  " + "  ".join(f"{key}: {str(value).lower():5s}" for key, value in variant) + mark)
    fastest = ", ".join(f"{key}: {str(value).lower()}" for key, value in min(times, key=times.get))
    typer.echo(f"The fastest on {device.type}, batch {settings.batch}, patch {settings.patch}: networks.{network}.stage1: "
               f"{{{fastest}}}. Under bf16 compare the scores with those of fp32 before you keep it.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Weights: .pth or .pt of tensors alone, or .safetensors.")],
    name: Annotated[str, typer.Option("--as", help="What the network is to be called.")],
):
    """Take somebody else's trained network as stage 1: EDSR-PyTorch's, RCAN's, BasicSR's, KAIR's, or any that spandrel knows.

    Writes models/NAME and adds the entry NAME to `imports` in params.yaml, from which `dvc repro` makes it again.

    \b
    Example: python -m pipeline import edsr_baseline_x4-6b446fab.pt --as edsr-official
    """
    import yaml

    from pipeline.core.files import replacing
    from pipeline.core.params import load
    from pipeline.core.presets import merge
    from pipeline.nets.layouts.files import read_weights
    from pipeline.nets.layouts.names import recognise, remarks
    from pipeline.restore.network import read_manifest
    from pipeline.stages.convert import convert

    try:
        if name in load().network_names():
            fail(f"{name}: there is a network of this name; choose another, or remove its entry from {PARAMS_FILE}")
        layout, arch, options = recognise(read_weights(file)) or ("spandrel", "spandrel", {})
        path, root = file.resolve(), Path.cwd()
        path = path.relative_to(root) if path.is_relative_to(root) else path
        entry = {"file": str(path), "layout": layout, "arch": arch, "options": options}
        after = merge(PARAMS_FILE.read_text(encoding="utf-8"), yaml.safe_dump({"imports": {name: entry}}, sort_keys=False))
        params = parse(yaml.safe_load(after), str(PARAMS_FILE))
        convert(name, params.imports[name])
        manifest = read_manifest(MODELS / name)
    except ParamsError as error:
        fail(error)
    except (OSError, ValueError) as error:
        fail(error if str(file) in str(error) else f"{file}: {error}")
    with replacing(PARAMS_FILE, "w") as handle:
        handle.write(after)
    size = ", ".join([f"{manifest['parameters']:,} weights", *(f"{key} {value}" for key, value in options.items())])
    typer.echo(f"{MODELS / name}: {arch} as {layout} has it, {size}")
    for remark in remarks(layout, arch, options):
        typer.echo(f"note: {remark}")
    fitting = [key for key, system in params.systems.items() if params.pairs[system.pairs].scale == manifest["scale"]]
    typer.echo(f"Two-stage training goes on from it with `start: {name}` in an entry of systems"
               + (f", such as {', '.join(fitting)}" if fitting else ""))


@app.command()
def export(
    to: Annotated[Literal["onnx", "safetensors", "edsr-pytorch", "rcan", "basicsr", "kair"], typer.Option(
        help="onnx: a graph for any program, checked against the network; safetensors: for `restore --model FILE` elsewhere; "
             "otherwise whose program is to read the weights.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A file; .pth, .pt or .safetensors for other projects.")],
    name: Annotated[str | None, typer.Argument(
        metavar="ROW", help="A row of params.yaml, which may be a chain, or a network below models/.")] = None,
    system: Annotated[str | None, typer.Option(help="Instead: the network chosen without truth for this system.")] = None,
):
    """Write a row as one file for other programs, and beside it FILE.md, its model card. See docs/networks.md.

    \b
    Example: python -m pipeline export sr-edsr-stage2 --to onnx -o edsr-stage2.onnx
    """
    from rich.console import Console

    from pipeline.report.export import export as write
    from pipeline.restore.network import AbsentNetwork

    if bool(name) == bool(system):
        fail("name a row, or a system with --system")
    name = name or _chosen(system)
    try:
        with Console(file=sys.stderr).status(f"exporting {name}"):  # bound, as the exporter's own words to it are dropped
            said = write(name, to, output, MODELS)
    except ParamsError as error:
        fail(error)
    except (AbsentNetwork, OSError, ValueError) as error:
        fail(f"{name}: {error}")
    typer.echo(f"{said}\n{output}.md: its model card")


@app.command()
def fetch_trunks(
    source: Annotated[Path | None, typer.Option("--from", help="A folder with the files; otherwise download.")] = None,
):
    """Fill data/trunks/: backbones for LPIPS, and from a folder NIQE's published model. No stage ever downloads anything.

    \b
    Example: python -m pipeline fetch-trunks --from ~/weights
    """
    from pipeline.trunks import fetch

    try:
        written = fetch(TRUNKS, source)
    except (OSError, ValueError) as error:
        fail(error)
    typer.echo("\n".join(str(path) for path in written))


@app.command()
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
    from pipeline.core.params import load
    from pipeline.images.encode import write_png
    from pipeline.report.picture import comparison
    from pipeline.restore.network import AbsentNetwork

    try:
        params = load()
        if system not in params.systems:
            fail(f"systems.{system}: no such entry, there are {', '.join(params.systems)}")
        entry = params.systems[system]
        write_png(output, comparison(entry.task, entry.start, f"{system}-stage2", scene or []))
    except (ParamsError, AbsentNetwork, FileNotFoundError, ValueError) as error:
        fail(error)


def _times() -> dict[str, dict]:
    """Network -> device and seconds of its last training on this machine."""
    from pipeline.core.files import read_json

    folder = Path(os.environ.get("RESTAGE_WORK", ".work"), "times")  # as train/checkpoint.py, which imports torch
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}


@app.command()
def page(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the page goes.")] = Path("report.html"),
):
    """Write the report's page with the training times of this machine, which metrics/report/index.html leaves out.

    \b
    Example: python -m pipeline page -o report.html
    """
    from pipeline.stages.page import write

    try:
        write(output, _times())
    except (ValueError, OSError) as error:
        fail(error)
    typer.echo(output)


@app.command()
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

    from pipeline.core.files import replacing
    from pipeline.measure.names import TEST_SETS
    from pipeline.report.revisions import RevisionError, read
    from pipeline.report.seeds import sections
    from pipeline.report.seeds_text import Comparison

    if out and out.suffix != ".md":
        fail(f"--out {out}: wanted a file that ends in .md")
    try:
        revisions = read(revs)
    except RevisionError as error:
        fail(error)
    params = revisions[0].params
    for option, wanted, there in (("--task", task, params.tasks), ("--test-set", test_set, TEST_SETS)):
        if unknown := [name for name in wanted or () if name not in there]:
            fail(f"{option} {unknown[0]}: no such name, there are {', '.join(there)}")
    test_sets = test_set or [name for name in TEST_SETS if not name.endswith("-val")]
    found = list(sections(revisions, task or list(params.tasks), test_sets, against))
    if not found:
        fail(f"there are no scores on {', '.join(test_sets)}")
    rows = list(dict.fromkeys(row for section in found for row in section.spreads))
    if against and against not in rows:
        fail(f"--against {against}: no such row, there are {', '.join(rows)}")
    comparison = Comparison(params, [revision.params.seed for revision in revisions], against, found)
    console = Console(highlight=False)
    comparison.show(console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH))
    if out:
        with replacing(out, "w") as handle:
            handle.write(comparison.markdown())
        comparison.write_csv(out.with_suffix(".csv"))


@app.command()
def likeness(
    captures: Annotated[str, typer.Argument(metavar="SET", help="An entry of `sets` in params.yaml: real captures.")],
    pairs: Annotated[str, typer.Argument(help="An entry of `pairs`: the synthesis to compare with them.")],
    truth: Annotated[str | None, typer.Option(help="An entry of `sets`: the captures' clean images, if there are any.")] = None,
    out: Annotated[Path | None, typer.Option(
        help="A .md file for the tables; a .json with the numbers and a .png with the curves are written beside it.")] = None,
):
    """Compare real captures with synthetic inputs, to tune the ranges of a recipe: see docs/likeness.md.

    \b
    Example: python -m pipeline likeness sr-captures sr-random --out likeness.md
    """
    from rich.console import Console

    from pipeline.core.device import pick
    from pipeline.core.files import replacing, write_json
    from pipeline.core.params import load
    from pipeline.report.likeness import Comparison, measure
    from pipeline.report.likeness_curves import draw_likeness

    if out and out.suffix != ".md":
        fail(f"--out {out}: wanted a file that ends in .md")
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)
    try:
        params = load()
        pick(params.threads)
        with console.status("comparing"):
            found = measure(params, captures, pairs, truth)
    except (ParamsError, OSError, ValueError) as error:
        fail(error)
    comparison = Comparison(captures, pairs, found)
    comparison.show(console)
    if out:
        with replacing(out, "w") as handle:
            handle.write(comparison.markdown())
        write_json(out.with_suffix(".json"), comparison.json())
        draw_likeness(found, out.with_suffix(".png"), comparison.title)
