"""Where everything lies: one map from a pixel of the capture, or of the camera, to the screen and to the clean image.

All coordinates are continuous, x right and y down, from the middle of what they are in: pixel j of n has its centre at
j + 0.5 - n / 2. The middles are the same point, but for where the camera's grid falls on the screen's (`phase`).

    clean image, pixels --zoom--> screen, its pixels <--pose and lens-- camera, its pixels <--reduce-- capture, its pixels

The target is where the *green* light of the screen is: a pixel's green sub-pixel need not lie at its centre, and red and blue,
a third of a pixel off, show as fringes in the capture alone.
"""
from math import cos, radians, sin

import cv2
import numpy as np

from pipeline.core.moire import Moire
from pipeline.degrade.moire.mosaic import green_centre
from pipeline.degrade.moire.sensor import halo

MARGIN = 4  # camera pixels around the view, which demosaicing, denoising and sharpening read
STEP = 8  # pixels between places where a map is computed; in between it is linear, wrong by STEP^2 / 8 of its curvature
EDGE = 3  # clean pixels around the view, which interpolation reads
BORDER = np.array([(a, b) for t in np.linspace(-0.5, 0.5, 13) for a, b in ((t, -0.5), (t, 0.5), (-0.5, t), (0.5, t))]).T
"""Points (x, y) along the border of a square of side 1."""


class Geometry:
    """The view of one pair of `shape` (height, width); `drawn` as from `simulate.draw`.

    Sizes as (height, width): `camera` is the part of the sensor that is simulated, `window` the part of the clean image that
    is seen, `screen` the pixels that show it.
    """

    def __init__(self, shape: tuple[int, int], recipe: Moire, drawn: dict):
        self.shape, self.align, self.shift, step = shape, False, np.zeros(2), np.ones(2)
        if recipe.downsample:
            step = drawn["reduce"] * recipe.downsample.squeeze ** np.array([-0.5, 0.5])
            self.align, self.shift = recipe.downsample.align, np.array(drawn["shift"])
        self.reduced = np.maximum(np.rint(np.array(shape) * step), 1).astype(int)
        """What the capture is reduced from, in camera pixels."""
        step = self.reduced / shape
        self.zoom = np.full(2, drawn["zoom"]) if drawn["zoom"] else step / drawn["scale"]
        self.per_output = step / (drawn["scale"] * self.zoom)
        """Clean pixels per pixel of the capture, down and right; at the middle of the photograph where it is not aligned."""

        side = max(recipe.frame, *self.reduced)
        self.homography = pose(drawn["scale"], drawn["rotation"], drawn["tilt"], drawn["tilt_direction"], drawn["focal"] * side)
        self.inverse = np.linalg.inv(self.homography)
        self.k1, self.radius = drawn["distortion"], side / 2
        self.middle = (np.array(drawn["part"]) - 0.5) * (side - self.reduced)
        self.green, self.origin = green_centre(drawn["layout"]), np.zeros(2)
        u, v = self.screen_at(0.0, 0.0)
        self.origin = np.array(drawn["phase"]) - (v, u)

        seen = 2 * np.ceil(_reach(self.camera_of_capture, shape)).astype(int) if self.align else self.reduced
        self.camera = seen + 2 * (MARGIN + np.ceil(np.abs(self.shift) * step).astype(int))
        lit = _reach(self.screen_at, self.camera + 2 * halo(drawn["antialias"]) + 2) + 1
        window = np.ceil(2 * lit / self.zoom) + 2 * EDGE
        self.window = (window + (window - shape) % 2).astype(int)  # so that an aligned target falls on whole pixels
        self.screen = np.rint(self.window * self.zoom).astype(int)
        self.zoom = self.screen / self.window

    def screen_at(self, x, y):
        """Camera -> screen, in screen pixels."""
        x, y = undistort(x + self.middle[1], y + self.middle[0], self.k1, self.radius)
        u, v = project(self.inverse, x, y)
        return u + self.origin[1], v + self.origin[0]

    def camera_at(self, u, v):
        """Screen -> camera, in camera pixels."""
        x, y = project(self.homography, u - self.origin[1], v - self.origin[0])
        x, y = distort(x, y, self.k1, self.radius)
        return x - self.middle[1], y - self.middle[0]

    def camera_of_capture(self, x, y):
        """Capture -> camera, with the misregistration."""
        (shift_y, shift_x), (step_y, step_x) = self.shift, self.reduced / self.shape
        x, y = x + shift_x, y + shift_y
        if not self.align:
            return x * step_x, y * step_y
        u, v = x * self.per_output[1] * self.zoom[1], y * self.per_output[0] * self.zoom[0]
        return self.camera_at(u + self.green[1], v + self.green[0])

    def clean_of_capture(self, x, y):
        """Capture -> clean image, in its pixels, with no misregistration."""
        if self.align:
            return x * self.per_output[1], y * self.per_output[0]
        step_y, step_x = self.reduced / self.shape
        u, v = self.screen_at(x * step_x, y * step_y)
        return (u - self.green[1]) / self.zoom[1], (v - self.green[0]) / self.zoom[0]


