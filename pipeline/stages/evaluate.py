"""Join the scores of a task: `python -m pipeline.stages.evaluate TASK`.

Reads data/contents, and data/bench/TASK/<entry>.json of the entries that params.yaml names, other files there being left over
from removed ones; writes metrics/TASK.json ({row: {test set: {metric: value}}}) and metrics/tables/TASK.{md,csv}.
"""
import sys
from pathlib import Path

from pipeline.compare.kinds import oracles, with_images
from pipeline.compare.scores import Scores, write_csv
from pipeline.core.files import read_json, replacing, write_json
from pipeline.core.graph import Graph, graph
from pipeline.core.params import ParamsError, load
from pipeline.report.costs import section
from pipeline.report.tables import task_markdown
from pipeline.score.names import reading_order
from pipeline.score.registry import check_metric, contests


def collect(lineage: Graph, task: str, folder: Path) -> dict[str, Scores]:
    """The scores of a task by entry of `tests`, rows in reading order.

    Raises FileNotFoundError for an entry without scores.
    """
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
    try:
        params = load()
        if task not in params.tasks:
            raise ParamsError(f"tasks.{task}: no such entry, there are {', '.join(params.tasks)}")
        lineage = with_images(graph(params))
        scores = collect(lineage, task, Path("data/bench", task))
    except (ParamsError, ValueError, FileNotFoundError) as error:
        raise SystemExit(f"evaluate@{task}: {error}") from error
    rows = {row: sets for group in scores.values() for row, sets in group.rows.items()}
    write_json(Path(f"metrics/{task}.json"), rows)
    with replacing(Path(f"metrics/tables/{task}.md"), "w") as handle:
        about = params.tasks[task]
        handle.write(task_markdown(about.title, scores, params.bench, params.tests, about.published, section(lineage, scores)))
    write_csv(Path(f"metrics/tables/{task}.csv"), scores)


if __name__ == "__main__":
    main(*sys.argv[1:])
