"""Pictures of training curves."""
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pipeline.core.files import replacing

PANELS = {"loss": ["fidelity", "anchor", "grid", "features", "cycle", "identity"],
          "adversary": ["adversarial", "d_loss"], "discriminator AUC": ["d_auc"], "validation PSNR, dB": ["val_psnr"]}


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
