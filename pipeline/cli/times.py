"""How long networks took to train here."""
import os
from pathlib import Path


def times() -> dict[str, dict]:
    """Network -> device and seconds of its last training on this machine."""
    from pipeline.core.files import read_json

    folder = Path(os.environ.get("RESTAGE_WORK", ".work"), "times")  # as train/checkpoint.py, which imports torch
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}
