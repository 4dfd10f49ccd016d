"""Which code a stage runs: what data/code says, against what Python loads."""
import ast
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
import warm
from conftest import ROOT
from test_graph import GRAPH, deps_of, entry_of

from pipeline.core.imports import imported
from pipeline.nets.build import architectures
from pipeline.stages import code

# prints each script and the files of the pipeline that importing it, into a process that has none of them, loads
LOADED = """
import importlib, os, sys
for script in sorted(name[:-3] for name in os.listdir("pipeline/stages") if name[0] != "_" and name.endswith(".py")):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pipeline"]:
        del sys.modules[name]
    importlib.import_module(f"pipeline.stages.{script}")
    files = [os.path.relpath(module.__file__) for name, module in sys.modules.items() if name.partition(".")[0] == "pipeline"]
    print(script, *(file for file in files if not file.endswith("__init__.py")))
"""


# what the metrics of the registry import when they are computed
COMPUTING = {f"pipeline/score/{name}.py" for name in (
    "auc", "critic", "diagnostics", "fidelity", "flat", "highpass", "kept", "lpips", "niqe", "registered", "swd")} | {
        "pipeline/core/adam.py", "pipeline/core/seeds.py", "pipeline/core/vision.py", "pipeline/degrade/bicubic.py",
        "pipeline/images/look_alike.py", "pipeline/images/shards.py"}


def test_what_data_code_lists_is_what_a_stage_loads(monkeypatch):
    """The other way round: what Python has loaded once it has imported the script, and what is imported in functions."""
    monkeypatch.chdir(ROOT)
    done = subprocess.run(["python", "-c", LOADED], capture_output=True, text=True, check=True,
                          env=os.environ | warm.environment())
    loaded = {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines()}
    later = {"ingest": {"pipeline/images/faces.py"}}
    later |= dict.fromkeys(("bench", "evaluate", "page", "report", "settings"), COMPUTING)
    listed = {path.stem: set(value) for path, value in code.contents().items() if path.parent == code.CODE}
    unlisted = {path.as_posix() for path in code.NOT_TRACKED}
    params = {path.as_posix() for path in code.PARAMS}
    assert listed == {script: files - (unlisted - params if script == "settings" else unlisted) | later.get(script, set())
                      for script, files in loaded.items()}
    assert params <= loaded["settings"]  # none is left out of all stages


def test_data_code_lists_each_architecture_with_what_it_imports(monkeypatch):
    monkeypatch.chdir(ROOT)
    listed = {path.stem: set(value) for path, value in code.contents().items() if path.parent == code.CODE / "nets"}
    assert set(listed) == set(architectures())
    assert listed["edsr"] == {"pipeline/nets/edsr.py", "pipeline/nets/blocks.py"}
    for arch, files in listed.items():
        assert f"pipeline/nets/{arch}.py" in files and not [file for file in files if file.startswith("pipeline/stages")]


