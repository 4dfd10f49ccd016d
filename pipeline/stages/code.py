"""Tell what code each stage runs: `python -m pipeline.stages.code`.

Writes data/code/<script>.json for each script of pipeline/stages, and data/code/nets/<arch>.json for each architecture: the
modules it imports, at any depth -> their SHA-256. A stage depends on the file of its script, and on that of the architecture it
builds. So an edit of a module runs the stages again that import it, and no other.
"""
from pathlib import Path

from pipeline.core.edge import run_stage
from pipeline.core.files import sha256, write_json
from pipeline.core.imports import imported
from pipeline.nets.build import architectures

CODE = Path("data/code")
STAGES = Path("pipeline/stages")
PARAMS = {Path("pipeline/core", f"{name}.py") for name in (
    "params", "reading", "model", "settings", "entries", "sources", "recipes", "moire", "baselines", "references", "moved")}
"""What the stage `settings` reads params.yaml by; the others have what it resolved as a dependency."""
NOT_TRACKED = PARAMS | {Path("pipeline/core", f"{name}.py") for name in ("progress", "stop")}
"""Beside these, what shows progress and stops; a change of it changes no result."""


def contents() -> dict[Path, dict[str, str]]:
    """The files to write and what is to be in them."""
    modules = {CODE / f"{path.stem}.json": f"pipeline.stages.{path.stem}" for path in sorted(STAGES.glob("[!_]*.py"))}
    modules |= {CODE / "nets" / f"{arch}.json": f"pipeline.nets.{arch}" for arch in architectures()}
    files = imported(modules.values())
    digests = {path: sha256(path) for path in set().union(*files.values())}
    unread = {path: NOT_TRACKED - PARAMS if path == CODE / "settings.json" else NOT_TRACKED for path in modules}
    return {path: {file.as_posix(): digests[file] for file in files[module] - unread[path]} for path, module in modules.items()}


def main() -> None:
    for path, value in contents().items():
        write_json(path, value)


if __name__ == "__main__":
    run_stage(main)
