"""Speed of the moire simulator: `python -m bench.moire [RECIPE] [JOBS]`, moire of params.yaml or moire-native of its preset.

Pairs of 128x128 and of 1024x1024 pixels in one process, with the CPU time of each step by itself, then pairs of 128x128 by
JOBS processes as `synthesize` makes them, by the clock on the wall. Beside each CPU time its ratio to a copy in memory of as
many bytes as the finished pair has, measured in turn with it, as the machine may be busy: compare ratios, not milliseconds.
"""
import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import joblib
import numpy as np
import yaml

from pipeline.core.memory import keep_memory
from pipeline.core.moire import Moire
from pipeline.core.seeds import rng
from pipeline.core.sources import Pairs
from pipeline.degrade.moire import sensor, simulate
from pipeline.degrade.pairs import make_pair, make_pairs
from pipeline.images.screens import render_screen
from pipeline.images.shards import ShardWriter

STEPS = {"Geometry": "geometry", "resize_uint8": "zoom", "mosaic": "1, 2 sub-pixel mosaic", "_samples": "3, 4 pose and lens",
         "antialias": "5 anti-alias", "cfa": "6 colour filters", "uneven": "uneven light",
         "sensor_noise": "7 noise", "_develop": "8 demosaic, to sRGB",
         "denoise": "9 denoise", "smooth_colour": "smooth colour", "unsharp_mask": "sharpen", "jpeg": "10 JPEG",
         "downsample": "downsample", "_target": "target"}
PLACES = {name: simulate if hasattr(simulate, name) else sensor for name in STEPS}  # where `simulate` finds a step
COPIED = np.ones(2**26, np.uint8)


class Clock:
    """Times of the steps of `simulate`, each without the steps that run inside it."""

    def __init__(self):
        self.times, self.running, self.since = dict.fromkeys(STEPS, 0.0), [], 0.0

    def wrap(self, name, step):
        def timed(*arguments, **keywords):
            self.turn(name)
            result = step(*arguments, **keywords)
            self.turn()
            return self.each(name, result) if name == "_samples" else result
        return timed

    def each(self, name, items):
        while True:
            self.turn(name)
            item = next(items, None)
            self.turn()
            if item is None:
                return
            yield item

    def turn(self, name=None):
        """A step begins, or the one that began last ends."""
        now = time.process_time()
        if self.running:
            self.times[self.running[-1]] += now - self.since
        if name:
            self.running.append(name)
        else:
            self.running.pop()
        self.since = now


def one_process(recipe: Moire, display: np.ndarray, size: int, count: int) -> float:
    """Print the times of `count` pairs of `size` pixels; returns seconds per pair."""
    clock, steps, copies, spent = Clock(), {name: getattr(place, name) for name, place in PLACES.items()}, [], []
    copy = COPIED.copy()
    for index in range(-2, count):  # the first two warm up
        draw = rng(1, "bench", index + 2)
        drawn = simulate.draw(recipe, draw)
        start = time.process_time()
        np.copyto(copy, COPIED)
        copies.append(time.process_time() - start)
        if index == 0:
            for name, step in steps.items():
                setattr(PLACES[name], name, clock.wrap(name, step))
        start = time.process_time()
        simulate.photograph(display, (size, size), recipe, drawn, draw)
        spent.append(time.process_time() - start)
    for name, step in steps.items():
        setattr(PLACES[name], name, step)
    spent, copy, megapixels = np.array(spent[2:]), float(np.median(copies)) * 6 * size**2 / len(COPIED), size**2 / 1e6
    print(f"{size}x{size}: {1000 * spent.mean() / megapixels:.0f} ms per megapixel, {1 / spent.mean():.1f} pairs/s, "
          f"{megapixels / spent.mean():.2f} megapixels/s, {spent.mean() / copy:.0f} times a copy")
    for name, seconds in {**clock.times, "other": spent.sum() - sum(clock.times.values())}.items():
        if seconds:
            print(f"    {STEPS.get(name, name):22s} {1000 * seconds / count / megapixels:8.1f} ms/MP "
                  f"{seconds / count / copy:8.1f} copies")
    return spent.mean()


def several_processes(recipe: Moire, jobs: int, count: int, alone: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "train"
        with ShardWriter(clean) as writer:
            for index in range(8):
                writer.add(f"screen{index}", f"screen{index}", render_screen(512, rng(1, "bench screens", index)))
        entry = Pairs(clean="clean", recipe="moire", calibration="none", scale=1, patches=count, size=128)
        arguments = clean, entry, recipe, None, 1, "bench", "train"
        with joblib.Parallel(jobs) as pool:  # starts the workers
            pool(joblib.delayed(make_pair)(*arguments, index) for index in range(2 * jobs))
        start = time.perf_counter()
        rate = sum(1 for _ in make_pairs(jobs, count, 64 * jobs, *arguments)) / (time.perf_counter() - start)
    print(f"128x128 by {jobs} processes: {rate:.0f} pairs/s, {rate * 128**2 / 1e6:.2f} megapixels/s, "
          f"{rate * alone:.2f} times one process")


def recipe_of(name: str) -> Moire:
    root = Path(__file__).parent.parent
    found = [yaml.safe_load((root / file).read_text())["recipes"].get(name) for file in ("params.yaml", "presets/demoire.yaml")]
    return Moire(**next(values for values in found if values))


def main(name: str = "moire", jobs: str = "2") -> None:
    cv2.setNumThreads(1)
    keep_memory()
    recipe = recipe_of(name)
    few = recipe.downsample is not None  # takes ten times as long: several camera pixels for each of the capture
    display = render_screen(1024, rng(1, "bench screen"))
    alone = one_process(recipe, display, 128, 20 if few else 100)
    one_process(recipe, display, 1024, 2 if few else 10)
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, "
          f"{2 * len(COPIED) / 2**20:.0f} MB of them for the copies")
    several_processes(recipe, int(jobs), 64 if few else 512, alone)


if __name__ == "__main__":
    main(*sys.argv[1:])