def test_what_imports_do_not_tell(monkeypatch):
    """Networks, by name: a dep of their own. Packages: empty. Nothing is imported relatively, which would not be followed."""
    texts = {file.relative_to(ROOT).as_posix(): file.read_text() for file in (ROOT / "pipeline").rglob("*.py")}
    by_name = {name for name, text in texts.items() if re.search(r"import_module|__import__|runpy|\bexec\(|spec_from", text)}
    # onnx_graph: optional packages; cluster: what a Dask worker runs, which is no stage's own code
    assert by_name == {"pipeline/nets/build.py", "pipeline/export/onnx_graph.py", "pipeline/run/cluster.py"}
    assert {name for name, text in texts.items() if name.endswith("__init__.py") and text} == {
        "pipeline/__init__.py", "pipeline/cli/__init__.py"}
    assert not [name for name, text in texts.items() if re.search(r"^\s*from \.", text, re.MULTILINE)]
    for group in GRAPH:
        section = GRAPH[group].get("foreach", "").strip("${}")
        built = section and "arch" in entry_of(section).model_fields
        assert ("data/code/nets/${item.arch}.json" in deps_of(group)) == bool(built), group


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """A copy of the code, which tests leave as it was."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def unedited(copied) -> dict[Path, dict[str, str]]:
    """What the stage `code` writes of the project as it is."""
    with chdir(copied):
        return code.contents()


@pytest.mark.parametrize("file, scripts", [
    ("train/loop.py", {"stage1", "stage2", "cyclegan", "rbsr", "srgan"}), ("report/page.py", {"page"}),
    ("train/methods/supervised.py", {"stage1", "stage2", "srgan"}), ("train/methods/stage2.py", {"stage2", "srgan"}),
    ("train/adversary.py", {"stage2", "srgan", "rbsr"}), ("train/methods/cyclegan.py", {"cyclegan"}),
    ("degrade/moire/geometry.py", {"builtin", "fit", "synthesize"}), ("images/faces.py", {"ingest"}),
    ("stages/stage1.py", {"stage1"}),
    ("core/params.py", {"settings"}), ("core/sources.py", {"settings"}), ("cli/project.py", set()),
    ("nets/rednet.py", {"nets/rednet"}), ("nets/edsr.py", {"nets/edsr"}),
    ("nets/blocks.py", {f"nets/{arch}" for arch in (
        "compact", "dmnet", "edsr", "esdnet", "msrresnet", "nafnet", "rcan", "srresnet")}),
    ("report/web/page.css", set())])
@pytest.mark.parametrize("text", ["\n", "\n)"])
def test_an_edit_changes_the_files_of_what_imports_it(copied, unedited, monkeypatch, file, scripts, text):
    monkeypatch.chdir(copied)
    path, before = copied / "pipeline" / file, (copied / "pipeline" / file).read_bytes()
    path.write_bytes(before + text.encode())  # with the second it is no Python any more: those that do not import it still run
    after = code.contents()
    path.write_bytes(before)
    changed = {path for path in unedited if unedited[path] != after[path]}
    assert {path.relative_to(code.CODE).with_suffix("").as_posix() for path in changed} == scripts
    assert all(f"pipeline/{file}" in unedited[Path(f"data/code/{script}.json")] for script in scripts)


def test_imports_run_one_way():
    order = ["core", "images", "nets", "degrade", "score", "compare", "restore", "train", "report", "export", "check", "run",
             "stages", "app", "cli"]
    level = {name: i for i, name in enumerate(order)} | {"nets": 1, "score": 3, "restore": 3}
    for file in (ROOT / "pipeline").glob("*/**/*.py"):
        place = file.relative_to(ROOT / "pipeline").parts[0]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pipeline."):
                other = node.module.split(".")[1]
                assert level[other] <= level[place], f"{file.relative_to(ROOT)} imports {node.module}"


def test_stages_that_need_no_torch_do_not_import_it():
    stages = ["code", "settings", "builtin", "folders", "ingest", "synthesize", "tests", "evaluate", "select", "page", "report"]
    script = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(f'pipeline.stages.{name}')\n" \
             "    print(name, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, *stages], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} False" for name in stages]  # the first that has True has imported it


def test_pandas_is_imported_where_tables_are_made_and_read_alone(monkeypatch):
    """Importing it takes half a second, as long as the whole start of such a stage, or of restoring a photo."""
    monkeypatch.chdir(ROOT)
    modules = [f"pipeline.{path.parent.name}.{path.stem}" for folder in ("stages", "cli")
               for path in Path("pipeline", folder).glob("[!_]*.py") if path.stem != "app"]
    found = {module.removeprefix("pipeline.") for module, files in imported(modules).items()
             if any(re.search(r"^ *(import|from) pandas\b", path.read_text(), re.MULTILINE) for path in files)}
    assert found == {f"stages.{name}" for name in ("calibrate", "evaluate", "page", "report")} | {
        f"cli.{name}" for name in ("networks", "repro", "results")}  # export, likeness, page, picture, seeds; not restore:


# steps of a training; then what bench and a photo need
HEAVY = """
import sys
sys.path.append("tests/core")
import test_adam
test_adam.trained(test_adam.Adam, True)
print("torch._dynamo" in sys.modules)
import pipeline.stages.bench, pipeline.cli.app, pipeline.restore.batch
print("pandas" in sys.modules, "scipy.stats" in sys.modules)
"""


def test_a_training_loads_no_compiler_and_restoring_no_tables_and_no_statistics():
    done = subprocess.run([sys.executable, "-c", HEAVY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]
