"""A training's curve as a table (CSV) and as a picture (PNG)."""
import csv
from pathlib import Path

import matplotlib

from pipeline.core.files import replacing

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first: there is no display)

PANELS = {"loss": ["fidelity", "anchor"], "adversary": ["adversarial", "d_loss"], "discriminator AUC": ["d_auc"],
          "validation PSNR, dB": ["val_psnr"]}


def write_curve(folder: Path, name: str, curve: list[dict]) -> None:
    """`folder/name.csv` and `folder/name.png`. An empty curve gives a header alone and an empty picture."""
    fields = list(dict.fromkeys(field for row in curve for field in row)) or ["step"]
    with replacing(folder / f"{name}.csv", "w") as handle:
        table = csv.DictWriter(handle, fields, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows({field: f"{value:.6g}" for field, value in row.items()} for row in curve)
    panels = {title: [field for field in wanted if field in fields] for title, wanted in PANELS.items()}
    panels = {title: wanted for title, wanted in panels.items() if wanted} or {"no training": []}
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 2.8), squeeze=False, layout="constrained")
    figure.suptitle(name)
    for axis, (title, wanted) in zip(axes[0], panels.items()):
        for field in wanted:
            axis.plot([row["step"] for row in curve], [row[field] for row in curve], marker=".", label=field)
        if len(wanted) > 1:
            axis.set_yscale("log")
            axis.legend()
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
    with replacing(folder / f"{name}.png") as handle:
        figure.savefig(handle, format="png", dpi=80)
    plt.close(figure)
