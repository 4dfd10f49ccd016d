"""Pictures of an estimated camera and of training curves."""
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.core.files import replacing
from pipeline.degrade.calibrate import Estimate
from pipeline.degrade.spectra import CHANNELS

PANELS = {"loss": ["fidelity", "anchor", "grid", "features", "cycle", "identity"],
          "adversary": ["adversarial", "d_loss"], "discriminator AUC": ["d_auc"], "validation PSNR, dB": ["val_psnr"]}


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


def draw_curve(table: Path, picture: Path) -> None:
    """Draw metrics/curves/<name>.csv as a PNG; a table without rows gives a picture that says so."""
    curve = pd.read_csv(table, dtype=float).dropna(axis="columns", how="all")
    panels = {title: [field for field in fields if field in curve] for title, fields in PANELS.items()}
    panels = {title: fields for title, fields in panels.items() if fields} or {"not trained": []}
    figure = Figure(figsize=(3.6 * len(panels), 2.8), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)
    figure.suptitle(table.stem)
    for axis, (title, fields) in zip(axes[0], panels.items()):
        for field in fields:
            axis.plot(curve["step"], curve[field], marker=".", label=field)
        if len(fields) > 1:
            axis.set_yscale("log")
            axis.legend()
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
    with replacing(picture) as handle:
        figure.savefig(handle, format="png", dpi=80)
