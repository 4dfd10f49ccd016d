"""Photograph a screen: from a clean image to a capture with moire, and the target that lies exactly below it.

Liu, Shu, Wu, "Demoireing of Camera-Captured Screen Images Using Deep CNN", arXiv 1804.03809: their ten steps in order. Light
is linear from the sub-pixels to the demosaicked image. The target goes through the same pose and lens in one
interpolation, and through nothing else.
"""
import math

import cv2
import numpy as np

from pipeline.core.moire import Moire
from pipeline.degrade.basics import jpeg
from pipeline.degrade.bicubic import resize, resize_uint8, round_to_uint8
from pipeline.degrade.camera import to_srgb
from pipeline.degrade.moire import sensor
from pipeline.degrade.moire.downsample import downsample, draw_downsample
from pipeline.degrade.moire.geometry import MARGIN, Geometry, dense, fitting
from pipeline.degrade.moire.light import colour_matrix, developed, draw_uneven, metered, response, toned, uneven
from pipeline.degrade.moire.mosaic import LAYOUTS, lit, mosaic, period

TILE = 160  # camera pixels on each side exposed at a time, about: bounds the mosaic in memory, and keeps it in the cache
LIGHT = np.arange(65536) / np.float32(65535)
SRGB = np.rint(255 * to_srgb(LIGHT)).astype(np.uint8)


def draw(recipe: Moire, rng: np.random.Generator) -> dict:
    """What differs between two photographs, by name; units as in the recipe, angles in degrees. Can be written as JSON."""
    def pick(names):
        return names[rng.integers(len(names))]

    scale = rng.uniform(*recipe.scale)
    if rng.uniform() < recipe.resonant:
        scale = np.clip(pick(recipe.resonances) * np.exp(recipe.resonance_sd * rng.standard_normal()), 0.3, 8)
    drawn = {
        "layout": pick(recipe.layouts), "zoom": recipe.zoom and rng.uniform(*recipe.zoom), "scale": float(scale),
        "phase": rng.uniform(-0.5, 0.5, 2).tolist(), "rotation": recipe.rotation_sd * rng.standard_normal(),
        "tilt": rng.uniform(*recipe.tilt), "tilt_direction": rng.uniform(0, 360), "focal": rng.uniform(*recipe.focal),
        "part": rng.uniform(0, 1, 2).tolist(), "distortion": rng.uniform(*recipe.distortion),
        "antialias": rng.uniform(*recipe.antialias), "exposure": rng.uniform(*recipe.exposure),
        "balance": (recipe.balance_sd * rng.standard_normal(2)).tolist(), "crosstalk": rng.uniform(*recipe.crosstalk),
        "pattern": pick(recipe.patterns), "shot_variance": rng.uniform(*recipe.shot_variance),
        "read_sigma": rng.uniform(*recipe.read_sigma), "demosaic": pick(recipe.demosaics), "denoise": pick(recipe.denoisers),
        "gaussian_sigma": rng.uniform(*recipe.gaussian_sigma), "bilateral_sigma": rng.uniform(*recipe.bilateral_sigma),
        "colour_sigma": rng.uniform(*recipe.colour_sigma), "unsharp": rng.uniform(*recipe.unsharp),
        "jpeg_quality": round(rng.uniform(*recipe.jpeg_quality))}
    drawn |= draw_downsample(recipe.downsample, rng) if recipe.downsample else {}
    drawn |= draw_uneven(recipe, rng)
    return drawn | ({"headroom": rng.uniform(*recipe.headroom)} if recipe.headroom[1] else {})


