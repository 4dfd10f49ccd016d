"""Hand out params.yaml to the stages, each entry resolved: `python -m pipeline.stages.settings`.

Writes data/settings/<group>/<key>.json for each stage of dvc.yaml that runs once for each entry of a section: what the entry
says, with the defaults of what it leaves out and the sections it overrides. A stage that runs once has
data/settings/<stage>.json. Stages depend on these files, and read params.yaml itself. So a stage runs again when what it reads
has changed, be it in params.yaml or a default in the code, and not when an unrelated entry has.
"""
import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.check.options import check_options
from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import write_json
from pipeline.core.graph import graph
from pipeline.core.params import Params
from pipeline.score.registry import asked_for, check_metric, contests, to_choose_by
from pipeline.stages import index

SETTINGS = Path("data/settings")
MADE = ["networks", "systems", "oracles", "finetunes", "cyclegans", "rbsr", "srgan", "imports", "adabn", "unsharpens", "chains",
        "ensembles", "labels", "zssr"]
"""Sections whose entries are networks, or what networks are made of."""
GRAPH = [*MADE, "stage1", "stage2", "supervised", "pairs", "recipes", "calibrations", "fits", "sets", "tests", "far", "rows"]
"""What core/graph.py is made from."""
READ = {
    "folders": ["sets", "builtin"],
    "page": [*GRAPH, "bench", "seed", "select", "tasks"],
    "report": ["select", "tasks"],
}
"""Stage -> the sections it reads whole."""
READ_OF_A_TASK = {
    "evaluate": [*GRAPH, "bench"],
    "select": [*(name for name in GRAPH if name != "sets"), "select"],
}
"""The same for stages that run once for each task, and read the task's own entry of `tasks` besides. A choice reads of the sets
which of them are truth, so that the truth's folder can go without its being made again."""

LISTED = {"index-page": index.of_page}
LISTED_OF_A_TASK = {"index": lambda p, task: index.of_bench(p, task) + index.of_blind(p, task)}
"""Stage -> the paths that it lists, which are all that it takes from params."""


def _tests_of(p: Params, key: str) -> dict:
    """What an entry of tests asks of the scores; the images themselves are dependencies."""
    return p.tests[key].resolved() | {"bench": p.bench.resolved()}


GROUPS: dict[str, tuple[str, Callable[[Params, str], dict]]] = {
    "builtin": ("builtin", lambda p, key: p.builtin[key].resolved()),
    "ingest": ("sets", lambda p, key: p.sets[key].resolved() | {"ingest": p.ingest.resolved()}),
    "calibrate": ("calibrations", lambda p, key: p.calibrations[key].resolved()),
    "fit": ("fits", lambda p, key: p.fits[key].resolved() | {"recipe": p.recipes[p.fits[key].recipe].resolved()}),
    "synthesize": ("pairs", lambda p, key: p.pairs[key].resolved() | {"recipe": p.recipes[p.pairs[key].recipe].resolved()}),
    "stage1": ("networks", lambda p, key: p.networks[key].resolved() | {"stage1": p.stage1_of(key).resolved()}),
    "convert": ("imports", lambda p, key: p.imports[key].resolved()),
    "surrogates": ("systems", lambda p, key: _some(p.systems[key], "teacher", "captures", "self_ensemble")),
    "stage2": ("systems", lambda p, key: _some(p.systems[key], "start", "captures", "clean") | {
        "stage2": p.stage2_of(key).resolved()}),
    "gan": ("systems", lambda p, key: _some(p.systems[key], "start", "pairs", "clean") | {
        "stage2": p.stage2_of(key).resolved()}),
    "oracle": ("oracles", lambda p, key: p.oracles[key].resolved() | {"supervised": p.supervised_of(key).resolved()}),
    "adabn": ("adabn", lambda p, key: p.adabn[key].resolved()),
    "unsharpen": ("unsharpens", lambda p, key: p.unsharpens[key].resolved()),
    "label": ("labels", lambda p, key: p.labels[key].resolved()),
    "finetune": ("finetunes", lambda p, key: p.finetunes[key].resolved() | {"overrides": p.finetune_of(key).resolved()}),
    "cyclegan": ("cyclegans", lambda p, key: p.cyclegans[key].resolved()),
    "rbsr": ("rbsr", lambda p, key: p.rbsr[key].resolved()),
    "srgan": ("srgan", lambda p, key: p.srgan[key].resolved()),
    "zssr": ("zssr", lambda p, key: p.zssr[key].resolved()),
    "chain": ("chains", lambda p, key: p.chains[key].resolved()),
    "ensemble": ("ensembles", lambda p, key: p.ensembles[key].resolved()),
    "tests": ("tests", lambda p, key: _some(p.tests[key], "synthetic", "captures", "truth", "reference")),
    "far": ("far", lambda p, key: p.far[key].resolved()),
    "bench-system": ("systems", lambda p, key: _some(p.systems[key], "task", "start") | _tests_of(p, p.systems[key].task)),
    "bench": ("rows", lambda p, key: _some(p.rows[key], "task", "tests", "network") | _tests_of(p, p.rows[key].tests)),
}
"""Group of stages in dvc.yaml -> the section it runs over, and what a stage of it reads."""


def _some(entry, *fields: str) -> dict:
    return {field: value for field, value in entry.resolved().items() if field in fields}


def check_names(p: params.Params) -> None:
    """Raise ParamsError where params name a metric that is not in the registry, or cannot be used there, or an option that the
    architecture does not have. Params alone cannot tell: metrics and architectures are files that anybody may add."""
    for section in ("networks", "imports", "cyclegans", "rbsr"):
        for key, entry in getattr(p, section).items():
            check_options(f"{section}.{key}", entry.arch, entry.options)
    check_metric("select.metric", p.select.metric, to_choose_by())
    for key, entry in p.tests.items():
        for place, name in enumerate(entry.metrics):
            check_metric(f"tests.{key}.metrics.{place}", name, asked_for())
    for key, row in p.rows.items():
        for name in row.published:
            check_metric(f"rows.{key}.published.{name}", name, contests())


def contents() -> dict[Path, dict]:
    """The files to write and what is to be in them."""
    p = params.load()
    check_names(p)  # so that a mistake is named by the first stage that runs
    resolved, truths = p.resolved(), graph(p).truths
    found = {SETTINGS / f"{stage}.json": {name: resolved[name] for name in names} for stage, names in READ.items()}
    found |= {SETTINGS / f"{stage}.json": listed(p) for stage, listed in LISTED.items()}
    for stage, listed in LISTED_OF_A_TASK.items():
        found |= {SETTINGS / stage / f"{task}.json": listed(p, task) for task in p.tasks}
    for stage, names in READ_OF_A_TASK.items():
        for task in p.tasks:
            found[SETTINGS / stage / f"{task}.json"] = {name: resolved[name] for name in names} | {
                "tasks": {task: resolved["tasks"][task]}} | ({"truths": truths} if stage == "select" else {})
    for group, (section, read) in GROUPS.items():
        for key in getattr(p, section):
            found[SETTINGS / group / f"{key}.json"] = read(p, key)
    return found


def main() -> None:
    values = contents()
    shutil.rmtree(SETTINGS, ignore_errors=True)  # entries that are gone
    for path, value in values.items():
        write_json(path, value)


if __name__ == "__main__":
    run_stage(main)
