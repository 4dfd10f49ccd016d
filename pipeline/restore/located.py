"""A row in a folder, as `export --to hub` writes it and the Hugging Face hub holds it."""
from pathlib import Path

from pipeline.restore.named import network_of

HUB_WEIGHTS = "model.safetensors"


def located(name: str | Path, models: Path | str = "models") -> str | Path:
    """The name, or the file in a folder of `export --to hub`. Networks and rows of the project come before folders, unless the
    name has a slash, such as ./NAME."""
    file = Path(name, HUB_WEIGHTS)
    if not file.is_file() or "/" not in str(name) and (
            Path(models, name, "manifest.json").is_file() or network_of(name, models) != name):
        return name
    return str(file)