def _reach(at, size) -> np.ndarray:
    """How far (down, right) from its middle the map `at` of a rectangle of `size` goes."""
    x, y = at(BORDER[0] * size[1], BORDER[1] * size[0])
    return np.array([np.abs(y).max(), np.abs(x).max()])


def fitting(sides: tuple[int, int], recipe: Moire, drawn: dict) -> tuple[int, int]:
    """The largest shape, at most recipe.whole and a multiple of 8, whose view fits into a clean image of `sides`, both as
    (height, width)."""
    shape = np.full(2, recipe.whole)
    for _ in range(4):  # each axis of the view depends on both of the shape, a little
        window = Geometry(tuple(shape.tolist()), recipe, drawn).window
        shape = np.maximum(np.minimum(shape, shape * sides / window) // 8 * 8, 8).astype(int)
    return tuple(shape.tolist())


def dense(at, left: float, top: float, height: int, width: int, shifts=((0.0, 0.0),)) -> list[np.ndarray]:
    """For each shift (down, right) a float32 (height, width, 2) array of at(x, y), as `cv2.remap` takes it, for
    x = left + column + right, y = top + row + down.

    `at` maps arrays that broadcast to two arrays; its values stay small enough for float32.
    """
    rows, columns, shifts = -(-height // STEP) + 2, -(-width // STEP) + 2, np.asarray(shifts)[:, :, None, None]
    first = (STEP - 1) / 2 - STEP  # of the first knot: the middle of the STEP pixels before the first
    x = shifts[:, 1] + left + first + STEP * np.arange(columns)
    y = shifts[:, 0] + top + first + STEP * np.arange(rows)[:, None]
    knots = np.empty((len(shifts), rows, columns, 2), np.float32)
    knots[..., 0], knots[..., 1] = at(x, y)
    inside = slice(STEP, STEP + height), slice(STEP, STEP + width)
    return [cv2.resize(part, (columns * STEP, rows * STEP), interpolation=cv2.INTER_LINEAR)[inside] for part in knots]


def pose(scale: float, rotation: float, tilt: float, direction: float, focal: float) -> np.ndarray:
    """Step 3: (3, 3) homography from the screen, in its pixels from the axis, to the sensor, in camera pixels from the axis.

    Angles in degrees: `rotation` turns the image from x towards y, which is clockwise on the screen; `tilt` turns the screen
    about the line at `direction` from x. A pinhole of focal length F (`focal`) camera pixels looks at a plane:
    (x, y, 1) ~ diag(F, F, 1) [r1 r2 t] (u, v, 1), with r1, r2 the first columns of the rotation and t = (0, 0, F / scale)
    (Hartley and Zisserman, "Multiple view geometry", ch. 8). At the axis, along the axis of the tilt, one screen pixel covers
    `scale` camera pixels; across, scale times the cosine of the tilt.
    """
    x, y = cos(radians(direction)), sin(radians(direction))  # the axis of the tilt
    c, s = cos(radians(tilt)), sin(radians(tilt))
    lean = ((c + (1 - c) * x * x, (1 - c) * x * y), ((1 - c) * x * y, c + (1 - c) * y * y), (-s * y, s * x))  # Rodrigues
    c, s = cos(radians(rotation)), sin(radians(rotation))
    (a, b), (d, e), (g, h) = ((c * one + s * two, c * two - s * one) for one, two in lean)
    return np.array([[focal * a, focal * b, 0], [focal * d, focal * e, 0], [g, h, focal / scale]])


def project(homography: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points (x, y), arrays that broadcast, on the other plane."""
    (a, b, c), (d, e, f), (g, h, i) = homography
    depth = g * x + h * y + i
    return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth


def undistort(x: np.ndarray, y: np.ndarray, k1: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Step 4: where the points seen at (x, y) from the axis would be without the lens's radial distortion.

    An ideal point at radius r' is seen at the radius r with r' = r (1 + k1 r^2), in units of `radius` (Brown, "Decentering
    distortion of lenses", 1966, from the distorted to the ideal point, which is the direction a photograph is computed in).
    With k1 > 0 the image is a barrel. |k1| < 1/6 keeps r' growing with r up to the corner of a square, r = sqrt 2.
    """
    factor = 1 + k1 / radius**2 * (x * x + y * y)
    return x * factor, y * factor


def distort(x: np.ndarray, y: np.ndarray, k1: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `undistort`, by Newton's method: converged to 1e-9 of the radius within the corner."""
    ideal = np.hypot(x, y) / radius
    seen = ideal
    for _ in range(6):
        seen = seen - (seen * (1 + k1 * seen**2) - ideal) / (1 + 3 * k1 * seen**2)
    factor = np.divide(seen, ideal, out=np.ones_like(ideal), where=ideal > 0)
    return x * factor, y * factor
