"""Estimate a camera's luma transfer (degrade/transfer.py) with intervals, and say where it cannot be estimated.

The intervals are of a bootstrap over images: as many captures and clean images as there are, drawn anew with replacement, and
the fit repeated. So they say what other images of the same camera and the same kind of scenes would have given.
"""
from dataclasses import dataclass

import numpy as np

from pipeline.core.seeds import rng
from pipeline.degrade.spectra import ROUNDING, Powers, frequencies
from pipeline.degrade.transfer import BOUNDS, UNITS, Fit, fit_transfer

DRAWS = 200
INTERVAL = (2.5, 97.5)  # percent
UNSEEN = 0.01  # a gain that is nearer to 1 is none
MOST = 1.5
"""A gain above this is not believed. Cameras were seen to have 1.3; clean images of another kind, with less contrast in middle
frequencies than the captures' scenes, look like more."""
SCREEN = 1.0
"""The power ratio above which captures that nowhere fall below it lose no detail, so that there is no camera to estimate."""


@dataclass(frozen=True)
class Transfer:
    """The luma transfer of a camera; lists have one entry per frequency."""
    parameters: dict[str, dict]
    """Name -> value, low, high (the 95 % interval), unit, at_bound (whether the fit holds it at a bound)."""
    frequency: list[float]
    """Cycles per pixel of the capture."""
    measured: list[float]
    """sqrt(P_captures / P_clean) over its level in the fit."""
    gain: list[float]
    """The camera's transfer: sharpening times softness."""
    low: list[float]
    high: list[float]
    """The 95 % interval of `gain`."""
    sharpening: list[float]
    softness: list[float]
    stray: list[float]
    """Amplitude of aliases and of what does not belong to the scene, as a share of the clean images'."""
    aliased: bool
    """Whether the captures hold aliases as those of a reduction: they were enlarged from fewer pixels."""
    residual: float
    """Root mean square of log(measured / fitted) over the frequencies of the fit."""
    end: float
    """The highest frequency of the fit in cycles per pixel."""
    captures: int
    clean: int
    """How many images there were."""
    refused: str
    """Why these captures have no such transfer; empty when they have."""

    @property
    def peak(self) -> int:
        """The place of the highest gain."""
        return int(np.argmax(self.gain))

    @property
    def sharpens(self) -> bool:
        """Whether the camera's highest gain exceeds 1, by more than its interval and more than can be seen; and is believed."""
        return not self.refused and self.low[self.peak] > 1 + UNSEEN and self.gain[self.peak] <= MOST

    @property
    def factor(self) -> float:
        """The captures are as soft as if they had been reduced by this factor."""
        return self.parameters["softness"]["value"]

    def in_words(self) -> str:
        """One or two sentences."""
        if self.refused:
            return f"no camera can be estimated: {self.refused}"
        soft, peak = self.parameters["softness"], self.peak
        words = f"as soft as reduced by {soft['value']:.2f} [{soft['low']:.2f}, {soft['high']:.2f}]; "
        gain = (f"its gain is {self.gain[peak]:.2f} [{self.low[peak]:.2f}, {self.high[peak]:.2f}] at "
                f"{self.frequency[peak]:.3f} cycles per pixel")
        if self.sharpens:
            return f"{words}sharpens: {gain}"
        if self.gain[peak] > MOST:
            return f"{words}{gain}, more than cameras have: the clean images are probably of another kind than the captures"
        return words + "no sharpening that exceeds its interval"


def estimate_transfer(powers: Powers, clean_powers: Powers) -> Transfer:
    """Of the spectra of captures and of clean images of the same pixel size, in blocks of one size."""
    captures, clean = powers.images, clean_powers.images
    f = frequencies(2 * powers.mean.shape[1])
    ratio = _mean_power(captures) / _mean_power(clean)
    fit = fit_transfer(f, ratio)
    draws = [_drawn(captures, clean, f, fit, index) for index in range(DRAWS)]
    low, high = np.percentile([draw.gain(f) for draw in draws], INTERVAL, axis=0)
    parameters = {}
    for name in BOUNDS:
        ends = np.percentile([getattr(draw, name) for draw in draws], INTERVAL)
        parameters[name] = {"value": getattr(fit, name), "low": float(ends[0]), "high": float(ends[1]), "unit": UNITS[name],
                            "at_bound": name in fit.at_bounds}
    return Transfer(
        parameters=parameters, frequency=f.tolist(), measured=(np.sqrt(ratio) / fit.level).tolist(), gain=fit.gain(f).tolist(),
        low=low.tolist(), high=high.tolist(), sharpening=fit.sharpened(f).tolist(),
        softness=(fit.gain(f) / fit.sharpened(f)).tolist(), stray=fit.stray(f).tolist(), aliased=fit.aliased,
        residual=fit.residual, end=fit.end, captures=len(captures), clean=len(clean), refused=_refusal(ratio, fit))


def _mean_power(images: list[tuple[np.ndarray, int]]) -> np.ndarray:
    """Of luma, over all blocks, without the power of rounding to 8 bits."""
    power = np.average([power[0] for power, _ in images], axis=0, weights=[blocks for _, blocks in images])
    return np.maximum(power - ROUNDING[0], 1e-6)


def _drawn(captures, clean, f, fit: Fit, index: int) -> Fit:
    draw = rng(1, "calibration/images", index)  # no seed of the trainings: an interval is the same for all of them
    sides = [[images[i] for i in draw.integers(len(images), size=len(images))] for images in (captures, clean)]
    starts = [(fit.sharpening, fit.onset, fit.softness, fit.incoherent)]
    return fit_transfer(f, _mean_power(sides[0]) / _mean_power(sides[1]), fit.aliased, starts)


def _refusal(ratio: np.ndarray, fit: Fit) -> str:
    bounds = BOUNDS["softness"]
    if ratio.min() > SCREEN:
        return (f"the captures hold {ratio.min():.2f} to {ratio.max():.2f} times the power of the clean images at every "
                "frequency, so they lose no detail; photographs of screens are like that")
    if "softness" in fit.at_bounds:
        side = "sharper than" if fit.softness < sum(bounds) / 2 else "softer than any reduction of"
        return (f"the softness is at its bound, {fit.softness:.2f}: the captures are {side} the clean images, or show other "
                "kinds of scenes")
    return ""
