"""What a pipeline costs beside its networks: `python -m bench.overhead [FOLDER]`, in FOLDER or here.

- How long a stage takes until its own code begins: importing it in a new process, beside importing torch and nothing else.
- `dvc repro` when there is nothing to do, where the project is up to date.
- PSNR, SSIM, NIQE and LPIPS of one 2040x1404 pair, on RGB; LPIPS where its trunk is there, also of a further output of the
  same truth. Then all of them for several pairs, as many at a time as there are cores, as `bench` scores a test set.
- PSNR-registered of one 840x600 pair, the first and a further output.

Beside seconds by the clock stands CPU time, of all threads and children, which other work on the machine changes less.
"""
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.core.device import pick
from pipeline.score.fidelity import psnr, ssim
from pipeline.score.lpips import Lpips, MissingTrunk
from pipeline.score.niqe import fit, score
from pipeline.score.registered import Registered

STAGES = ("ingest", "synthesize", "stage1", "stage2", "label", "bench", "evaluate", "select", "page")
HEIGHT, WIDTH, REPEATS = 1404, 2040, 5


def seconds(call, share: int = 1) -> list[tuple[float, float]]:
    """By the clock and of the CPU, of REPEATS calls, sorted, after one that warms up; divided by `share`."""
    times = []
    for _ in range(REPEATS + 1):
        start, used = time.perf_counter(), sum(os.times()[:4])
        call()
        times.append(((time.perf_counter() - start) / share, (sum(os.times()[:4]) - used) / share))
    return sorted(times[1:])


def spread(times: list[tuple[float, float]]) -> str:
    cpu = sorted(used for _, used in times)[len(times) // 2]
    return f"{times[len(times) // 2][0]:6.2f} s [{times[0][0]:.2f}-{times[-1][0]:.2f}], {cpu:.2f} s of CPU"


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


def images(height: int, width: int) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2)]


def pair(folder: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    pick(cores)  # the process is set up as the stage sets it up
    a, b = images(HEIGHT, WIDTH)
    pristine = fit([b], 96)
    metrics = {"PSNR": psnr, "SSIM": ssim, "NIQE": lambda output, truth: score(output, pristine)}
    try:
        lpips = Lpips(folder / "data/trunks", "alex")
        metrics["LPIPS-Alex"] = lambda output, truth: (lpips.of_truth.made.clear(), lpips(output, truth))
        print(f"{'LPIPS-Alex, a further output':35s} {spread(seconds(lambda: lpips(a, b)))}")
    except MissingTrunk as reason:
        print(f"LPIPS-Alex is not measured: {reason}")
    total = 0.0
    for name, metric in metrics.items():
        times = seconds(partial(metric, a, b))
        total += times[REPEATS // 2][0]
        print(f"{name:35s} {spread(times)}")
    print(f"{' + '.join(metrics):35s} {total:6.2f} s for a pair of {WIDTH}x{HEIGHT}")
    with ThreadPoolExecutor(cores) as pool:
        def score_all(_) -> list:
            return [metric(a, b) for metric in metrics.values()]

        times = seconds(lambda: list(pool.map(score_all, range(2 * cores))), 2 * cores)
    print(f"{f'the same, {cores} pairs at a time':35s} {spread(times)} a pair")

    (a, b), registered = images(600, 840), Registered()
    print(f"{'PSNR-registered, 840x600':35s} {spread(seconds(lambda: Registered()(a, b, a)))}")
    print(f"{'a further output':35s} {spread(seconds(lambda: registered(a, b, a)))}")


if __name__ == "__main__":
    here = Path(sys.argv[1] if sys.argv[1:] else ".")
    starts()
    nothing_to_do(here)
    pair(here)
