"""Cost against size: `python -m bench.scale [SIZE ...]`, by default 1000 10000 60000 pairs of 128x128 pixels.

For each size, in a temporary folder of its own (60,000 pairs take some 15 GB), stages run as DVC runs them, on rendered
scenes: `ingest` cuts the patches out of the scenes, `synthesize` makes a x4 pair of each by the recipe `random`, `stage1`
trains a small EDSR for one epoch, and `label` writes its outputs for all inputs. Of sixteen scenes one validates.

Beside the seconds stand the milliseconds per further pair since the size before: the same at all sizes where the cost is
linear (starting a stage takes seconds whatever the size). Memory is the largest, in MB, of the stage and its workers
together: `own`, which nobody else can have, and `mapped`, files read without a copy, which the system drops when it wants
the room; a file that several workers map counts for each.
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from pipeline.core.seeds import rng
from pipeline.images.encode import write_png
from pipeline.images.natural import kind_of, render_natural

ROOT = Path(__file__).parent.parent
SIZES = ("1000", "10000", "60000")
SCENES, SIDE, PATCH, BATCH = 16, 256, 128, 16
STAGES = {"ingest": ["clean"], "synthesize": ["scale"], "stage1": ["scale"], "label": ["labels", "scale"]}
BOUND = 2000  # MB of a stage's own memory
EVERY = 0.05  # seconds between looks at the memory


def params(count: int, scenes: Path) -> dict:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["sets"]["clean"] |= {"folder": str(scenes), "include": "*", "scene": "(.*)", "val": 1 / SCENES, "test": 0,
                                "holdout": 0, "patches": count, "size": PATCH}
    values["pairs"]["scale"] = {"clean": "clean", "recipe": "random", "calibration": "none", "scale": 4, "patches": 0}
    values["networks"]["scale"] = {
        "arch": "edsr", "inputs": "pairs/scale/inputs", "targets": "pairs/scale/targets",
        "options": {"scale": 4, "blocks": 2, "features": 16},
        "stage1": {"steps": -(-count // BATCH), "batch": BATCH, "patch": PATCH // 4, "validate_every": 1000}}
    values["labels"]["scale"] = {"network": "scale", "inputs": "pairs/scale/inputs", "ensemble": False}
    return values


def measured(stage: str, folder: Path) -> tuple[float, int, int]:
    """Seconds, and MB of own and of mapped memory at their largest, of a stage that runs in `folder`."""
    command = [sys.executable, "-m", f"pipeline.stages.{stage}", *STAGES[stage]]
    own = mapped = 0
    start = time.perf_counter()
    with open(folder / f"{stage}.log", "w") as log, subprocess.Popen(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=subprocess.STDOUT) as process:
        while process.poll() is None:
            seen = [memory(each) for each in tree(process.pid)]
            own, mapped = (max(most, sum(now)) for most, now in zip((own, mapped), zip(*seen or [(0, 0)])))
            time.sleep(EVERY)
    if process.returncode:
        raise SystemExit(f"{stage}: {(folder / f'{stage}.log').read_text()[-2000:]}")
    return time.perf_counter() - start, own // 2**20, mapped // 2**20


def tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory(process: psutil.Process) -> tuple[int, int]:
    try:
        found = process.memory_info()
    except psutil.NoSuchProcess:
        return 0, 0
    return found.rss - found.shared, found.shared


def main(*sizes: str) -> None:
    before: dict[str, tuple[int, float]] = {}
    largest = {stage: 0 for stage in STAGES}
    print(f"{'pairs':>7} {'stage':10} {'seconds':>9} {'ms per further pair':>20} {'MB own':>8} {'MB mapped':>10}")
    with tempfile.TemporaryDirectory() as top:
        scenes = Path(top, "scenes")
        for index in range(SCENES):
            write_png(scenes / f"{index:02d}.png", render_natural(kind_of(index), SIDE, rng(1, "bench scale", index)))
        for count in sorted(map(int, sizes or SIZES)):
            with tempfile.TemporaryDirectory(dir=top) as folder:
                Path(folder, "params.yaml").write_text(yaml.safe_dump(params(count, scenes)))
                for stage in STAGES:
                    seconds, own, mapped = measured(stage, Path(folder))
                    fewer, sooner = before.get(stage, (count, 0))
                    further = f"{1000 * (seconds - sooner) / (count - fewer):.2f}" if count > fewer else ""
                    before[stage], largest[stage] = (count, seconds), max(largest[stage], own)
                    print(f"{count:7} {stage:10} {seconds:9.1f} {further:>20} {own:8} {mapped:10}", flush=True)
    over = [f"{stage} {own}" for stage, own in largest.items() if own > BOUND]
    print(f"own memory of more than {BOUND} MB: {', '.join(over) or 'no stage'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
