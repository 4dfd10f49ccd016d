"""A training's curve as a table: a row every `validate_every` steps."""
import csv
from pathlib import Path

from pipeline.core.files import replacing


def write_curve(path: Path, curve: list[dict]) -> None:
    """Write the rows of `train.loop.train` as CSV; no training gives a header alone."""
    fields = list(dict.fromkeys(field for row in curve for field in row)) or ["step"]
    with replacing(path, "w") as handle:
        table = csv.DictWriter(handle, fields, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows({field: f"{value:.6g}" for field, value in row.items()} for row in curve)
