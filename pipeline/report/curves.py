"""Training curves as pictures, one per network."""
from pathlib import Path

import matplotlib
import pandas as pd

from pipeline.core.files import replacing

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first: there is no display)

PANELS = {"loss": ["fidelity", "anchor", "grid", "features", "cycle", "identity"],
          "adversary": ["adversarial", "d_loss"], "discriminator AUC": ["d_auc"], "validation PSNR, dB": ["val_psnr"]}


def draw_curve(table: Path, picture: Path) -> None:
    """Draw metrics/curves/<name>.csv as a PNG; a table without rows gives a picture that says so."""
    curve = pd.read_csv(table, dtype=float).dropna(axis="columns", how="all")
    panels = {title: [field for field in fields if field in curve] for title, fields in PANELS.items()}
    panels = {title: fields for title, fields in panels.items() if fields} or {"not trained": []}
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 2.8), squeeze=False, layout="constrained")
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
    plt.close(figure)
