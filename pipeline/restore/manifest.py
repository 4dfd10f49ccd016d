"""`models/<name>/manifest.json`: what a network is and what made it, or why it could not be made. Without torch."""
from pathlib import Path

from pipeline.core.files import read_json, write_json


class AbsentNetwork(Exception):
    """This network could not be trained; the text says what was missing."""


def save_absent(folder: Path | str, reason: str) -> None:
    """Write the stand-in of a network that could not be trained."""
    write_json(Path(folder) / "manifest.json", {"absent": reason})


def read_manifest(folder: Path | str) -> dict:
    """A network's manifest. Raises FileNotFoundError, or AbsentNetwork for a stand-in."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no manifest.json here; is that a trained network?")
    manifest = read_json(path)
    if "absent" in manifest:
        raise AbsentNetwork(manifest["absent"])
    return manifest
