"""Check the folders of all sets before any is read: `python -m pipeline.stages.folders`.

What it writes is the same whenever all is well, so that a changed folder re-runs its own set alone.
"""
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import fault_of, write_json
from pipeline.images.find import refuse_dangling, walk

BUILTIN = Path("data/builtin")


def main() -> None:
    p = params.load()
    for name, entry in p.sets.items():
        folder = Path(entry.folder)
        if BUILTIN in folder.parents:
            if not p.builtin:
                raise params.ParamsError(f"sets.{name}.folder: {folder} is of the built-in data, but the section builtin is "
                                         "empty: write builtin: {demo: {...}}, as in the file that comes with Restage")
            continue
        if fault := fault_of(folder):
            raise params.ParamsError(f"sets.{name}.folder: {fault}")
        for file in walk(folder, f"sets.{name}.folder"):
            refuse_dangling(file, f"sets.{name}.folder")
    write_json("data/folders.json", "every folder is there")


if __name__ == "__main__":
    run_stage(main)
