"""dvc.yaml against the code: a stage depends on exactly the modules it imports."""
import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml
from conftest import ROOT
from dvc.utils.hydra import apply_overrides

from pipeline.core import settings
from pipeline.core.params import load

GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# dvc.yaml says why
NOT_TRACKED = {f"pipeline/core/{name}.py"
               for name in ("params", "settings", "sources", "baselines", "moire", "progress", "stop")}


@cache
def imports(module: str) -> frozenset[str]:
    """Files of the pipeline that a module imports, itself included, at any depth and inside functions too."""
    path = ROOT / (module.replace(".", "/") + ".py")
    if not path.is_file():
        return frozenset()
    found = {str(path.relative_to(ROOT))}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pipeline"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("pipeline.")]
        else:
            continue
        found |= {file for name in names for file in imports(name)}
    return frozenset(found)


def modules(dep: str) -> set[str]:
    """A module, or those of a folder."""
    return {dep} if dep.endswith(".py") else {str(file.relative_to(ROOT)) for file in (ROOT / dep).rglob("*.py")
                                              if file.name != "__init__.py"}


@pytest.mark.parametrize("group", sorted(GRAPH))
def test_deps_are_the_modules_the_stage_imports(group):
    stage = GRAPH[group].get("do", GRAPH[group])
    module = re.match(r"python -m (pipeline\.stages\.\w+)", stage["cmd"]).group(1)
    wanted = imports(module) - NOT_TRACKED
    listed = {file for dep in stage["deps"] if dep.startswith("pipeline") and "$" not in dep for file in modules(dep)}
    assert sorted(listed) == sorted(wanted), "\n".join([""] + [f"      - {file}" for file in sorted(wanted)])


def test_imports_run_one_way():
    order = ["core", "images", "nets", "degrade", "measure", "compare", "restore", "train", "report", "stages", "commands"]
    level = {name: i for i, name in enumerate(order)} | {"nets": 1, "measure": 3, "restore": 3}
    for file in (ROOT / "pipeline").glob("*/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pipeline."):
                other = node.module.split(".")[1]
                assert level[other] <= level[file.parent.name], f"{file.relative_to(ROOT)} imports {node.module}"


@pytest.mark.parametrize("stage", ["builtin", "folders", "ingest", "synthesize", "tests", "evaluate", "select", "page",
                                   "report"])
def test_stages_that_need_no_torch_do_not_import_it(stage):
    code = f"import sys, pipeline.stages.{stage}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_no_stage_of_training_or_labelling_sees_the_truth():
    for group in ("stage1", "surrogates", "stage2", "gan", "adabn", "label", "cyclegan", "rbsr", "srgan", "zssr"):
        assert not [dep for dep in GRAPH[group]["do"]["deps"] if "truth" in dep]
    seen = [dep for dep in GRAPH["zssr"]["do"]["deps"] if dep.startswith("data/")]
    assert seen == [f"data/tests/${{item.tests}}/{name}/inputs" for name in get_args(settings.TestSet)]
    seen = [dep for dep in GRAPH["select"]["do"]["deps"] if not dep.startswith("pipeline/")]
    assert seen == ["data/blind/${key}"]
    p = load(ROOT / "params.yaml")
    truths = {name for test in p.tests.values() for name in (test.truth, test.far_truth)} - {"none"}
    assert truths == {f"{task}-{name}" for task in ("sr", "demoire") for name in ("truth", "far-truth")}
    read = [(entry.inputs, entry.targets, f"sets/{entry.clean}") for entry in p.finetunes.values()]
    read += [(entry.inputs,) for entry in p.labels.values()] + [(entry.inputs, entry.targets) for entry in p.networks.values()]
    read += [(f"sets/{entry.captures}", f"sets/{entry.clean}") for entry in p.systems.values()]
    read += [(f"sets/{entry.captures}",) for entry in p.adabn.values()]
    assert not p.cyclegans and not p.rbsr  # presets have them
    assert not {f"sets/{name}" for name in truths} & {path for paths in read for path in paths}


def test_dvc_reads_the_graph():
    listing = subprocess.run([Path(sys.executable).with_name("dvc"), "stage", "list", "--name-only"], cwd=ROOT,
                             capture_output=True, text=True)
    assert listing.returncode == 0, listing.stderr
    assert {"stage1@sr-edsr", "bench-system@sr-edsr", "evaluate@sr", "select@sr", "report"} <= set(listing.stdout.split())


def test_an_order_that_deps_cannot_tell_is_tracked_as_params():
    """DVC compares deps as a set: swapping two of an entry's names changes none of them."""
    assert "rows.${key}" in GRAPH["bench"]["do"]["params"] and "systems.${key}" in GRAPH["bench-system"]["do"]["params"]
    assert {"systems.${key}.captures", "systems.${key}.truth"} <= set(GRAPH["oracle"]["do"]["params"])
    assert {"networks.${key}"} <= set(GRAPH["stage1"]["do"]["params"]) and "tests.${key}" in GRAPH["tests"]["do"]["params"]


def test_what_tests_ask_of_the_scores_is_tracked_as_params():
    """The sets that an entry names are deps already."""
    asked = set(settings.Tests.model_fields) - {"synthetic", "captures", "truth", "far", "far_truth", "reference"}
    for group, entry in (("bench-system", "tests.${item.task}"), ("bench", "tests.${item.tests}")):
        assert {f"{entry}.{field}" for field in asked} == {name for name in GRAPH[group]["do"]["params"] if "tests." in name}
    assert "tests" in GRAPH["evaluate"]["do"]["params"]


def test_the_overrides_of_the_readme_are_accepted(tmp_path):
    wanted = re.findall(r"-S '?(\w[\w.-]*=[^\s'`]+)", (ROOT / "README.md").read_text())
    assert len(wanted) > 8
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    apply_overrides(tmp_path / "params.yaml", [override.split(",")[0] for override in wanted])
    load(tmp_path / "params.yaml")


@pytest.mark.parametrize("make, found", [(None, "nothing"), (Path.touch, "a file")])
def test_a_missing_folder_names_the_param(tmp_path, make, found):
    if make:
        make(tmp_path / "photos")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for entry in values["sets"].values():
        entry["folder"] = str(tmp_path)
    values["sets"]["sr-captures"]["folder"] = str(tmp_path / "photos")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipeline.stages.folders"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1 and not (tmp_path / "data").exists()
    assert done.stderr.startswith("folders: sets.sr-captures.folder: wanted a folder of images, or data/none;")
    assert done.stderr.strip().endswith(f"is {found}")
