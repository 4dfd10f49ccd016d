"""Step 4: radial distortion of the lens, with one coefficient.

An ideal point at radius r' is seen at the radius r with r' = r (1 + k1 r^2) (Brown, "Decentering distortion of lenses", 1966,
from the distorted to the ideal point, which is the direction a photograph is computed in). Radii are in units of `radius`.
With k1 > 0 the image is a barrel. |k1| < 1/6 keeps r' growing with r up to the corner of a square, r = sqrt 2.
"""
import numpy as np


def undistort(x: np.ndarray, y: np.ndarray, k1: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the points seen at (x, y) from the axis would be without the lens's distortion."""
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
