"""The networks that come with Restage: a file of `export --to safetensors` in starters/ for each, and its card beside it."""
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "starters"


def starters() -> dict[str, Path]:
    """Their names, and the files."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}
