"""Rows that are no part of the project: starters, and folders as `export --to hub` writes them and the hub holds them."""
from pathlib import Path

from pipeline.restore.named import network_of
from pipeline.restore.starters import starters

HUB_WEIGHTS = "model.safetensors"


def located(name: str | Path, models: Path | str = "models") -> str | Path:
    """The file of a starter, by its name, or the file in a folder of `export --to hub`; any other name as it is. Networks and
    rows of the project come before both, unless the name has a slash, such as ./NAME."""
    file = Path(name, HUB_WEIGHTS)
    found = str(file) if file.is_file() else starters().get(str(name))
    if not found or "/" not in str(name) and (
            Path(models, name, "manifest.json").is_file() or network_of(name, models) != name):
        return name
    return found
