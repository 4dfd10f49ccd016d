"""Write the report as one page that opens from disk: `python -m pipeline.stages.page`.

For `dvc plots` it also writes metrics/pictures/<task>/<row>.png of each row that is a network. How long trainings took is no
part of the page, as it differs from run to run: `python -m pipeline page` writes a copy that tells it.
"""
from pathlib import Path

from pipeline.compare.kinds import with_images
from pipeline.compare.revisions import parse_images
from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import read_json, write
from pipeline.core.graph import Graph, graph
from pipeline.report.gallery import write_strips
from pipeline.report.page import Sources, render_page
from pipeline.stages.evaluate import collect

PAGE = Path("metrics/report/index.html")
CROPS, PICTURES = Path("data/crops"), Path("metrics/pictures")


def load_sources() -> Graph:
    return with_images(graph(params.load()))


def write_page(path: Path, times: dict[str, dict]) -> None:
    """Write the page; `times` are network -> device and seconds of its training."""
    lineage = load_sources()
    tasks = lineage.params.tasks
    keys = [key for task in tasks for key in lineage.entries(task)]
    write(path, render_page(Sources(
        graph=lineage,
        scores={task: collect(lineage, task, Path("data/bench", task)) for task in tasks},
        images={key: parse_images(Path("metrics/images", f"{key}.csv").read_text(encoding="utf-8")) for key in keys},
        choices={task: read_json(Path("metrics/select", f"{task}.json")) for task in tasks},
        crops=CROPS, curves=Path("metrics/curves"), times=times)))


def main() -> None:
    write_page(PAGE, {})
    lineage = load_sources()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for task in lineage.params.tasks:
        for tests, scores in collect(lineage, task, Path("data/bench", task)).items():
            crops = [CROPS / task / key for key, name in lineage.entries(task).items() if name == tests]
            write_strips(crops, [*scores.networks], PICTURES / task)


if __name__ == "__main__":
    run_stage(main)
