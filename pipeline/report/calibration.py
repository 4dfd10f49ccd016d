"""A picture of an estimated camera."""
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.core.files import replacing
from pipeline.degrade.calibrate import Estimate
from pipeline.degrade.spectra import CHANNELS


def draw_calibration(estimate: Estimate, picture: Path, title: str) -> None:
    """A PNG of the transfer function and of the coloured noise of each channel over frequency."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    gain, noise = figure.subplots(1, 2)
    figure.suptitle(f"{title}: {estimate.captures} blocks of captures, {estimate.clean} of clean images")
    for channel, (name, colour) in enumerate(zip(CHANNELS, ("black", "tab:blue", "tab:red"))):
        transfer = np.array(estimate.bump[channel]) * np.array(estimate.tail[channel])
        gain.plot(estimate.frequency, estimate.measured[channel], ".", color=colour, ms=3)
        gain.plot(estimate.frequency, transfer, color=colour, label=name)
        noise.plot(estimate.frequency, np.sqrt(np.maximum(estimate.noise[channel], 1e-6)), color=colour, label=name)
    gain.set(title="transfer: measured (dots), synthesised (lines)", xlabel="cycles per pixel", ylim=(0, None))
    noise.set(title="coloured noise, amplitude in 8-bit levels", xlabel="cycles per pixel", yscale="log", ylim=(0.01, None))
    noise.axhline(estimate.white, ls=":", color="gray", label="white noise")
    for axis in (gain, noise):
        axis.grid(alpha=0.3)
        axis.legend()
    with replacing(picture) as handle:
        figure.savefig(handle, format="png", dpi=80)
