"""What a pipeline costs beside its networks: `python -m bench.overhead [FOLDER]`, in FOLDER or here.

- How long a stage takes until its own code begins: importing it in a new process, beside importing torch and nothing else.
- `dvc repro` when there is nothing to do, where the project is up to date.
- PSNR, SSIM and LPIPS of one 2040x1404 pair, each on RGB; LPIPS where its trunk is there. Then all of them for several
  pairs, as many at a time as there are cores, as `bench` scores a test set.
"""
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.score.fidelity import psnr, ssim
from pipeline.score.lpips import Lpips, MissingTrunk

STAGES = ("ingest", "synthesize", "stage1", "stage2", "label", "bench", "evaluate", "select", "page")
HEIGHT, WIDTH, REPEATS = 1404, 2040, 5


def seconds(call) -> list[float]:
    """Of REPEATS calls, sorted, after one that warms up."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times[1:])


def spread(times: list[float]) -> str:
    return f"{times[len(times) // 2]:6.2f} s [{times[0]:.2f}-{times[-1]:.2f}]"


def starts() -> None:
    for module in ("torch", *(f"pipeline.stages.{stage}" for stage in STAGES)):
        command = [sys.executable, "-c", f"import {module}"]
        print(f"import {module:28s} {spread(seconds(partial(subprocess.run, command, check=True)))}", flush=True)


def nothing_to_do(folder: Path) -> None:
    dvc = [str(Path(sys.executable).with_name("dvc"))]
    env = os.environ | {"DVC_NO_ANALYTICS": "1"}

    def run(*arguments: str) -> str:
        done = subprocess.run([*dvc, *arguments], cwd=folder, env=env, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else done.stderr

    if "up to date" not in (said := run("status")):
        print(f"dvc repro, nothing to do            not measured: dvc status says {said.strip().splitlines()[0]}")
        return
    count = len(run("stage", "list", "--name-only").split())
    print(f"dvc repro, nothing to do            {spread(seconds(lambda: run('repro')))}, {count} stages", flush=True)


def pair(folder: Path) -> None:
    draw = np.random.default_rng(0)
    a, b = (draw.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(2))
    metrics = {"PSNR": psnr, "SSIM": ssim}
    try:
        metrics["LPIPS-Alex"] = Lpips(folder / "data/trunks", "alex")
    except MissingTrunk as reason:
        print(f"LPIPS-Alex is not measured: {reason}")
    total = 0.0
    for name, metric in metrics.items():
        times = seconds(partial(metric, a, b))
        total += times[REPEATS // 2]
        print(f"{name:35s} {spread(times)}")
    names = " + ".join(metrics)
    print(f"{names:35s} {total:6.2f} s for a pair of {WIDTH}x{HEIGHT}")

    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        times = seconds(lambda: list(pool.map(lambda _: [metric(a, b) for metric in metrics.values()], range(2 * cores))))
    print(f"{f'the same, {cores} pairs at a time':35s} {spread([time / (2 * cores) for time in times])} a pair")


if __name__ == "__main__":
    here = Path(sys.argv[1] if sys.argv[1:] else ".")
    starts()
    nothing_to_do(here)
    pair(here)
