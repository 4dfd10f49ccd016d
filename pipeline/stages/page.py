"""Write the report as one page that opens from disk: `python -m pipeline.stages.page`.

metrics/report/summary.json has what it says first, for the end of a run. For `dvc plots` the stage also writes
metrics/pictures/<task>/<row>.png of each row that is a network. How long trainings took is no part of the page, as it differs
from run to run: `python -m pipeline page` writes a copy that tells it.
"""
from pathlib import Path

from pipeline.compare.kinds import with_images
from pipeline.compare.revisions import parse_images
from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import read_json, write, write_json
from pipeline.core.graph import Graph, graph
from pipeline.report.gallery import write_strips
from pipeline.report.page import Sources, render_page
from pipeline.stages.evaluate import collect

PAGE, SUMMARY = Path("metrics/report/index.html"), Path("metrics/report/summary.json")
CROPS, PICTURES = Path("data/crops"), Path("metrics/pictures")


def load_sources() -> Graph:
    return with_images(graph(params.load()))


def write_page(path: Path, times: dict[str, dict]) -> dict:
    """Write the page, and return its summary; `times` are network -> device and seconds of its training."""
    lineage = load_sources()
    tasks = lineage.params.tasks
    keys = [key for task in tasks for key in lineage.entries(task)]
    text, summary = render_page(Sources(
        graph=lineage,
        scores={task: collect(lineage, task, Path("data/bench", task)) for task in tasks},
        images={key: parse_images(Path("metrics/images", f"{key}.csv").read_text(encoding="utf-8")) for key in keys},
        choices={task: read_json(Path("metrics/select", f"{task}.json")) for task in tasks},
        crops=CROPS, calibrations=Path("data/calibrations"), curves=Path("metrics/curves"), times=times))
    write(path, text)
    return summary


def main() -> None:
    write_json(SUMMARY, write_page(PAGE, {}))
    lineage = load_sources()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for task in lineage.params.tasks:
        for tests, scores in collect(lineage, task, Path("data/bench", task)).items():
            crops = [CROPS / task / key for key, name in lineage.entries(task).items() if name == tests]
            write_strips(crops, [*scores.networks], PICTURES / task)


if __name__ == "__main__":
    run_stage(main)
