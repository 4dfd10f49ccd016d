"""Cost against size: `python -m bench.scale [--workers N] [SIZE ...]`, by default 1000 10000 60000 pairs of 128x128 pixels.

For each size, in a temporary folder of its own (60,000 pairs take some 15 GB), stages run as DVC runs them, on rendered
scenes: `ingest` cuts the patches out of the scenes, `synthesize` makes a x4 pair of each by the recipe `random`, `stage1`
trains a small EDSR for one epoch, and `label` writes its outputs for all inputs. Of sixteen scenes one validates.

Beside the seconds stand the milliseconds per further pair since the size before: the same at all sizes where the cost is
linear (starting a stage takes seconds whatever the size). Memory is the largest, in MB, of the stage and its workers
together: `own`, which nobody else can have, and `mapped`, files read without a copy, which the system drops when it wants
the room; a file that several workers map counts for each.

With `--workers N` the pairs are shared out to N such chains of stages in one project. `python -m pipeline repro` runs it one
stage at a time, and then in a second folder on N Dask workers of this machine. Printed are seconds and CPU seconds of both, and
what the project then holds. The two dvc.lock have to hold the same.
"""
import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

from pipeline.core.files import read_json
from pipeline.core.seeds import rng
from pipeline.images.encode import write_png
from pipeline.images.natural import kind_of, render_natural

ROOT = Path(__file__).parent.parent
SIZES = (1000, 10000, 60000)
SCENES, SIDE, PATCH, BATCH = 16, 256, 128, 16
STAGES = {"ingest": ["scale"], "synthesize": ["scale"], "stage1": ["scale"], "label": ["labels", "scale"]}
BOUND = 2000  # MB of a stage's own memory
EVERY = 0.05  # seconds between looks at the memory


def params(count: int, scenes: Path, chains: list[str]) -> dict:
    """`count` pairs for each of the chains."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key in chains:
        values["sets"][key] = {"folder": str(scenes), "include": "*", "scene": "(.*)", "val": 1 / SCENES, "test": 0,
                               "patches": count, "size": PATCH}
        values["pairs"][key] = {"clean": key, "recipe": "random", "calibration": "none", "scale": 4, "patches": 0}
        values["networks"][key] = {
            "arch": "edsr", "inputs": f"pairs/{key}/inputs", "targets": f"pairs/{key}/targets",
            "options": {"scale": 4, "blocks": 2, "features": 16},
            "stage1": {"steps": -(-count // BATCH), "batch": BATCH, "patch": PATCH // 4, "validate_every": 1000}}
        values["labels"][key] = {"network": key, "inputs": f"pairs/{key}/inputs", "self_ensemble": False}
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


def by_stage(sizes: list[int], top: Path, scenes: Path) -> None:
    before: dict[str, tuple[int, float]] = {}
    largest = {stage: 0 for stage in STAGES}
    print(f"{'pairs':>7} {'stage':10} {'seconds':>9} {'ms per further pair':>20} {'MB own':>8} {'MB mapped':>10}")
    for count in sizes:
        with tempfile.TemporaryDirectory(dir=top) as folder:
            Path(folder, "params.yaml").write_text(yaml.safe_dump(params(count, scenes, ["scale"])))
            for stage in STAGES:
                seconds, own, mapped = measured(stage, Path(folder))
                fewer, sooner = before.get(stage, (count, 0))
                further = f"{1000 * (seconds - sooner) / (count - fewer):.2f}" if count > fewer else ""
                before[stage], largest[stage] = (count, seconds), max(largest[stage], own)
                print(f"{count:7} {stage:10} {seconds:9.1f} {further:>20} {own:8} {mapped:10}", flush=True)
    over = [f"{stage} {own}" for stage, own in largest.items() if own > BOUND]
    print(f"own memory of more than {BOUND} MB: {', '.join(over) or 'no stage'}")


def on_workers(sizes: list[int], top: Path, scenes: Path, workers: int) -> None:
    chains = [f"scale{number}" for number in range(workers)]
    targets = [f"label@{key}" for key in chains]
    print(f"  pairs  one process {f'{workers} workers':>12}  ratio  CPU seconds     data MB  cache MB  files")
    for count in sizes:
        seconds, cpu, locks = [], [], []
        for where in ("one", "workers"):
            folder = project(top / f"{where}-{count}", params(-(-count // workers), scenes, chains))
            with cluster(folder, workers) if where == "workers" else one_process() as options:
                start = time.perf_counter()
                shell([sys.executable, "-m", "pipeline", "repro", *options, *targets], folder)
                seconds.append(time.perf_counter() - start)
            cpu.append(sum(record["cpu"] + record["dvc"] for record in map(read_json, (folder / ".work/stages").iterdir())))
            locks.append(yaml.safe_load((folder / "dvc.lock").read_text()))  # with two targets DVC's order is by chance
            data, cache = (size(folder / name) for name in ("data", ".dvc/cache"))
            shutil.rmtree(folder)
        if locks[0] != locks[1]:
            raise SystemExit("the two dvc.lock have other entries")
        print(f"{count:7} {seconds[0]:11.1f}s {seconds[1]:11.1f}s {seconds[0] / seconds[1]:6.2f} "
              f"{cpu[0]:7.1f} {cpu[1]:7.1f} {data[0] / 1e6:8.0f} {cache[0] / 1e6:9.0f} {data[1]:6}", flush=True)


def project(folder: Path, values: dict) -> Path:
    """A new project with these params, in which nothing has run."""
    files = subprocess.run(["git", "ls-files", "-z", "pipeline", "data", "dvc.yaml"], cwd=ROOT, check=True, capture_output=True)
    for file in filter(None, files.stdout.decode().split("\0")):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, folder / file)
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    shell(["dvc", "init", "--no-scm", "--quiet"], folder)
    return folder


@contextmanager
def one_process() -> Iterator[list[str]]:
    yield ["-j", "1"]


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[list[str]]:
    """The options of `repro` for a scheduler and workers that run in a project."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, words = f"tcp://127.0.0.1:{port}", [["scheduler", "--host", "127.0.0.1", "--port", str(port)]]
    words += [["worker", address, "--nthreads", "1"]] * workers
    started = [subprocess.Popen([sys.executable, "-m", "dask", *each], cwd=folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for each in words]
    try:
        from distributed import Client

        with Client(address, timeout=600) as client:
            client.wait_for_workers(workers, timeout=600)
        yield ["--dask", address]
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def shell(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-1000:]}")


def size(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files in a folder, each inode counted once."""
    found = {stat.st_ino: stat.st_size for path in folder.rglob("*") if path.is_file() for stat in [path.stat()]}
    return sum(found.values()), len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        scenes = Path(top, "scenes")
        for index in range(SCENES):
            write_png(scenes / f"{index:02d}.png", render_natural(kind_of(index), SIDE, rng(1, "bench scale", index)))
        if options.workers:
            on_workers(sorted(options.sizes), Path(top), scenes, options.workers)
        else:
            by_stage(sorted(options.sizes), Path(top), scenes)


if __name__ == "__main__":
    main()
