"""Tell what code each stage runs: `python -m pipeline.stages.code`.

Writes data/code/<script>.json for each script of pipeline/stages: the modules it imports, at any depth -> their SHA-256. A
stage depends on the file of its script, so an edit of a module runs the stages again that import it, and no other.
"""
from pathlib import Path

from pipeline.core.edge import run
from pipeline.core.files import sha256, write_json
from pipeline.core.imports import imported

CODE = Path("data/code")
STAGES = Path("pipeline/stages")
# they check, show and interrupt, and what they read is tracked as params
NOT_TRACKED = {Path("pipeline/core", f"{name}.py")
               for name in ("params", "settings", "sources", "baselines", "moire", "progress", "stop")}


def contents() -> dict[Path, dict[str, str]]:
    """The files to write and what is to be in them."""
    scripts = {path.stem: f"pipeline.stages.{path.stem}" for path in sorted(STAGES.glob("[!_]*.py"))}
    files = imported(scripts.values())
    digests = {path: sha256(path) for path in set().union(*files.values()) - NOT_TRACKED}
    return {CODE / f"{script}.json": {path.as_posix(): digests[path] for path in files[module] - NOT_TRACKED}
            for script, module in scripts.items()}


def main() -> None:
    for path, value in contents().items():
        write_json(path, value)


if __name__ == "__main__":
    run(main)
