"""The project itself: its params.yaml, what a run of it will do, how fast it trains, what it needs from elsewhere."""
from pathlib import Path
from textwrap import shorten
from typing import Annotated

import typer

from pipeline.cli import fail, times
from pipeline.core.files import write
from pipeline.core.params import PARAMS_FILE, ParamsError, load, parse

PRESETS = Path("presets")


def check(prune: Annotated[bool, typer.Option("--prune",
        help="Delete data and networks of entries that params.yaml no longer has.")] = False):
    """Check whether a run can start: folders, disk, memory, GPU.

    Shows what a run would do, and which setting to change if something is wrong. Takes some seconds.

    \b
    Example: python -m pipeline check
    """
    import shutil

    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from pipeline.check import changes, findings, lockfile
    from pipeline.check.findings import Finding
    from pipeline.core.files import json_text
    from pipeline.core.graph import graph
    from pipeline.stages import code, settings

    def tell(finding: Finding) -> None:
        typer.echo(f"{finding.level:4}  {finding.text}")
        levels.append(finding.level)

    levels: list[str] = []
    params = load()
    settings.check_names(params)
    tell(Finding("ok", f"{PARAMS_FILE}: tasks {len(params.tasks)}, systems {len(params.systems)}, rows {len(params.rows)}"))
    for finding in (*findings.folders(params), *findings.machine(params), *findings.trunks(params), findings.device()):
        tell(finding)
    if wrong := lockfile.damage():
        tell(findings.cut_off(wrong, "fix"))
        raise typer.Exit(1)
    try:
        index = Repo(".").index
        if wrong := lockfile.damage({stage.addressing for stage in index.stages}):
            tell(findings.cut_off(wrong, "note"))
        outs = {Path(out.def_path) for stage in index.stages for out in stage.outs}
        if "fix" not in levels:
            foretold = {path: json_text(value) for path, value in (code.contents() | settings.contents()).items()}
            changed = changes.changed(index.stages, foretold)
            trained = {node.stage: name for name, node in graph(params).nodes.items() if node.settings}
            tell(findings.what_will_run(changes.pending(index.graph, changed, {"code", "settings"}), changed, times(), trained))
    except DvcException as error:
        fail(f"dvc: {' '.join(str(error).split())}")
    if left := findings.leftovers(outs):
        for path in left if prune else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        tell(findings.told(left, prune))
    if "fix" in levels:
        raise typer.Exit(1)


def preset(
    names: Annotated[list[str], typer.Argument(
        help="Files of presets/ without the ending .yaml. They are applied in this order.")],
    show: Annotated[bool, typer.Option("--show", help="Show what would change, and change nothing.")] = False,
):
    """Apply named sets of changes to params.yaml. `git checkout params.yaml` undoes them.

    \b
    Example: python -m pipeline preset p2 all
    """
    from pipeline.core.presets import difference, merge
    from pipeline.core.reading import parse_yaml, read_text

    after = read_text(PARAMS_FILE)
    before = parse_yaml(after, PARAMS_FILE)
    for name in names:
        file = PRESETS / f"{name}.yaml"
        if not file.is_file():
            there = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml"))) or "none; is this the project's root?"
            fail(f"no preset {name!r}, there are {there}")
        try:
            after = merge(after, read_text(file), file)
            parse(parse_yaml(after, PARAMS_FILE), f"{PARAMS_FILE} with {file}")
        except ParamsError as error:
            fail(f"{shorten(str(error), 400, placeholder=' ...')}\n{file} says at its top which preset comes before it, if any")
    typer.echo("\n".join(difference(before, parse_yaml(after, PARAMS_FILE))) or "nothing changes")
    if not show:
        write(PARAMS_FILE, after)


def params(schema: Annotated[bool, typer.Option("--schema",
        help="Print a JSON schema for editors instead of Markdown.")] = False):
    """Explain the keys of params.yaml.

    Prints docs/params.md: what each key means, which values it may have, and its default.

    \b
    Example: python -m pipeline params --schema > params.schema.json
    """
    import json

    from pipeline.core.schema import json_schema, params_markdown

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False) if schema else params_markdown(), nl=schema)


def speed(
    network: Annotated[str, typer.Argument(help="An entry of `networks` in params.yaml.")],
    compile: Annotated[bool, typer.Option("--compile",
        help="Also try torch.compile. It takes a minute or more on a CPU.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Training steps to measure for each setting, after two to warm up.")] = 5,
):
    """Measure how fast a network trains on this machine. It tries each setting of channels_last and precision.

    \b
    Example: python -m pipeline speed sr-edsr
    """
    from pipeline.core.device import pick
    from pipeline.train.speed import time_steps

    values = load()
    entry, settings, device = values.entry("networks", network), values.stage1_of(network), pick(values.threads)
    times = time_steps(entry.arch, entry.options, settings, device, rounds, compile)
    for variant, ms in sorted(times.items(), key=lambda item: item[1]):
        mark = "  <- as it is" if all(getattr(settings, key) == value for key, value in variant) else ""
        typer.echo(f"{ms:9.2f} ms  " + "  ".join(f"{key}: {str(value).lower():5s}" for key, value in variant) + mark)
    fastest = ", ".join(f"{key}: {str(value).lower()}" for key, value in min(times, key=times.get))
    typer.echo(f"The fastest on {device.type}, batch {settings.batch}, patch {settings.patch}: networks.{network}.stage1: "
               f"{{{fastest}}}. Under bf16 compare the scores with those of fp32 before you keep it.")


def fetch_trunks(
    source: Annotated[Path | None, typer.Option("--from",
        help="Copy the files from this folder, instead of downloading them.")] = None,
):
    """Download the networks that LPIPS and SRGAN need.

    They are called trunks. 1.3 GB are downloaded, and 150 MB stay in data/trunks/. No other command downloads anything.
    With --from FOLDER nothing is downloaded. Then NIQE's published model is copied, too, if FOLDER has it.

    \b
    Example: python -m pipeline fetch-trunks --from ~/weights
    """
    from pipeline.cli.trunks import fetch

    typer.echo("\n".join(map(str, fetch("data/trunks", source))))
