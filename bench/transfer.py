"""How well the estimate of a camera finds what is known: captures made of clean images, compared with other clean images.

    python -m bench.transfer [FOLDER]    photographs of a folder, by default 60 rendered scenes

Half of the images, chosen at random, become captures: reduced by 2 to 4 and enlarged, sharpened by 0 to 0.4, with noise of 1 to
3 levels. The other half are the clean images. Three forms of the transfer are fitted to the same spectra: that of
degrade/transfer.py; the same with a Gaussian in place of a reduction; and the one that recipes of kind calibrated draw around.
"""
import sys
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import least_squares

from pipeline.core.seeds import rng
from pipeline.degrade.bicubic import resize, round_to_uint8
from pipeline.degrade.calibrate import fit_transfer as bump_and_tail
from pipeline.degrade.spectra import ROUNDING, Powers, frequencies, radial_power
from pipeline.degrade.transfer import fit_transfer, softened
from pipeline.degrade.transfer_estimate import estimate_transfer
from pipeline.images.decode import decode
from pipeline.images.natural import render_natural

BLOCK, HALVES, SIGMA, SIZE = 128, 20, 3.0, (600, 840)
F = frequencies(BLOCK)


def images_of(folder: str | None) -> list[np.ndarray]:
    if not folder:
        return [render_natural("leaves", 384, rng(1, "bench/transfer", index)) for index in range(60)]
    found = [decode(path, max_megapixels=200) for path in sorted(Path(folder).iterdir()) if path.is_file()]
    middles = []
    for image in found:
        top, left = ((side - wanted) // 2 for side, wanted in zip(image.shape, SIZE))
        if top >= 0 and left >= 0:
            middles.append(np.ascontiguousarray(image[top : top + SIZE[0], left : left + SIZE[1]]))
    return middles


def seen(image: np.ndarray, factor: float, amount: float, noise: float, draw: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    soft = resize(resize(image, round(height / factor), round(width / factor)), height, width)
    sharp = soft + amount * (soft - cv2.GaussianBlur(soft, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT))
    return round_to_uint8((sharp + noise * draw.standard_normal(sharp.shape)).astype(np.float32))


def gaussian(ratio: np.ndarray) -> np.ndarray:
    """The gain (1 + s r) exp(-b f^2), fitted as degrade/transfer.py does."""
    gain = np.log(ratio) / 2
    level = gain[F < 0.03].mean()
    below = np.flatnonzero(gain < level + np.log(0.3))
    end = max(int(below[0]) if below.size else len(F), 8)

    def parts(values, f):
        rise = 1 - np.exp(-((f / values[2]) ** 2))
        return (1 + values[1] * rise) * np.exp(-values[3] * f**2), values[4] * rise

    def errors(values):
        kept, stray = parts(values, F[:end])
        return np.sqrt(F[:end]) * (gain[:end] - values[0] - np.log(kept**2 + stray) / 2)

    bounds = [-np.inf, 0, 0.02, 1, 0], [np.inf, 1.5, 0.12, 400, 0.3]
    starts = [[level, 0.3, onset, fall, 0.05] for onset in (0.03, 0.08) for fall in (30, 90)]
    tried = [least_squares(errors, start, bounds=bounds) for start in starts]
    return parts(min(tried, key=lambda each: each.cost).x, F)[0]


def main(folder: str | None = None) -> None:
    images, draw = images_of(folder), rng(1, "bench/transfer/halves")
    clean = [radial_power([image], BLOCK).images[0] for image in images]
    softness, gains, told = [], {"reduction": [], "Gaussian": [], "bump and tail": []}, []
    for case in range(HALVES):
        order, factor, amount = draw.permutation(len(images)), draw.uniform(2, 4), (0, 0.1, 0.2, 0.3, 0.4)[case % 5]
        captures = [seen(images[i], factor, amount, draw.uniform(1, 3), draw) for i in order[: len(order) // 2]]
        powers, others = radial_power(captures, BLOCK), [clean[i] for i in order[len(order) // 2 :]]
        mean = np.average([power for power, _ in others], axis=0, weights=[blocks for _, blocks in others])
        ratio = ((powers.mean - ROUNDING) / (mean - ROUNDING))[0]
        wanted = (1 + amount * (1 - np.exp(-2 * (np.pi * SIGMA * F) ** 2))) * softened(F, factor)
        trusted = np.arange(len(F)) < np.argmax(wanted < 0.3)
        fit, measured = fit_transfer(F, ratio), np.sqrt(ratio / ratio[0])
        bump, tail = bump_and_tail(F, measured, (0.5, 0.95), "luma")
        softness.append(abs(fit.softness / factor - 1))
        for name, gain in zip(gains, (fit.gain(F), gaussian(ratio), bump * tail)):
            gains[name].append(np.abs(gain - wanted)[trusted].max())
        sharpens = estimate_transfer(powers, Powers(mean, len(others), others)).sharpens
        told.append((amount, sharpens))
    print(f"{len(images)} images, {HALVES} halves. softness F: median error {np.median(softness):.1%}, 9 of 10 below "
          f"{np.quantile(softness, 0.9):.1%}")
    for name, errors in gains.items():
        print(f"{name:14s} largest error of the gain where it is above 0.3: median {np.median(errors):.3f}, 9 of 10 below "
              f"{np.quantile(errors, 0.9):.3f}")
    for amount in sorted({amount for amount, _ in told}):
        found = [sharpens for each, sharpens in told if each == amount]
        print(f"sharpened by {amount}: told to sharpen {sum(found)} of {len(found)} times")


if __name__ == "__main__":
    main(*sys.argv[1:])
