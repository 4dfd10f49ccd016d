"""ZSSR: a small network learnt from one image, to enlarge that image.

Shocher, Cohen, Irani, "Zero-Shot" Super-Resolution using Deep Internal Learning, CVPR 2018 (arXiv 1712.06087); details from the
description of its authors' code. The image, changed in many ways, is shrunk by the factor wanted; the network learns to take
that back, and is then given the image itself. On the way to a large factor the results for smaller ones are learnt from too.

Ours differs where a training image reaches beyond the image: it goes on mirrored, where the authors' is black.
"""
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from pipeline.core.adam import Adam
from pipeline.core.baselines import ZssrEntry
from pipeline.core.seeds import rng, torch_seed
from pipeline.degrade.bicubic import resize
from pipeline.nets.zssr import build
from pipeline.restore.model import model_of
from pipeline.restore.pixels import to_tensor
from pipeline.restore.tiles import restore

MEDIAN_ROWS = 64  # at once
SMALLEST = 0.25  # no axis of a training image is scaled by less, whatever the draw

Image = np.ndarray  # float32 HWC RGB in [0, 1]


def restore_by_learning(image: np.ndarray, scale: int, settings: ZssrEntry, seed: int, device: torch.device | str = "cpu",
            tick: Callable[[], None] = lambda: None) -> tuple[Image, int]:
    """`image` (uint8 or uint16 HWC RGB) enlarged `scale` times, and how many training steps that took. The result depends on
    the image, the settings, `seed` and, as all training, torch's thread count. `tick` is called before each step and each
    orientation's answer; what it raises ends the work. All eight outputs of the ensemble are held in memory."""
    image = image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "zssr/weights"))
        network = build(settings.layers, settings.features)
    network.to(device, memory_format=torch.channels_last)
    optimizer = Adam(network.parameters(), lr=settings.lr, fused=True)
    sources, steps = [(1.0, image)], 0
    for factor in factors(scale, settings.gradual):
        steps += _learn(network, optimizer, sources, factor, settings, seed, tick)
        height, width = (round(factor * side) for side in image.shape[:2])
        sources.append((factor, learn_to_enlarge(network, image, height, width, settings, tick)))
    return sources[-1][1], steps


def factors(scale: int, count: int) -> list[float]:
    """`count` factors up to `scale`, each the same multiple of the one before."""
    return [scale ** (number / count) for number in range(1, count)] + [float(scale)]


def learn_to_enlarge(network, image: Image, height: int, width: int, settings: ZssrEntry,
                     tick: Callable[[], None] = lambda: None) -> Image:
    """The network's answer for an image: the median over orientations, each one and it back-projected."""

    def answer(turned: Image) -> Image:
        tick()
        sides = (height, width) if turned.shape == image.shape else (width, height)
        restored = np.clip(restore(model_of(network), resize(turned, *sides), "float32"), 0, 1)
        return back_project(restored, turned, settings.back_projections)

    restored = median_of_orientations(answer, image) if settings.ensemble else answer(image)
    return back_project(restored, image, settings.back_projections)


def median_of_orientations(answer: Callable[[Image], Image], image: Image) -> Image:
    """The median of the answers for the eight flips and quarter turns of the image, each turned back."""
    answers = []
    for quarters in range(4):
        for flip in (False, True):
            turned = np.rot90(image[:, ::-1] if flip else image, quarters)
            restored = np.rot90(answer(np.ascontiguousarray(turned)), -quarters)
            answers.append(restored[:, ::-1] if flip else restored)
    median = np.empty(answers[0].shape, np.float32)
    for top in range(0, len(median), MEDIAN_ROWS):  # np.median copies what it is given, twice
        rows = slice(top, top + MEDIAN_ROWS)
        median[rows] = np.median([answer[rows] for answer in answers], axis=0)
    return median


def back_project(restored: Image, image: Image, count: int) -> Image:
    """Add `count` times what `restored`, shrunk by bicubic, lacks to be `image` (Irani, Peleg, Improving resolution by image
    registration, 1991)."""
    for _ in range(count):
        missing = image - resize(restored, *image.shape[:2])
        restored = np.clip(restored + resize(missing, *restored.shape[:2]), 0, 1)
    return restored


