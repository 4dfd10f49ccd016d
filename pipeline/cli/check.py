"""What `dvc repro` would do, and what is missing."""
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import fail
from pipeline.cli.times import times
from pipeline.core.params import PARAMS_FILE, ParamsError


def check(prune: Annotated[bool, typer.Option("--prune", help="Delete the outs of entries that are gone.")] = False):
    """Say whether `dvc repro` can start, what it will run, and what to mend first.

    \b
    Example: python -m pipeline check
    """
    import shutil

    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from pipeline.check import changes, findings
    from pipeline.check.findings import Finding
    from pipeline.core.files import json_text
    from pipeline.core.graph import graph
    from pipeline.core.params import load
    from pipeline.stages import code, settings

    def tell(finding: Finding) -> None:
        typer.echo(f"{finding.level:4}  {finding.text}")
        levels.append(finding.level)

    levels: list[str] = []
    try:
        params = load()
        settings.check_names(params)
    except (ParamsError, FileNotFoundError) as error:
        fail(error)
    tell(Finding("ok", f"{PARAMS_FILE}: {len(params.tasks)} tasks, {len(params.systems)} systems, {len(params.rows)} rows"))
    for finding in (*findings.folders(params), *findings.machine(params), *findings.trunks(params), findings.device()):
        tell(finding)
    try:
        index = Repo(".").index
        outs = {Path(out.def_path) for stage in index.stages for out in stage.outs}
        if "fix" not in levels:
            foretold = {path: json_text(value) for path, value in (code.contents() | settings.contents()).items()}
            changed = changes.changed(index.stages, foretold)
            trained = {node.stage: name for name, node in graph(params).nodes.items() if node.settings}
            tell(findings.what_will_run(changes.pending(index.graph, changed, {"code", "settings"}), changed, times(), trained))
    except DvcException as error:
        fail(f"dvc: {' '.join(str(error).split())}")
    for path in findings.leftovers(outs):
        if prune:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        tell(Finding("note", f"{path} is of an entry that is gone: {'deleted' if prune else '--prune deletes it'}"))
    if "fix" in levels:
        raise typer.Exit(1)
