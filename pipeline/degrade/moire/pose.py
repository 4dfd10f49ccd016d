"""Step 3: the pose of camera and screen, a projective map between two planes.

A pinhole of focal length F camera pixels looks at a plane: (x, y, 1) ~ diag(F, F, 1) [r1 r2 t] (u, v, 1), with r1, r2 the
first columns of the rotation and t = (0, 0, F / scale) (Hartley and Zisserman, "Multiple view geometry", ch. 8). At the axis,
along the axis of the tilt, one screen pixel covers `scale` camera pixels; across, scale times the cosine of the tilt.
"""
from math import cos, radians, sin

import numpy as np


def pose(scale: float, rotation: float, tilt: float, direction: float, focal: float) -> np.ndarray:
    """(3, 3) homography from the screen, in its pixels from the axis, to the sensor, in camera pixels from the axis.

    Angles in degrees: `rotation` turns the image from x towards y, which is clockwise on the screen; `tilt` turns the screen
    about the line at `direction` from x. `focal` in camera pixels.
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
