"""A picture of ranges narrowed to captures."""
from pathlib import Path

from matplotlib.figure import Figure

from pipeline.core.files import replacing


def draw_fit(told: dict, picture: Path, title: str) -> None:
    """A PNG with a panel for each parameter: its own range, the narrowed one, and those by each half of the clean scenes.

    `told` are the diagnostics of the stage fit.
    """
    figure = Figure(figsize=(2 + 2.6 * len(told["parameters"]), 2.6), layout="constrained")
    panels = figure.subplots(1, len(told["parameters"]), squeeze=False)[0]
    figure.suptitle(f"{title}: {told['captures']} captures" + (", refused" if told["refused"] else ""))
    for panel, (name, one) in zip(panels, told["parameters"].items()):
        bars = {"own": one["own"], "narrowed": one["narrowed"], "half 1": told["halves"][0][name],
                "half 2": told["halves"][1][name]}
        for place, (low, high) in enumerate(bars.values()):
            panel.barh(place, max(high - low, 1e-6), left=low, color=("lightgray", "tab:orange", "tab:blue", "tab:blue")[place])
        panel.set(title=f"{name}, R2 {one['r2']:.2f}", yticks=range(len(bars)), yticklabels=bars)
        panel.invert_yaxis()
    with replacing(picture) as handle:
        figure.savefig(handle, format="png", dpi=80)
