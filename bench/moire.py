"""Speed of the moire simulator: `python -m bench.moire [RECIPE] [JOBS]`, a recipe of presets/demoire.yaml.

Pairs of 1024x1024 and of 128x128 pixels in one process, with the time of each step by itself, then pairs of 128x128 by JOBS
processes as `synthesize` makes them. Beside each time its ratio to a copy of as many pixels in memory (uint8 RGB, both sides
of the pair), measured in turn with it, as the machine may be busy: compare ratios.
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

from pipeline.core.moire import Moire
from pipeline.core.seeds import rng
from pipeline.core.sources import Pairs
from pipeline.degrade.moire import simulate
from pipeline.degrade.pairs import make_pair, make_pairs
from pipeline.images.screens import render
from pipeline.images.shards import ShardWriter

STEPS = {"Geometry": "geometry", "resize_uint8": "zoom", "mosaic": "1-2 sub-pixel mosaic", "_samples": "3-4 pose and lens",
         "antialias": "5 anti-alias", "cfa": "6 colour filters", "sensor_noise": "7 noise", "_develop": "8 demosaic, to sRGB",
         "denoise": "9 denoise", "sharpen": "sharpen", "jpeg": "10 JPEG", "downsample": "downsample", "_target": "target"}


class Clock:
    """Times of the steps of `simulate`, each without the steps that run inside it."""

    def __init__(self):
        self.times, self.running = dict.fromkeys(STEPS, 0.0), []

    def wrap(self, name, step):
        def timed(*arguments, **keywords):
            self.enter(name)
            try:
                result = step(*arguments, **keywords)
            finally:
                self.leave()
            return self.iterate(name, result) if name == "_samples" else result
        return timed

    def iterate(self, name, generator):
        while True:
            self.enter(name)
            try:
                item = next(generator, None)
            finally:
                self.leave()
            if item is None:
                return
            yield item

    def enter(self, name):
        now = time.perf_counter()
        if self.running:
            self.times[self.running[-1]] += now - self.since
        self.running.append(name)
        self.since = now

    def leave(self):
        now = time.perf_counter()
        self.times[self.running.pop()] += now - self.since
        self.since = now


def one_process(recipe: Moire, display: np.ndarray, size: int, count: int) -> float:
    """Print the times of `count` pairs of `size` pixels; returns seconds per pair."""
    clock, originals = Clock(), {name: getattr(simulate, name) for name in STEPS}
    copied, source = [], np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    target, spent = np.empty_like(source), []
    for index in range(-2, count):  # the first two warm up
        draw = rng(1, "bench", index + 2)
        drawn = simulate.draw(recipe, draw)
        start = time.perf_counter()
        for _ in range(20):
            np.copyto(target, source)
        copied.append((time.perf_counter() - start) / 20)
        if index == 0:
            for name, step in originals.items():
                setattr(simulate, name, clock.wrap(name, step))
        start = time.perf_counter()
        simulate.photograph(display, (size, size), recipe, drawn, draw)
        spent.append(time.perf_counter() - start)
    for name, step in originals.items():
        setattr(simulate, name, step)
    spent, copy = np.array(spent[2:]), float(np.median(copied))
    megapixels = size * size / 1e6
    print(f"{size}x{size}: {1000 * spent.mean() / megapixels:.0f} ms per megapixel (median {1000 * np.median(spent) / megapixels:.0f}), "
          f"{megapixels / spent.mean():.1f} megapixels/s, {1 / spent.mean():.0f} pairs/s, {spent.mean() / copy:.0f} times a copy")
    for name, seconds in clock.times.items():
        if seconds:
            print(f"    {STEPS[name]:22s} {1000 * seconds / count / megapixels:7.1f} ms/MP {seconds / count / copy:7.1f} copies")
    print(f"    {'everything else':22s} {1000 * (spent.sum() - sum(clock.times.values())) / count / megapixels:7.1f} ms/MP")
    return spent.mean()


def several_processes(recipe: Moire, jobs: int, count: int, alone: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with ShardWriter(Path(folder) / "train") as writer:
            for index in range(8):
                writer.add(f"screen{index}", f"screen{index}", render(512, rng(1, "bench screens", index)))
        entry = Pairs(clean="clean", recipe="moire", scale=1, patches=count, size=128)
        arguments = Path(folder) / "train", entry, recipe, None, 1, "bench", "train"
        make_pair(*arguments, 0)
        with joblib.Parallel(jobs) as pool:
            pool(joblib.delayed(make_pair)(*arguments, index) for index in range(2 * jobs))  # starts the workers
        start = time.perf_counter()
        made = sum(1 for _ in make_pairs(jobs, count, 64 * jobs, *arguments))
        rate = made / (time.perf_counter() - start)
    print(f"{jobs} processes, 128x128: {rate:.0f} pairs/s, {rate * 128**2 / 1e6:.1f} megapixels/s, {rate * alone:.2f} times one process")


def main(name: str = "moire", jobs: str = "2") -> None:
    cv2.setNumThreads(1)
    presets = yaml.safe_load((Path(__file__).parent.parent / "presets/demoire.yaml").read_text())
    recipe = Moire(**presets["recipes"][name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    display = render(1024, rng(1, "bench screen"))
    alone = one_process(recipe, display, 128, 60 if name == "moire" else 20)
    one_process(recipe, display, 1024, 6 if name == "moire" else 1)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, {before:.0f} MB of them before the first pair")
    several_processes(recipe, int(jobs), 256 if name == "moire" else 32, alone)


if __name__ == "__main__":
    main(*sys.argv[1:])
