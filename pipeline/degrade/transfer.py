"""A camera's luma transfer function from two power spectra: how much it sharpens, and how soft it is.

Scenes of one domain have the same mean power spectrum, so of captures and of clean images of other scenes

    P_captures / P_clean = L ((1 + s r)^2 (T^2 + a) + c r),   r(f) = 1 - exp(-(f / f0)^2)

with frequencies f in cycles per pixel. L is the difference in contrast, which says nothing of the camera. A = (1 + s r) T is
what the camera does to a scene. s and f0 are its sharpening: an unsharp mask by a Gaussian of sigma 1 / (sqrt(2) pi f0) does
the same. T is what a bicubic reduction and enlargement by the factor F leaves, so F says how soft the camera is. c is power
that has nothing to do with the scene at its frequency: noise, compression, denoising.

T belongs to the synthesis itself (degrade/bicubic.py). Resizing acts on rows and columns, so T^2 is the mean over all
directions of (K(F fx) K(F fy))^4, with K the Fourier transform of Keys' kernel; on the axes T is K(F f)^2. A reduction also
leaves aliases, whose power `a` follows from K and from how the power of photographs falls. Images that were enlarged hold them;
a lens makes none. They are part of the fit unless it is much better without them.
"""
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import least_squares

from pipeline.degrade.bicubic import keys

STOP = 0.3
"""The fit ends where the gain falls below this share of the lowest frequencies': beyond, little is the scene's detail."""
LOWEST = 0.03  # cycles per pixel: the frequencies whose mean gain is the level
LEAST_BINS = 8
BOUNDS = {"sharpening": (0.0, 1.5), "onset": (0.02, 0.12), "softness": (1.0, 8.0), "incoherent": (0.0, 0.3)}
UNITS = {"sharpening": "share of the gain added at high frequencies", "onset": "cycles per pixel",
         "softness": "factor of a bicubic reduction and enlargement", "incoherent": "share of the clean images' power"}
TOLERANCE = 1e-5  # share of the sum of squares by which a step still has to lower it
STARTS = [(0.3, onset, softness, 0.05) for onset in (0.03, 0.05, 0.08) for softness in (2.0, 3.0, 4.0)]
FALL = 2.4  # exponent by which the power of photographs falls with frequency, between the 2 of edges and the 3 of soft things
NO_ALIASES = 3.0  # how many times smaller the sum of squares has to be without aliases for these to be left out


@dataclass(frozen=True)
class Fit:
    sharpening: float
    """s; 0 is none."""
    onset: float
    """f0 in cycles per pixel."""
    softness: float
    """F; 1 is as sharp as the clean images."""
    incoherent: float
    """c, a share of the clean images' power."""
    aliased: bool
    """Whether the captures hold aliases as those of a reduction by F."""
    level: float
    """sqrt(L)."""
    residual: float
    """Root of the mean squared difference of the logarithms of measured and fitted gain."""
    end: float
    """The highest frequency of the fit in cycles per pixel."""

    def sharpened(self, f: np.ndarray) -> np.ndarray:
        """1 + s r at frequencies f."""
        return 1 + self.sharpening * _rise(f, self.onset)

    def gain(self, f: np.ndarray) -> np.ndarray:
        """A at frequencies f; 1 at 0."""
        return self.sharpened(f) * softened(f, self.softness)

    def stray(self, f: np.ndarray) -> np.ndarray:
        """Amplitude of what does not belong to the scene at f, aliases among it, as a share of the clean images'."""
        return np.sqrt(_power(_values(self), f, self.aliased) - self.gain(f) ** 2)

    @property
    def at_bounds(self) -> list[str]:
        """The parameters that the fit holds at a bound. An onset without sharpening means nothing, and is none of them."""
        return [name for name, value in zip(BOUNDS, _values(self)) if np.isclose(value, BOUNDS[name], atol=1e-3).any()
                and (name != "onset" or self.sharpening > 1e-3)]


