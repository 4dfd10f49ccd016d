"""Other projects' weights as stage 1."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import MODELS, fail
from pipeline.core.params import PARAMS_FILE, ParamsError, parse


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
    from pipeline.core.graph import graph
    from pipeline.core.params import load
    from pipeline.core.presets import merge
    from pipeline.core.reading import parse_yaml, read_text
    from pipeline.nets.layouts.files import read_weights
    from pipeline.nets.layouts.names import recognise, remarks
    from pipeline.restore.manifest import read_manifest
    from pipeline.restore.row import saw_truth
    from pipeline.stages.convert import convert

    try:
        if name in graph(load()).nodes:
            fail(f"{name}: there is a network of this name; choose another, or remove its entry from {PARAMS_FILE}")
        layout, arch, options = recognise(read_weights(file)) or ("spandrel", "spandrel", {})
        path, root = file.resolve(), Path.cwd()
        path = path.relative_to(root) if path.is_relative_to(root) else path
        entry = {"file": str(path), "layout": layout, "arch": arch, "options": options}
        entry |= {"saw_truth": True} if saw_truth(file) else {}
        after = merge(read_text(PARAMS_FILE), yaml.safe_dump({"imports": {name: entry}}, sort_keys=False))
        params = parse(parse_yaml(after, PARAMS_FILE), str(PARAMS_FILE))
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
    typer.echo(f"Two-stage training goes on from it with `start: {name}` and `teacher: {name}` in an entry of systems"
               + (f", such as {', '.join(fitting)}" if fitting else ""))
