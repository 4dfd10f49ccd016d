"""Whether figures differ from those in Git though code, settings and data are the same, as they do on another kind of CPU."""
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dvc.utils.serialize import parse_yaml

from pipeline.check.lockfile import LOCK, read

ROUNDING = 0.05
"""Decibels of PSNR. An Intel Xeon and an AMD EPYC differed by at most 0.01 (docs/results.md)."""


def on_another_machine() -> str | None:
    """A line about scores that differ from those of HEAD though nothing that they are made from does; None without such."""
    before, now = committed(LOCK.as_posix()), read(LOCK)
    if before is None or now is None or before == now:
        return None
    if sources(parse_yaml(before, LOCK)) != sources(parse_yaml(now, LOCK)):
        return None
    pairs = [pair for path in sorted(Path("metrics").glob("*.json")) if (text := committed(path.as_posix())) is not None
             for pair in scores(json.loads(text), json.loads(path.read_text(encoding="utf-8")))]
    other = [(metric, abs(new - old)) for metric, old, new in pairs if old != new]
    if not other:
        return None
    largest = max((step for metric, step in other if metric == "psnr"), default=0.0)
    said = (f"{len(other)} of {len(pairs)} scores differ from those in Git, PSNR by at most {largest:.2g} dB, with the same "
            "code, settings and data")
    if largest > ROUNDING:
        return f"{said}: that is more than another CPU makes; `git diff metrics` shows where."
    return f"{said}: expected, as another kind of CPU or GPU rounds sums in another order."


def committed(path: str) -> str | None:
    """A file's text in HEAD; None where HEAD lacks it, or without Git."""
    try:
        found = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True)
    except FileNotFoundError:
        return None
    return found.stdout.decode("utf-8") if found.returncode == 0 else None


def sources(lock: dict) -> dict[str, tuple]:
    """Stage -> its command, its params, and the hashes of those of its dependencies that no stage makes."""
    stages = lock.get("stages", {})
    made = {Path(out["path"]) for stage in stages.values() for out in stage.get("outs", ())}
    above = made | {parent for path in made for parent in path.parents}

    def is_made(path: Path) -> bool:
        return path in above or any(parent in made for parent in path.parents)

    return {name: (stage["cmd"], stage.get("params"), {dep["path"]: dep.get("md5") for dep in stage.get("deps", ())
                                                       if not is_made(Path(dep["path"]))}) for name, stage in stages.items()}


def scores(before: dict, now: dict) -> Iterator[tuple[str, float, float]]:
    """Metric, its value before and now, of what both have: {row: {test set: {metric: value}}}."""
    for row in before.keys() & now.keys():
        for test_set in before[row].keys() & now[row].keys():
            old, new = before[row][test_set], now[row][test_set]
            yield from ((metric, old[metric], new[metric]) for metric in old.keys() & new.keys())