def fit_transfer(f: np.ndarray, ratio: np.ndarray, aliased: bool | None = None, starts=STARTS) -> Fit:
    """`ratio`: P_captures / P_clean at the frequencies f, ascending. `aliased`: None finds out.

    Least squares on the logarithm of the gain, weighted by sqrt(f), from several starts.
    """
    if aliased is None:
        with_aliases, without = (fit_transfer(f, ratio, each, starts) for each in (True, False))
        return without if NO_ALIASES * _cost(without, f, ratio) < _cost(with_aliases, f, ratio) else with_aliases
    gain = 0.5 * np.log(ratio)
    level = gain[f < LOWEST].mean() if (f < LOWEST).any() else gain[0]
    below = np.flatnonzero(gain < level + np.log(STOP))
    end = max(int(below[0]) if below.size else len(f), LEAST_BINS)
    f, gain, weights = f[:end], gain[:end], np.sqrt(f[:end])

    def errors(values):
        return weights * (gain - values[0] - 0.5 * np.log(_power(values[1:], f, aliased)))

    lower, upper = zip(*BOUNDS.values())
    bounds = (-np.inf, *lower), (np.inf, *upper)
    tried = [least_squares(errors, (level, *start), bounds=bounds, ftol=TOLERANCE, xtol=TOLERANCE) for start in starts]
    found = min(tried, key=lambda each: each.cost)
    return Fit(*map(float, found.x[1:]), aliased, level=float(np.exp(found.x[0])),
               residual=float(np.sqrt(np.mean((found.fun / weights) ** 2))), end=float(f[-1]))


def softened(f: np.ndarray, softness: float) -> np.ndarray:
    """T at frequencies f: the gain of a bicubic reduction and enlargement by the factor `softness`."""
    u, power, _ = _reduction()
    return np.sqrt(np.interp(softness * f, u, power))


def _rise(f, onset):
    return 1 - np.exp(-((f / onset) ** 2))


def _power(values, f, aliased):
    sharpening, onset, softness, incoherent = values
    u, power, with_aliases = _reduction()
    rise, kept = _rise(f, onset), np.interp(softness * f, u, with_aliases if aliased else power)
    return (1 + sharpening * rise) ** 2 * kept + incoherent * rise


def _values(fit: Fit) -> tuple[float, ...]:
    return fit.sharpening, fit.onset, fit.softness, fit.incoherent


def _cost(fit: Fit, f, ratio) -> float:
    inside = f <= fit.end
    fitted = 2 * np.log(fit.level) + np.log(_power(_values(fit), f[inside], fit.aliased))
    return float((f[inside] * (np.log(ratio[inside]) - fitted) ** 2).sum())


@cache
def _reduction() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequencies u in cycles per pixel of the reduced image; the share of the power that is kept there, and it with aliases.

    Reduction and enlargement are both a convolution with Keys' kernel, so a wave keeps K^2 of its amplitude; sampling lays the
    waves that differ by whole cycles per pixel over it. Both are means over the directions of an eighth of the circle.
    """
    places = (np.arange(1600) + 0.5) / 400 - 2
    frequencies = np.arange(0, 8, 0.005)
    transform = keys(places) @ np.cos(2 * np.pi * places[:, None] * frequencies) / 400

    def kept(x, y):
        return (np.interp(np.abs(x), frequencies, transform) * np.interp(np.abs(y), frequencies, transform)) ** 2

    angle = (np.arange(32) + 0.5) / 32 * np.pi / 4
    u = np.linspace(0, 4, 801)
    x, y = u[:, None] * np.cos(angle), u[:, None] * np.sin(angle)
    aliases = 0.0
    for across in range(-3, 4):
        for down in range(-3, 4):
            if across or down:
                distance = np.maximum(np.hypot(x - across, y - down), 0.03)  # the mean itself has no alias
                aliases = aliases + kept(x - across, y - down) * (np.maximum(u, 1e-6)[:, None] / distance) ** FALL
    power = (kept(x, y) ** 2).mean(1)
    return u, power, power + (kept(x, y) * aliases).mean(1)
