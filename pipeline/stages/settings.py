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

SETTINGS = Path("data/settings")
TRAINED = ["networks", "systems", "finetunes", "cyclegans", "rbsr", "srgan"]
GRAPH = [*TRAINED, "imports", "adabn", "zssr", "labels", "stage1", "stage2", "supervised", "pairs", "recipes", "calibrations",
         "sets", "tests", "rows"]  # what core/graph.py is made from
READ = {
    "folders": ["sets"],
    "curves": TRAINED,
    "bench": ["bench"],
    "page": [*GRAPH, "bench", "seed", "select", "tasks"],
    "report": ["select", "tasks"],
}
"""Stage -> the sections it reads."""
READ_OF_A_TASK = {
    "evaluate": [*GRAPH, "bench"],
    "select": [*GRAPH, "select"],
}
"""The same for stages that read the task's own entry of `tasks` besides."""


def contents() -> dict[Path, dict]:
    """The files to write and what is to be in them."""
    params.load()  # so that a mistake is named by the first stage that runs
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
