"""dvc.yaml against the code: a stage depends on exactly the modules it imports."""
import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# dvc.yaml says why
NOT_TRACKED = {f"pipeline/core/{name}.py" for name in ("params", "settings", "sources", "progress", "stop")}


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


@pytest.mark.parametrize("group", sorted(GRAPH))
def test_deps_are_the_modules_the_stage_imports(group):
    stage = GRAPH[group].get("do", GRAPH[group])
    module = re.match(r"python -m (pipeline\.stages\.\w+)", stage["cmd"]).group(1)
    wanted = imports(module) - NOT_TRACKED
    listed = {dep for dep in stage["deps"] if dep.startswith("pipeline/") and "$" not in dep}
    assert sorted(listed) == sorted(wanted), "\n".join([""] + [f"      - {file}" for file in sorted(wanted)])


def test_imports_run_one_way():
    order = ["core", "images", "nets", "degrade", "measure", "restore", "train", "report", "stages"]
    level = {name: i for i, name in enumerate(order)} | {"nets": 1, "measure": 3, "restore": 3}
    for file in (ROOT / "pipeline").glob("*/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pipeline."):
                other = node.module.split(".")[1]
                assert level[other] <= level[file.parent.name], f"{file.relative_to(ROOT)} imports {node.module}"


@pytest.mark.parametrize("stage", ["builtin", "ingest", "synthesize", "tests", "evaluate", "report"])
def test_stages_that_need_no_torch_do_not_import_it(stage):
    code = f"import sys, pipeline.stages.{stage}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_no_stage_of_training_or_labelling_sees_the_truth():
    for group in ("stage1", "surrogates", "stage2", "gan", "label"):
        assert not [dep for dep in GRAPH[group]["do"]["deps"] if "truth" in dep]


def test_dvc_reads_the_graph():
    listing = subprocess.run([Path(sys.executable).with_name("dvc"), "stage", "list", "--name-only"], cwd=ROOT,
                             capture_output=True, text=True)
    assert listing.returncode == 0, listing.stderr
    assert {"stage1@sr-edsr", "bench-system@sr-edsr", "evaluate@sr", "report"} <= set(listing.stdout.split())
