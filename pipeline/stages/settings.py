"""Hand out the sections of params.yaml to the stages that read whole ones: `python -m pipeline.stages.settings`.

Writes data/settings/<stage>.json, of a stage that runs once for each task <stage>/<task>.json. The stages depend on these files
and read params.yaml itself: were the sections their params, each would have them all in dvc.lock, which DVC reads and writes
again after every stage.
"""
from pathlib import Path

import yaml

from pipeline.core import params
from pipeline.core.edge import run
from pipeline.core.files import write_json
from pipeline.measure.registry import asked_for, check, contests, to_choose_by

SETTINGS = Path("data/settings")
TRAINED = ["networks", "systems", "finetunes", "cyclegans", "rbsr", "srgan"]
SCORED = ["bench", "tests", "stage1", "stage2", "supervised", *TRAINED, "imports", "adabn", "rows"]
READ = {
    "folders": ["sets"],
    "curves": TRAINED,
    "bench": ["bench"],
    "page": [*SCORED, "seed", "select", "labels", "zssr", "tasks", "sets"],
    "report": ["select", "tasks"],
}
"""Stage -> the sections it reads."""
READ_OF_A_TASK = {
    "evaluate": SCORED,
    "select": ["select", "systems", "tests", "labels", "finetunes", "rows"],
}
"""The same for stages that read the task's own entry of `tasks` besides."""


def check_metrics(p: params.Params) -> None:
    """Raise ParamsError where params name a metric that is not in the registry, or cannot be used there."""
    check("select.metric", p.select.metric, to_choose_by())
    for key, entry in p.tests.items():
        for place, name in enumerate(entry.metrics):
            check(f"tests.{key}.metrics.{place}", name, asked_for())
    for key, row in p.rows.items():
        for name in row.published:
            check(f"rows.{key}.published.{name}", name, contests())


def contents() -> dict[Path, dict]:
    """The files to write and what is to be in them."""
    check_metrics(params.load())  # so that a mistake is named by the first stage that runs
    values = yaml.safe_load(params.PARAMS_FILE.read_text(encoding="utf-8"))
    found = {SETTINGS / f"{stage}.json": {name: values.get(name) for name in names} for stage, names in READ.items()}
    for stage, names in READ_OF_A_TASK.items():
        for task, entry in values["tasks"].items():
            found[SETTINGS / stage / f"{task}.json"] = {name: values.get(name) for name in names} | {"tasks": {task: entry}}
    return found


def main() -> None:
    for path, value in contents().items():
        write_json(path, value)


if __name__ == "__main__":
    run(main)
