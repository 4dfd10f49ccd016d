"""Draw every training curve for `dvc plots show` and the report: `python -m pipeline.stages.curves`."""
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.report.plots import draw_curve


def main() -> None:
    p = params.load()
    for name in sorted(p.trained() - set(p.adabn)):
        draw_curve(Path("metrics/curves", f"{name}.csv"), Path("metrics/plots", f"{name}.png"))


if __name__ == "__main__":
    run_stage(main)
