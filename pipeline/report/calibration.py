"""A picture of an estimated camera."""
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.core.files import replacing
from pipeline.degrade.calibrate import Estimate
from pipeline.degrade.spectra import CHANNELS
from pipeline.degrade.transfer_estimate import Transfer


def draw_calibration(estimate: Estimate, transfer: Transfer, picture: Path, title: str) -> None:
    """A PNG over frequency: the luma transfer with its parts and its interval, and of each channel the gain and the coloured
    noise that recipes of kind calibrated draw around."""
    figure = Figure(figsize=(13.5, 3.6), layout="constrained")
    luma, gain, noise = figure.subplots(1, 3)
    figure.suptitle(f"{title}: {estimate.captures} blocks of captures, {estimate.clean} of clean images")
    for channel, (name, colour) in enumerate(zip(CHANNELS, ("black", "tab:blue", "tab:red"))):
        kept = np.array(estimate.bump[channel]) * np.array(estimate.tail[channel])
        gain.plot(estimate.frequency, estimate.measured[channel], ".", color=colour, ms=3)
        gain.plot(estimate.frequency, kept, color=colour, label=name)
        noise.plot(estimate.frequency, np.sqrt(np.maximum(estimate.noise[channel], 1e-6)), color=colour, label=name)
    _draw_transfer(luma, transfer)
    gain.set(title="recipe calibrated: measured (dots), synthesised (lines)", xlabel="cycles per pixel", ylim=(0, None))
    noise.set(title="coloured noise, amplitude in 8-bit levels", xlabel="cycles per pixel", yscale="log", ylim=(0.01, None))
    noise.axhline(estimate.white, ls=":", color="gray", label="white noise")
    for axis in (luma, gain, noise):
        axis.grid(alpha=0.3)
        axis.legend()
    with replacing(picture) as handle:
        figure.savefig(handle, format="png", dpi=80)


def _draw_transfer(axis, transfer: Transfer) -> None:
    f = transfer.frequency
    axis.fill_between(f, transfer.low, transfer.high, color="tab:orange", alpha=0.25, lw=0, label="its 95 % interval")
    axis.plot(f, transfer.gain, color="tab:orange", label="the camera: sharpening x softness")
    axis.plot(f, transfer.sharpening, "--", color="tab:green", label="sharpening")
    axis.plot(f, transfer.softness, "--", color="tab:blue", label=f"softness: reduced by {transfer.factor:.2f}")
    axis.plot(f, transfer.stray, ":", color="tab:red", label="incoherent share, amplitude")
    axis.plot(f, transfer.measured, ".", color="black", ms=3, label="measured")
    axis.axvline(transfer.end, color="gray", lw=0.8)
    title = "luma: refused" if transfer.refused else "luma"
    axis.set(title=title, xlabel="cycles per pixel", ylim=(0, max(1.6, *transfer.gain)))