def photograph_part(clean: np.ndarray, size: int | None, recipe: Moire,
                    rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
    """uint8 sRGB (height, width, 3) -> capture and target of `size` pixels on a side, and what was drawn for them.

    What the camera sees of the image is a random part of it, larger than the capture, and goes on mirrored where the image
    ends; the draw says where it lies: top, left, height, width. Without a size, as much is seen as fits into `recipe.whole`.
    """
    drawn = draw(recipe, rng)
    if recipe.metering:
        drawn["exposure"] += metered(clean, recipe.metering)
    shape = (size, size) if size else fitting(clean.shape[:2], recipe, drawn)
    geometry = Geometry(shape, recipe, drawn)
    height, width = (min(seen, side) for seen, side in zip(geometry.window.tolist(), clean.shape))
    top, left = (int(rng.integers(side - seen + 1)) for side, seen in zip(clean.shape, (height, width)))
    place = {"top": top, "left": left, "height": height, "width": width}
    part = clean[top : top + height, left : left + width]
    return *photograph(part, shape, recipe, drawn, rng, geometry), place | drawn


def photograph(display: np.ndarray, shape: tuple[int, int], recipe: Moire, drawn: dict,
               rng: np.random.Generator, geometry: Geometry | None = None) -> tuple[np.ndarray, np.ndarray]:
    """uint8 sRGB (height, width, 3) on the screen -> (capture, target), both uint8 sRGB of `shape` (height, width).

    The camera looks at the middle of `display`, of which it sees `Geometry(...).window`; where the display is smaller it goes
    on mirrored, where it is larger its rim is not seen. `rng` makes the sensor's noise. `geometry`, if it is known already, is
    that of the other arguments.
    """
    geometry = geometry or Geometry(shape, recipe, drawn)
    clean = _window(display, *geometry.window)
    screen = clean if (geometry.screen == geometry.window).all() else resize_uint8(clean, *geometry.screen)
    exposure = drawn["exposure"] - drawn.get("headroom", 0)
    matrix = response(lit(drawn["layout"]), exposure, drawn["balance"], drawn["crosstalk"])
    places = sensor.points(drawn["scale"], drawn["antialias"])
    raw = np.empty(tuple(geometry.camera), np.float32)
    for rows in _parts(raw.shape[0]):
        for columns in _parts(raw.shape[1]):
            samples = _samples(screen, matrix, geometry, drawn, places, rows, columns)  # 1 to 4: mosaic, pose, distortion
            raw[rows, columns] = sensor.cfa(sensor.antialias(samples, drawn["antialias"], places), drawn["pattern"])  # 5, 6
    uneven(raw, geometry, drawn)
    noisy = sensor.sensor_noise(raw, drawn["shot_variance"], drawn["read_sigma"], rng)  # 7
    photo = _develop(noisy, drawn)  # 8
    photo = sensor.denoise(photo, drawn["denoise"], drawn["gaussian_sigma"], drawn["bilateral_sigma"])  # 9
    photo = sensor.smooth_colour(photo, drawn["colour_sigma"])
    photo = sensor.unsharp_mask(photo, drawn["unsharp"])
    if recipe.downsample:
        capture = downsample(jpeg(photo, drawn["jpeg_quality"]), geometry, drawn)
    else:
        capture = jpeg(photo[MARGIN : MARGIN + shape[0], MARGIN : MARGIN + shape[1]], drawn["jpeg_quality"])  # 10
    target = _target(clean, geometry)
    if recipe.target_tone == "photo":
        target = toned(target, capture, geometry, matrix * lit(drawn["layout"]), drawn)
    return capture, target


def _window(display, height, width):
    """The middle (height, width) of an image, mirrored beyond its edges."""
    rows, columns = height - display.shape[0], width - display.shape[1]
    if rows > 0 or columns > 0:
        top, left = max(rows, 0) // 2, max(columns, 0) // 2
        display = cv2.copyMakeBorder(display, top, max(rows, 0) - top, left, max(columns, 0) - left, cv2.BORDER_REFLECT)
    top, left = (display.shape[0] - height) // 2, (display.shape[1] - width) // 2
    return np.ascontiguousarray(display[top : top + height, left : left + width])


def _parts(size):
    """Cuts `size` pixels into equal slices of about TILE; they start at even pixels, as the colour filters do."""
    step = 2 * math.ceil(size / max(1, round(size / TILE)) / 2)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _samples(screen, matrix, geometry, drawn, places, rows, columns):
    """Yields the light on a tile of the sensor and the filter's halo around it, as `antialias` takes it."""
    reach, (_, side) = sensor.halo(drawn["antialias"]), LAYOUTS[drawn["layout"]]
    x, width = columns.start - reach + 0.5 - geometry.camera[1] / 2, columns.stop - columns.start + 2 * reach
    y, height = rows.start - reach + 0.5 - geometry.camera[0] / 2, rows.stop - rows.start + 2 * reach
    (middle_v, middle_u), repeat = geometry.screen / 2, period(drawn["layout"])

    fourths = np.arange(5) / 4
    u, v = geometry.screen_at(x - 1 + (width + 1) * fourths, (y - 1 + (height + 1) * fourths)[:, None])
    (left, right), (top, bottom) = _span(u + middle_u, screen.shape[1], repeat), _span(v + middle_v, screen.shape[0], repeat)
    subpixels = mosaic(screen[top:bottom, left:right], drawn["layout"], matrix)  # 1, 2

    def at(x, y):
        u, v = geometry.screen_at(x, y)  # 3, 4
        return (u + (middle_u - left)) * side - 0.5, (v + (middle_v - top)) * side - 0.5

    for mapped in dense(at, x, y, height, width, places):
        yield cv2.remap(subpixels, mapped, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _span(seen, size, repeat):
    """First and end of the pixels around those `seen`, from a multiple of `repeat`."""
    return max(int(seen.min()) - 1, 0) // repeat * repeat, min(int(seen.max()) + 3, size)


def _develop(raw, drawn):
    """Demosaic, take the filters' crosstalk out, develop, code as sRGB: uint16 (height, width) -> uint8 (height, width, 3)."""
    height, width = raw.shape
    padded = cv2.copyMakeBorder(raw, *[sensor.PAD] * 4, cv2.BORDER_REFLECT_101)  # keeps the colour filters' phase
    photo = np.empty((height, width, 3), np.uint8)
    coded = SRGB
    if "headroom" in drawn:
        coded = np.rint(255 * to_srgb(developed(LIGHT, drawn["headroom"]))).astype(np.uint8)
    for rows in _parts(height):
        colours = sensor.demosaic(padded[rows.start : rows.stop + 2 * sensor.PAD], drawn["pattern"], drawn["demosaic"])
        if drawn["crosstalk"]:
            colours = cv2.transform(colours, colour_matrix(drawn["crosstalk"]))
        photo[rows] = cv2.LUT(colours, coded)
    return photo


def _target(clean, geometry):
    """The clean image where the capture's pixels are: bicubic, after an antialiased reduction if it has more of them."""
    step = np.maximum(geometry.per_output, 1)
    if (step > 1.001).any():
        reduced = np.rint(np.array(clean.shape[:2]) / step).astype(int)
        step = clean.shape[:2] / reduced
        clean = resize(clean, *reduced)
    middle_y, middle_x = np.array(clean.shape[:2]) / 2 - 0.5

    def at(x, y):
        x, y = geometry.clean_of_capture(x, y)
        return x / step[1] + middle_x, y / step[0] + middle_y

    height, width = geometry.shape
    (places,) = dense(at, 0.5 - width / 2, 0.5 - height / 2, height, width)
    return round_to_uint8(cv2.remap(clean.astype(np.float32), places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))
