"""Natural scenes for the built-in data: rendered ones with the statistics of photographs, and eight real photographs.

Most rendered scenes are dead leaves: opaque, textured shapes dropped one on another, with radii distributed as r^-3, which
gives the scale invariance, sharp occlusions and 1/f^2 power spectrum of natural images (Lee, Mumford and Huang, "Occlusion
Models for Natural Images", IJCV 2001).
"""
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from skimage import data_dir

from pipeline.images.decode import decode

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png",
          "retina.jpg", "rocket.jpg")
KINDS = ("leaves", "leaves", "leaves", "texture", "leaves", "stripes", "leaves", "landscape")  # in turn
LARGE_PHOTO = 900  # pixels of the longer side
MOST_LEAVES = 1200
SHAPES = ("round", "leaf", "stone")
OVERSAMPLING = 2  # shapes are drawn hard-edged at twice the size and averaged down

# Colours that occur together, as sRGB in 0..1; each scene draws a palette and varies it.
PALETTES = np.array([
    [[46, 58, 28], [92, 112, 44], [138, 150, 74], [70, 60, 36], [176, 178, 120]],  # foliage
    [[112, 44, 22], [186, 98, 30], [214, 160, 62], [86, 66, 34], [60, 40, 30]],  # autumn
    [[98, 94, 88], [140, 134, 124], [60, 58, 58], [184, 178, 166], [116, 100, 82]],  # stones
    [[24, 52, 82], [52, 104, 136], [130, 172, 186], [214, 220, 212], [38, 74, 72]],  # sea
    [[204, 182, 142], [164, 134, 94], [228, 214, 184], [122, 92, 62], [86, 72, 58]],  # sand
    [[182, 42, 62], [222, 120, 150], [240, 210, 90], [70, 110, 50], [120, 60, 130]],  # flowers
    [[70, 44, 30], [116, 76, 48], [158, 112, 74], [44, 30, 24], [190, 150, 108]],  # wood
    [[30, 30, 36], [72, 70, 78], [150, 60, 44], [196, 192, 186], [44, 70, 110]],  # town
], np.float32) / 255

SKY = np.array([[0.30, 0.50, 0.80], [0.80, 0.85, 0.88]])  # zenith and horizon


def kind_of(index: int) -> str:
    """The kind of the index-th rendered scene of a series."""
    return KINDS[index % len(KINDS)]