def _learn(network, optimizer, sources: list[tuple[float, Image]], factor: float, settings: ZssrEntry, seed: int, tick) -> int:
    """Train on pairs of images from `sources` and what `factor` leaves of them; returns the number of steps."""
    device, (_, image) = next(network.parameters()).device, sources[0]
    rate = Rate(settings)
    for step in range(settings.max_steps):
        tick()
        draw = rng(seed, f"zssr/{factor}", step)
        father = training_image(sources, settings, draw)
        son = to_tensor(_degraded(father, factor, settings.noise, draw)).to(device, memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = rate.value
        loss = F.l1_loss(network(son), to_tensor(father).to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % settings.test_every == 0:
            again = np.clip(restore(model_of(network), _degraded(image, factor, settings.noise, draw), "float32"), 0, 1)
            rate.note(step, float(np.mean((again - image) ** 2)))
        rate.look(step)
        if rate.value < settings.lr_min:
            return step + 1
    return settings.max_steps


def _degraded(image: Image, factor: float, noise: float, draw: np.random.Generator) -> Image:
    """The image shrunk by the factor, with noise, and back at its size by bicubic."""
    height, width = image.shape[:2]
    son = resize(image, max(1, round(height / factor)), max(1, round(width / factor)))
    if noise:
        son = son + np.float32(noise / 255) * draw.standard_normal(son.shape, np.float32)
    return resize(np.clip(son, 0, 1), height, width)


class Rate:
    """The learning rate: a tenth once the error of the image, restored from its own smaller copy, has stopped to fall. A line
    is fitted to the last errors; they count as no longer falling when the standard error of its slope is at least `fit_ratio`
    times how much it falls."""

    def __init__(self, settings: ZssrEntry):
        self.settings, self.value, self.changed = settings, settings.lr, 0
        self.steps, self.errors = [], []

    def note(self, step: int, error: float) -> None:
        self.steps.append(step)
        self.errors.append(error)

    def look(self, step: int) -> None:
        """To be called after each step, counted from zero."""
        if (step + 1) % self.settings.check_every or step - self.changed <= self.settings.min_steps:
            return
        last = self.settings.fit_steps // self.settings.test_every
        if len(self.steps) < 3:
            return
        from scipy.stats import linregress  # most of a second, which restoring with a trained network need not wait

        line = linregress(self.steps[-last:], self.errors[-last:])
        if not line.stderr < -self.settings.fit_ratio * line.slope:  # nan, when all errors are the same, does not fall either
            self.value, self.changed = self.value / 10, step


def training_image(sources: list[tuple[float, Image]], settings: ZssrEntry, draw: np.random.Generator) -> Image:
    """A square crop of one of the sources (each the image at a factor of its size, in rising order): as it is, turned by
    quarters, or under a random affine map. Its side is `crop`, or that of the smallest source where that is less."""
    side = min(settings.crop, *sources[0][1].shape[:2])
    kind, place = draw.random(), draw.random(2)
    if kind < settings.as_is:
        return _cut(sources[0][1], side, place)
    scale = draw.uniform(settings.min_scale, sources[-1][0])
    base, image = next(source for source in sources if source[0] >= scale or source is sources[-1])
    if kind < settings.as_is + settings.turned:
        crop = _cut(image, side, place)
        if not settings.turns:
            return crop
        crop = np.rot90(crop, draw.integers(4))
        return np.ascontiguousarray(crop[:, ::-1] if draw.integers(2) else crop)
    return _warped(image, scale / base, side, place, settings, draw)


def _cut(image: Image, side: int, place: np.ndarray) -> Image:
    top, left = (int(where * (size - side + 1)) for where, size in zip(place, image.shape))
    return image[top : top + side, left : left + side]


def _warped(image: Image, scale: float, side: int, place: np.ndarray, settings: ZssrEntry, draw: np.random.Generator) -> Image:
    stretch = draw.normal(0, settings.stretch_sd) / 2
    axes = np.maximum([scale + stretch, scale - stretch], SMALLEST)
    shear = np.array([[1, 0], [0, 1]]) + np.array([[0, 1], [1, 0]]) * draw.normal(0, settings.shear_sd, (2, 1))
    angle, mirror = (draw.uniform(0, 2 * np.pi), draw.choice([-1, 1])) if settings.turns else (0, 1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(shear @ turn @ np.diag(axes * [mirror, 1]))  # from the crop to the image, x before y
    size = np.array(image.shape[1::-1])
    room = np.maximum(size - side / scale, 0)
    centre = (size - 1) / 2 + (place - 0.5) * room
    offset = centre - back @ np.full(2, (side - 1) / 2)
    crop = cv2.warpAffine(image, np.column_stack([back, offset]), (side, side), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REFLECT)
    return np.clip(crop, 0, 1)
