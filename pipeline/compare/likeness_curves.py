"""The spectra of captures and synthetic inputs as a picture."""
from pathlib import Path

import matplotlib
import numpy as np

from pipeline.compare.against import CHANNELS, EMPTY
from pipeline.compare.likeness import WAVELENGTHS, Likeness
from pipeline.core.files import replacing
from pipeline.degrade.spectra import frequencies

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first: there is no display)

COLOURS = dict(zip(CHANNELS, ("black", "tab:red")))


def draw_likeness(found: Likeness, picture: Path, title: str) -> None:
    """A PNG: amplitude, and where the clean sides are known transfer and what was added, over the wavelength."""
    looks = {"captures": found.captures, "synthetic": found.synthetic}
    panels = {"amplitude, 8-bit levels": {side: _amplitude(look.power) for side, look in looks.items()}}
    if found.captures.against:
        panels["transfer"] = {side: look.against.transfer for side, look in looks.items()}
        panels["added: amplitude, 8-bit levels"] = {side: _amplitude(look.against.added) for side, look in looks.items()}
    figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.6), squeeze=False, layout="constrained")
    figure.suptitle(f"{title}: {found.captures.windows} and {found.synthetic.windows} windows")
    f = frequencies(found.block)
    shown = f * found.block > 1  # the lowest bin holds what the window function leaves of the mean
    for axis, (name, sides) in zip(axes[0], panels.items()):
        for (side, values), line in zip(sides.items(), ("-", "--")):
            for channel, curve in zip(CHANNELS, values):
                axis.plot(f[shown], curve[shown], line, color=COLOURS[channel], label=f"{channel}, {side}")
        axis.set(title=name, xlabel="wavelength, pixels", xscale="log", yscale="linear" if name == "transfer" else "log")
        axis.set_xticks([1 / wavelength for wavelength in WAVELENGTHS], [f"{wavelength:g}" for wavelength in WAVELENGTHS],
                        fontsize="x-small")
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize="small")
    with replacing(picture) as handle:
        figure.savefig(handle, format="png", dpi=100)
    plt.close(figure)


def _amplitude(power: np.ndarray) -> np.ndarray:
    return np.sqrt(np.where(power > EMPTY, power, np.nan))
