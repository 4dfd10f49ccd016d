"""Step 3: the pose of camera and screen, a projective map between two planes.

A pinhole of focal length F camera pixels looks at a plane: (x, y, 1) ~ diag(F, F, 1) [r1 r2 t] (u, v, 1), with r1, r2 the
first columns of the rotation and t = (0, 0, F / scale) (Hartley and Zisserman, "Multiple view geometry", ch. 8). At the axis,
along the axis of the tilt, one screen pixel covers `scale` camera pixels; across, scale times the cosine of the tilt.
"""
import numpy as np


def pose(scale: float, rotation: float, tilt: float, direction: float, focal: float) -> np.ndarray:
    """(3, 3) homography from the screen, in its pixels from the axis, to the sensor, in camera pixels from the axis.

    Angles in degrees: `rotation` turns the image from x towards y, which is clockwise on the screen; `tilt` turns the screen
    about the line at `direction` from x. `focal` in camera pixels.
    """
    turn, lean, along = np.deg2rad([rotation, tilt, direction])
    axis = np.array([np.cos(along), np.sin(along), 0])
    cross = np.array([[0, 0, axis[1]], [0, 0, -axis[0]], [-axis[1], axis[0], 0]])
    lean = np.eye(3) + np.sin(lean) * cross + (1 - np.cos(lean)) * cross @ cross  # Rodrigues
    turn = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    r = lean @ turn
    return np.diag([focal, focal, 1]) @ np.column_stack([r[:, 0], r[:, 1], (0, 0, focal / scale)])


def project(homography: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points (x, y), arrays that broadcast, on the other plane."""
    (a, b, c), (d, e, f), (g, h, i) = homography
    depth = g * x + h * y + i
    return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
