"""Exposure: what the sensor records of each primary of the screen, and how the camera's colour matrix reads it.

The mosaic leaves 1/3 of the light of white for stripes, 2/9 with a dark row; a camera exposes for what it sees, so the gain
is the inverse of the lit area. It acts on light, before the sensor clips at full scale 1 and before noise.
"""
import numpy as np

from pipeline.degrade.camera import to_linear

MIDDLE = 0.18  # mean light of an image that automatic exposure leaves as it is
STRIDE = 4


def metered(display: np.ndarray, metering: float) -> float:
    """Stops that automatic exposure adds for an image, uint8 sRGB HWC: less light for a bright one, more for a dark one."""
    light = float(to_linear(display[::STRIDE, ::STRIDE]).mean())
    return metering * float(np.clip(np.log2(MIDDLE / max(light, 1e-3)), -3, 3))


def developed(light: np.ndarray, headroom: float) -> np.ndarray:
    """Linear light in [0, 1] that was exposed by `headroom` stops less -> linear light in [0, 1], lightened by so many stops:
    g x / (1 + (g - 1) x), g = 2^headroom, has the slope g at black and keeps white (Reinhard et al., "Photographic tone
    reproduction for digital images", SIGGRAPH 2002, eq. 3, with white at 1)."""
    return 2**headroom * light / (1 + (2**headroom - 1) * light)


def response(lit: np.ndarray, exposure: float, balance: tuple[float, float], crosstalk: float) -> np.ndarray:
    """(3, 3) matrix: light recorded behind filter c (rows) per light of primary p (columns) in a lit cell.

    `lit` is the area of each primary; `exposure` and `balance` (of red and of blue) in stops. Averaged over the mosaic, at
    exposure and balance 0, the light of grey is recorded as it is, whatever the layout and the crosstalk.
    """
    gains = 2.0 ** (exposure + np.array([balance[0], 0, balance[1]]))
    return gains[:, None] * filters(crosstalk) / lit


def filters(crosstalk: float) -> np.ndarray:
    """(3, 3) matrix of the colour filters: each passes `crosstalk` of the other two primaries' light in equal parts."""
    return (1 - 1.5 * crosstalk) * np.eye(3) + 0.5 * crosstalk


def colour_matrix(crosstalk: float) -> np.ndarray:
    """(3, 3) matrix from the filters' colours back to those of the primaries: the inverse of `filters`."""
    return np.linalg.inv(filters(crosstalk))
