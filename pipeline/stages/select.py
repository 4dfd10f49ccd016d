"""Choose a network for each system of a task, without truth: `python -m pipeline.stages.select TASK`.

data/blind/TASK holds what is known of captures-val without truth; metrics/select/TASK.json has system -> what was chosen and
why, and what was not.
"""
from pathlib import Path

from pipeline.compare.choice import choose
from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import read_json, write_json
from pipeline.core.graph import Graph, graph


def choice_of(lineage: Graph, system: str, rows: dict, absent: list) -> dict:
    """What is chosen for a system and why. Nothing, when truth reached its stage 1, which bounds all others."""
    start = lineage.params.systems[system].start
    if reason := lineage.truth(start):
        return {"reason": f"no choice, {start} saw truth: {reason}", "candidates": []}
    return choose(lineage.params.select, lineage.candidates(system), rows, absent)


def main(task: str) -> None:
    p = params.load()
    p.entry("tasks", task)
    lineage = graph(p)
    blind = {key: read_json(Path("data/blind", task, f"{key}.json")) for key in lineage.entries(task)}
    rows = {row: scores for scored in blind.values() for row, scores in scored["rows"].items()}
    absent = [item for scored in blind.values() for item in scored["absent"]]
    systems = [key for key, system in p.systems.items() if system.task == task]
    choices = {key: choice_of(lineage, key, rows, absent) | blind[key]["counts"] for key in systems}
    for key, choice in choices.items():
        print(f"{key}: {choice.get('chosen', 'nothing chosen')}; {choice['reason']}", flush=True)
    write_json(f"metrics/select/{task}.json", choices)


if __name__ == "__main__":
    run_stage(main)
