"""Time of the antialiased bicubic downscale, beside one pass over the image and torch's own: `python -m bench.bicubic`.

A 2040x1404 colour image to a quarter of its sides. The variants take turns, so that a busy machine slows all of them;
compare ratios, not milliseconds.
"""
import time

import numpy as np
import torch

from pipeline.degrade.bicubic import downscale, resize

HEIGHT, WIDTH, SCALE, REPEATS = 1404, 2040, 4, 31


def main() -> None:
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    size = (HEIGHT // SCALE, WIDTH // SCALE)
    variants = {
        "downscale, uint8 as MATLAB": lambda: downscale(image, SCALE),
        "resize, float32": lambda: resize(image, *size),
        "uint8 -> float32 of the image": lambda: image.astype(np.float32),
        "torch interpolate antialias, float32": lambda: torch.nn.functional.interpolate(
            torch.from_numpy(image).permute(2, 0, 1)[None].float(), size, mode="bicubic", antialias=True),
    }
    times = {name: [] for name in variants}
    draw = np.random.default_rng(0)
    for _ in range(REPEATS + 2):  # the first two warm up
        for name in draw.permutation(list(variants)):  # what ran before leaves its mark on caches and allocator
            variant = variants[name]
            start = time.perf_counter()
            variant()
            times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: float(np.median(values[2:])) for name, values in times.items()}
    ours = medians["downscale, uint8 as MATLAB"]
    for name, median in medians.items():
        spread = f"[{min(times[name][2:]):.2f}-{max(times[name][2:]):.2f}]"
        print(f"{name:38s} {median:7.2f} ms {spread:16s} ours / this = {ours / median:.2f}")


if __name__ == "__main__":
    main()
