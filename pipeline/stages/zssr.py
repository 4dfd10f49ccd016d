"""ZSSR on the test images of a task: each is enlarged by a network learnt from it alone, whole and in its own time.
`python -m pipeline.stages.zssr KEY` never sees their truth. It writes manifest.json and outputs/<test set>, the enlarged images
in 8 bits, to models/KEY, where the benchmark looks for what a row is made of. What a stopped run has finished is kept in .work,
and the next one goes on with the image it was stopped in.
"""
import io
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from pipeline.core import params
from pipeline.core.baselines import ZssrEntry
from pipeline.core.device import pick
from pipeline.core.edge import run_stage
from pipeline.core.files import need_space, replacing, sha256, sha256_of, write_json
from pipeline.core.progress import progress
from pipeline.core.seeds import derive
from pipeline.core.settings import TestSet
from pipeline.core.stop import Stop
from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.images.test_sets import test_images
from pipeline.nets import zssr as nets
from pipeline.restore import zssr
from pipeline.restore.pixels import quantise
from pipeline.train.checkpoint import only_one, work_folder

TEST_SETS = get_args(TestSet)
CODE = [Path(zssr.__file__), Path(nets.__file__)]


def main(key: str) -> None:
    p = params.load()
    entry = p.entry("zssr", key)
    inputs = {name: test_images(Path("data/tests", entry.tests), "inputs", name) for name in TEST_SETS}
    wanted = {name: inputs[name] for name in entry.test_sets if not inputs[name].absent}
    device = pick(p.threads)
    made = {"seed": p.seed, "threads": p.threads, "settings": entry.model_dump(),
            "inputs": {name: shard.sha256 for name, shard in wanted.items()}}
    fingerprint = sha256_of([made, device.type, torch.__version__, *map(sha256, CODE)])
    work = work_folder() / key / fingerprint[:16]
    with only_one(work):
        enlarge_all(key, p.seed, wanted, entry, work, device)
        output = Path("models", key)
        steps, pixels = [], []
        for name, shard in inputs.items():
            folder = output / "outputs" / name
            shutil.rmtree(folder, ignore_errors=True)
            if name not in wanted:
                write_absent(folder, shard.absent or f"zssr.{key}.test_sets leaves it out")
                continue
            with ShardWriter(folder) as writer:
                for i, image in enumerate(shard.images):
                    with np.load(work / name / f"{i}.npz") as done:
                        writer.add(image["name"], image["scene"], done["image"])
                        steps.append(int(done["steps"]))
                    pixels.append(steps[-1] * min(entry.crop, image["height"], image["width"]) ** 2)
        options = {"layers": entry.layers, "features": entry.features}
        write_json(output / "manifest.json", {
            "arch": "zssr", "options": options, "scale": entry.scale, "code": sha256(nets.__file__), "made": made,
            "parameters": sum(weight.numel() for weight in nets.build(**options).parameters()),
            "per_image": {"steps": round(np.mean(steps or [0])), "pixels": round(np.mean(pixels or [0]))}})
        shutil.rmtree(work, ignore_errors=True)


def is_done(file: Path) -> bool:
    """Whether an image is there, whole; a damaged one is named."""
    if not file.is_file():
        return False
    try:
        with np.load(io.BytesIO(file.read_bytes())) as done:
            return bool(done["image"].size and done["steps"])
    except Exception as error:  # a damaged file fails in every way there is
        print(f"{file}: damaged ({type(error).__name__}); the image is enlarged anew", flush=True)
        return False


def enlarge_all(key: str, seed: int, inputs: dict[str, Shard], entry: ZssrEntry, work: Path, device) -> None:
    """Enlarge the images that are not yet in `work`. Raises SystemExit when asked to stop."""
    jobs = [(name, i) for name, shard in inputs.items() for i in range(len(shard))]
    left = [job for job in jobs if not is_done(work / job[0] / f"{job[1]}.npz")]
    values = sum(inputs[name][i].size for name, i in jobs)
    need_space(work, 2 * values * entry.scale**2, f"zssr of {key}")  # here, and together as a shard
    if 0 < len(left) < len(jobs):
        print(f"{key}: {len(jobs) - len(left)} of {len(jobs)} images are there already", flush=True)
    with Stop() as stop, progress(key, len(jobs), len(jobs) - len(left)) as bar:

        def tick():
            if reason := stop.asked():
                print(f"{key}: stopped in image {name} {i} ({reason}); the next run goes on with it", flush=True)
                raise SystemExit(stop.exit_code)

        for name, i in left:
            restored, steps = zssr.restore_by_learning(
                inputs[name][i], entry.scale, entry, derive(seed, f"{key}/{name}", i), device, tick)
            with replacing(work / name / f"{i}.npz") as handle:
                np.savez(handle, image=quantise(restored), steps=steps)
            bar.advance(f"{steps} steps")


if __name__ == "__main__":
    run_stage(main)
