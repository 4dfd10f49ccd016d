"""Join the scores of a task: `python -m pipeline.stages.evaluate TASK`.

Of data/bench/TASK only the entries that params.yaml names are read: other files are left over from removed ones. Writes
metrics/TASK.json ({row: {test set: {metric: value}}}) and metrics/tables/TASK.{md,csv}.
"""
from pathlib import Path

from pipeline.compare.kinds import oracles, with_images
from pipeline.compare.scores import Scores, write_csv
from pipeline.core.edge import run_stage
from pipeline.core.files import read_json, write, write_json
from pipeline.core.graph import Graph, graph
from pipeline.core.params import load
from pipeline.report.costs import section
from pipeline.report.tables import task_markdown
from pipeline.score.names import reading_order
from pipeline.score.registry import check_metric, contests


def collect(lineage: Graph, task: str, folder: Path) -> dict[str, Scores]:
    """The scores of a task by entry of `tests`, rows in reading order. Raises FileNotFoundError for an entry without scores."""
    scores, params = {}, lineage.params
    for key, tests in lineage.entries(task).items():
        if not (folder / f"{key}.json").is_file():
            raise FileNotFoundError(f"{folder / key}.json is missing: `dvc repro evaluate@{task}` makes it")
        scores.setdefault(tests, Scores()).add(read_json(folder / f"{key}.json"))
    for group in scores.values():
        group.sort(reading_order(lineage, task))
        group.oracles = oracles(lineage, group)
    for key, row in params.rows.items():
        for name in row.published:
            check_metric(f"rows.{key}.published.{name}", name, contests())
    for row in lineage.rows(task):
        if row.key in params.rows and (figures := params.rows[row.key].published):
            scores[row.tests].published[row.name] = figures
    return scores


def main(task: str) -> None:
    params = load()
    about = params.entry("tasks", task)
    lineage = with_images(graph(params))
    scores = collect(lineage, task, Path("data/bench", task))
    rows = {row: sets for group in scores.values() for row, sets in group.rows.items()}
    write_json(Path(f"metrics/{task}.json"), rows)
    write(Path(f"metrics/tables/{task}.md"),
          task_markdown(about.title, scores, params.bench, params.tests, about.published, section(lineage, scores)))
    write_csv(Path(f"metrics/tables/{task}.csv"), scores)


if __name__ == "__main__":
    run_stage(main)