def render_natural(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A rendered scene, uint8 (size, size, 3); kind is one of leaves, texture, stripes, landscape."""
    painter = {"leaves": _leaves, "texture": _texture, "stripes": _stripes, "landscape": _landscape}[kind]
    side = size * OVERSAMPLING
    canvas = painter(side, _palette(rng), rng)
    canvas *= 1 + 0.25 * rng.uniform() * _fractal(side, 2.5, rng)[..., None]  # uneven light
    canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)


def photo(file: str) -> np.ndarray:
    """One of PHOTOS, uint8 (height, width, 3), from scikit-image's own folder; nothing is fetched.

    Large ones, soft and with JPEG's blocks at full size, are halved.
    """
    image = decode(Path(data_dir, file), max_megapixels=4)
    height, width, _ = image.shape
    if max(height, width) <= LARGE_PHOTO:
        return image
    even = image[: height // 2 * 2, : width // 2 * 2]
    return cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def crops(image: np.ndarray, size: int, most: int) -> list[np.ndarray]:
    """Up to `most` parts of at most size x size that do not overlap: those with the most contrast, in reading order."""
    height, width, _ = image.shape
    size = min(size, height, width)
    rows, columns = height // size, width // size
    top, left = (height - rows * size) // 2, (width - columns * size) // 2
    parts = [image[top + r * size : top + (r + 1) * size, left + c * size : left + (c + 1) * size]
             for r in range(rows) for c in range(columns)]
    best = sorted(range(len(parts)), key=lambda k: -parts[k].std())[:most]
    return [parts[k] for k in sorted(best)]


def _palette(rng) -> np.ndarray:
    colours = PALETTES[rng.integers(len(PALETTES))]
    brightness, tint = rng.uniform(0.7, 1.25), rng.uniform(0.93, 1.07, 3)
    grey = colours.mean(1, keepdims=True)
    colours = grey + (colours - grey) * rng.uniform(0.6, 1.2)
    return np.clip(colours * brightness * tint, 0.03, 0.97).astype(np.float32)


def _fractal(side: int, slope: float, rng, stretch: float = 1.0) -> np.ndarray:
    """Noise with amplitude spectrum f^-slope, float32 (side, side), mean 0, standard deviation 1."""
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    f = np.sqrt((fy * stretch) ** 2 + fx**2)
    f[0, 0] = np.inf
    noise = rng.standard_normal((side, side), np.float32)
    field = np.fft.irfft2(np.fft.rfft2(noise) * f**-slope, s=(side, side)).astype(np.float32)
    return (field - field.mean()) / field.std()


def _blend(field: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Map a field of about [-2, 2] to a smooth path through the colours: float32 (height, width, 3)."""
    place = np.clip((field + 2) / 4, 0, 1) * (len(colours) - 1)
    stops = np.arange(len(colours))
    return np.stack([np.interp(place, stops, colours[:, c]) for c in range(3)], -1).astype(np.float32)


def _waves(side: int, rng) -> np.ndarray:
    """Stripes that bend and swell, from soft to hard-edged, float32 (side, side) in about [-1, 1]."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(5), np.log(40)))
    bend = _fractal(side, 2.2, rng) * period * rng.uniform(0, 1.5)
    phase = (x * np.cos(angle) + y * np.sin(angle) + bend) * (2 * np.pi / period)
    hardness = rng.choice([0.5, 2, 8])
    return (np.tanh(hardness * np.sin(phase)) / np.tanh(hardness)).astype(np.float32)


def _texture(side, colours, rng):
    """Bark, clouds, moss, marble: a fractal field through the palette, sometimes folded into ridges, with grain."""
    field = _fractal(side, rng.uniform(1.0, 1.8), rng, stretch=rng.choice([1, 1, 0.35, 3]))
    if rng.uniform() < 0.4:
        field = 2 - 2.5 * np.abs(field)
    canvas = _blend(field, colours[rng.permutation(len(colours))[: rng.integers(2, 5)]])
    return canvas * (1 + rng.uniform(0.02, 0.12) * _fractal(side, rng.uniform(0.3, 0.9), rng)[..., None])


def _stripes(side, colours, rng):
    """Fabric, fur, fences: one or two systems of stripes, with grain."""
    first, second, third = colours[rng.permutation(len(colours))[:3]]
    weight = (_waves(side, rng)[..., None] + 1) / 2
    canvas = first * weight + second * (1 - weight)
    if rng.uniform() < 0.5:
        weight = rng.uniform(0.3, 0.9) * (_waves(side, rng)[..., None] + 1) / 2
        canvas = canvas * (1 - weight) + third * weight
    return canvas * (1 + rng.uniform(0.03, 0.12) * _fractal(side, rng.uniform(0.4, 1), rng)[..., None])


def _landscape(side, colours, rng):
    """Sky with clouds, ridges one behind another, leaves in front."""
    y = np.linspace(0, 1, side, dtype=np.float32)[:, None]
    zenith, haze = (SKY * rng.uniform(0.7, 1.1, (2, 1))).astype(np.float32)
    clouds = np.clip(_fractal(side, 1.6, rng, stretch=0.5) * 0.6, 0, 1)[..., None]
    canvas = (zenith * (1 - y[..., None]) + haze * y[..., None]) * (1 - clouds) + 0.95 * clouds
    ridges = int(rng.integers(2, 5))
    for k in range(ridges):
        line = 0.25 + 0.5 * (k + rng.uniform(0.3, 0.7)) / ridges + 0.07 * _fractal(side, 1.7, rng)[0]
        near = (k + 1) / ridges
        field = _fractal(side, rng.uniform(0.8, 1.3), rng, stretch=rng.uniform(0.6, 2))
        ground = _blend(field * 1.3, colours[rng.permutation(len(colours))]) * near + haze * (1 - near) * 0.8
        canvas = np.where((y > line)[..., None], ground, canvas)
    return _drop(canvas, colours, rng, smallest=rng.uniform(0.008, 0.03), cover=2.0, floor=rng.uniform(0.6, 0.85))


def _leaves(side, colours, rng):
    """Leaves all over; in some scenes most of them lie out of focus behind the last few."""
    canvas = _blend(_fractal(side, 1.2, rng), colours)
    canvas = _drop(canvas, colours, rng, smallest=np.exp(rng.uniform(np.log(0.008), np.log(0.06))))
    if rng.uniform() < 0.3:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.004, 0.02) * side)
        canvas = _drop(canvas, colours, rng, smallest=rng.uniform(0.02, 0.06), cover=rng.uniform(0.2, 0.8))
    return canvas


def _drop(canvas, colours, rng, smallest, cover=3.0, floor=0.0):
    """Drop leaves, each with its shadow, onto the part of the canvas below `floor` (0 top, 1 bottom).

    Radii run from `smallest`, a share of the side; the leaves' areas add up to about `cover` times that of the ground.
    """
    side = len(canvas)
    smallest, largest = smallest * side, rng.uniform(0.15, 0.45) * side
    area = 0.6 * 2 * np.pi * smallest**2 * np.log(largest / smallest)  # mean of pi r^2; outlines are slimmer than discs
    count = min(MOST_LEAVES, int(cover * side**2 * (1 - floor) / area))
    grains = [_fractal(side, slope, rng) for slope in (0.5, 1.0, 1.6)] + [_waves(side, rng)]
    outline = rng.choice([*SHAPES, "mixed"])
    shadow, contrast = rng.uniform(0.1, 0.6), rng.uniform(0.2, 1)
    radii = (smallest**-2 + rng.uniform(size=count) * (largest**-2 - smallest**-2)) ** -0.5
    for radius in radii:
        shape = SHAPES[rng.integers(len(SHAPES))] if outline == "mixed" else outline
        points = _outline(shape, radius, rng) + (rng.uniform(0, side), rng.uniform(floor * side, side))
        left, top = np.maximum(np.floor(points.min(0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(points.max(0)).astype(int) + 1, side)
        if right - left < 2 or bottom - top < 2:
            continue
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, [np.rint((points - (left, top)) * 16).astype(np.int32)], 1, shift=4)
        _cast(canvas, mask, int(left), int(top), radius, shadow)
        colour = colours[rng.integers(len(colours))] * rng.uniform(0.75, 1.3) + rng.normal(0, 0.03, 3)
        grain = grains[rng.integers(len(grains))][top:bottom, left:right]
        slope = rng.normal(0, 0.12, 2) * contrast
        light = _ramp(int(bottom - top))[:, None] * slope[0] + _ramp(int(right - left)) * slope[1]
        factor = 1 + light + contrast * rng.uniform(0.02, 0.3) * grain
        part = canvas[top:bottom, left:right]
        np.copyto(part, (factor[..., None] * colour).astype(np.float32), where=mask[..., None] > 0)
    return canvas


@cache
def _ramp(count: int) -> np.ndarray:
    return np.linspace(-1, 1, count)


@cache
def _angles(count: int) -> np.ndarray:
    return np.linspace(0, 2 * np.pi, count, endpoint=False)


def _outline(shape, radius, rng) -> np.ndarray:
    """Corner points (n, 2) of a closed outline around the origin."""
    theta = _angles(max(12, min(64, int(radius))))
    if shape == "leaf":  # two arcs that meet in points
        x, y = np.cos(theta), np.sin(theta) * np.abs(np.sin(theta)) ** rng.uniform(0.3, 1) * rng.uniform(0.25, 0.6)
    elif shape == "stone":  # a few corners
        theta = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 9)))
        x, y = np.cos(theta), np.sin(theta) * rng.uniform(0.5, 1)
    else:
        wobble = 1 + rng.uniform(0, 0.15) * np.sin(rng.integers(2, 6) * theta + rng.uniform(0, 6))
        x, y = wobble * np.cos(theta), wobble * np.sin(theta) * rng.uniform(0.5, 1)
    angle = rng.uniform(0, 2 * np.pi)
    return radius * np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], -1)


def _cast(canvas, mask, left, top, radius, strength) -> None:
    """Darken the canvas below and to the right of a leaf, softly, over a distance that grows with the leaf."""
    reach = int(min(radius * 0.25, 12))
    if reach < 1:
        return
    height, width = mask.shape
    grown = np.zeros((height + 2 * reach, width + 2 * reach), np.float32)
    grown[reach : reach + height, reach : reach + width] = mask
    grown = cv2.blur(grown, (reach, reach))
    part = canvas[top : top + len(grown), left : left + grown.shape[1]]
    part *= 1 - strength * grown[: part.shape[0], : part.shape[1], None]
