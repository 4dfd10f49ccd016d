"""Check the folders of all sets before any is read: `python -m pipeline.stages.folders`.

Reads params sets; writes data/folders.json, the same whenever all is well, so that a changed folder re-runs its own set alone.
"""
import os
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run
from pipeline.core.files import write_json


def main() -> None:
    for name, entry in params.load().sets.items():
        folder = Path(entry.folder)
        if not folder.is_dir():
            found = "a file" if folder.exists() else "nothing"
            raise params.ParamsError(f"sets.{name}.folder: wanted a folder of images, or data/none; {folder} is {found}")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise params.ParamsError(f"sets.{name}.folder: {folder} cannot be read (its permissions forbid it)")
    write_json("data/folders.json", "every folder is there")


if __name__ == "__main__":
    run(main)
