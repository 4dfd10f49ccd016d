"""dvc.yaml against the code: a stage depends on exactly the modules it imports and the params it reads."""
import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import get_args

import pytest
import yaml
from conftest import ROOT
from dvc.utils.hydra import apply_overrides

from pipeline.core import settings
from pipeline.core.imports import imported
from pipeline.core.params import Params, load
from pipeline.stages import code
from pipeline.stages import settings as sections

GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
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


def script_of(group: str) -> str:
    stage = GRAPH[group].get("do", GRAPH[group])
    return re.match(r"python -m pipeline\.stages\.(\w+)", stage["cmd"]).group(1)


def deps_of(group: str) -> list[str]:
    return GRAPH[group].get("do", GRAPH[group])["deps"]


# what the metrics of the registry import when they are computed
COMPUTING = {f"pipeline/score/{name}.py" for name in (
    "aligned_psnr", "auc", "critic", "diagnostics", "flat", "flat_noise", "highpass", "lpips", "luma", "moire_energy", "niqe",
    "psnr", "ssim", "swd", "torchvision_shim")} | {"pipeline/core/seeds.py", "pipeline/degrade/bicubic.py",
                                                    "pipeline/images/shards.py"}


@pytest.mark.parametrize("group", sorted(GRAPH.keys() - {"code"}))
def test_a_stage_depends_on_its_code_and_the_sections_it_reads(group):
    script, deps = script_of(group), deps_of(group)
    told = [f"data/code/{script}.json"]
    if script in sections.READ:
        told.append(f"data/settings/{script}.json")
    if script in sections.READ_OF_A_TASK:
        told.append(f"data/settings/{script}/${{key}}.json")
    assert [dep for dep in deps if dep.startswith(("data/code", "data/settings"))] == told
    assert {dep for dep in deps if dep.startswith("pipeline")} <= {"pipeline/nets/${item.arch}.py", "pipeline/report/web"}


def test_what_data_code_lists_is_what_a_stage_loads(monkeypatch):
    """The other way round: what Python has loaded once it has imported the script, and what is imported in functions."""
    monkeypatch.chdir(ROOT)
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines()}
    later = {"ingest": {"pipeline/images/faces.py", "pipeline/images/cascade.py"}}
    later |= dict.fromkeys(("bench", "evaluate", "page", "report", "settings"), COMPUTING)
    listed = {path.stem: set(value) for path, value in code.contents().items()}
    unlisted = {path.as_posix() for path in code.NOT_TRACKED}
    assert listed == {script: files - unlisted | later.get(script, set()) for script, files in loaded.items()}


def test_what_imports_do_not_tell(monkeypatch):
    """Networks, by name: a dep of their own. Packages: empty. Nothing is imported relatively, which would not be followed."""
    texts = {file.relative_to(ROOT).as_posix(): file.read_text() for file in (ROOT / "pipeline").rglob("*.py")}
    by_name = {name for name, text in texts.items() if re.search(r"import_module|__import__|runpy|\bexec\(|spec_from", text)}
    assert by_name == {"pipeline/nets/build.py", "pipeline/export/onnx_graph.py"}  # the latter: optional packages
    assert {name for name, text in texts.items() if name.endswith("__init__.py") and text} == {
        "pipeline/__init__.py", "pipeline/cli/__init__.py"}
    assert not [name for name, text in texts.items() if re.search(r"^\s*from \.", text, re.MULTILINE)]
    for group in GRAPH:
        section = GRAPH[group].get("foreach", "").strip("${}")
        entry = get_args(Params.model_fields[section].annotation)[1] if section else None
        built = entry and "arch" in entry.model_fields
        assert ("pipeline/nets/${item.arch}.py" in deps_of(group)) == bool(built), group


@pytest.fixture(scope="module")
def unedited() -> dict[Path, dict[str, str]]:
    """What the stage `code` writes of the project as it is."""
    with chdir(ROOT):
        return code.contents()


@pytest.mark.parametrize("file, scripts", [
    ("train/loop.py", {"stage1", "stage2", "cyclegan", "rbsr", "srgan"}), ("report/page.py", {"page"}),
    ("train/methods/supervised.py", {"stage1", "stage2", "srgan"}), ("train/methods/stage2.py", {"stage2", "srgan"}),
    ("train/adversary.py", {"stage2", "srgan", "rbsr"}), ("train/methods/cyclegan.py", {"cyclegan"}),
    ("degrade/moire/lens.py", {"builtin", "synthesize"}), ("images/faces.py", {"ingest"}), ("stages/stage1.py", {"stage1"}),
    ("core/params.py", set()), ("cli/check.py", set()), ("nets/edsr.py", set()), ("report/web/page.css", set())])
@pytest.mark.parametrize("text", ["\n", "\n)"])
def test_an_edit_changes_the_files_of_what_imports_it(unedited, tmp_path, monkeypatch, file, scripts, text):
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    with open(tmp_path / "pipeline" / file, "a") as handle:
        handle.write(text)  # with the second it is no Python any more: those that do not import it can still run
    after = code.contents()
    assert {path.stem for path in unedited if unedited[path] != after[path]} == scripts
    assert all(f"pipeline/{file}" in unedited[Path(f"data/code/{script}.json")] for script in scripts)


MADE = {"page"} | {f"{stage}/{task}" for stage in ("evaluate", "select") for task in ("sr", "demoire", "blindsr", "deblur")}
"""The files of the stages that ask what made what."""


@pytest.mark.parametrize("section, change, files", [
    ("select", {"metric": "swd"}, {"select/sr", "select/demoire", "select/blindsr", "select/deblur", "page", "report"}),
    ("stage2", {"lambda": 0.1}, MADE),
    ("labels", {"sr-edsr-round2": {"network": "sr-edsr", "inputs": "sets/sr-captures", "ensemble": True}}, MADE),
    ("recipes", {"bicubic": {"kind": "bicubic", "fitted_with_truth": True}}, MADE),
    ("sets", {"twin": {"folder": "a", "video_every": 0, "faces": []}}, MADE | {"folders"}),
    ("bench", {"border": 5}, {"bench", "evaluate/sr", "evaluate/demoire", "evaluate/blindsr", "evaluate/deblur", "page"}),
    ("tasks", {"sr": {"title": "other"}}, {"evaluate/sr", "select/sr", "page", "report"}),
    ("ingest", {"max_rejected": 1}, set())])
def test_a_changed_param_changes_the_files_of_what_reads_it(tmp_path, monkeypatch, section, change, files):
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(values))
    before = sections.contents()
    values[section] |= change
    Path("params.yaml").write_text(yaml.safe_dump(values))
    after = sections.contents()
    changed = {path for path in before if before[path] != after[path]}
    assert {path.relative_to("data/settings").with_suffix("").as_posix() for path in changed} == files


@pytest.mark.parametrize("script, handed", [("folders", sections.READ["folders"]), ("page", sections.READ["page"]),
                                            ("evaluate", [*sections.READ_OF_A_TASK["evaluate"], "tasks"]),
                                            ("select", [*sections.READ_OF_A_TASK["select"], "tasks"])])
def test_sections_that_a_stage_reads_are_handed_to_it(script, handed, monkeypatch):
    """Those that read most of what the modules they import name."""
    monkeypatch.chdir(ROOT)
    module = f"pipeline.stages.{script}"
    text = "".join(file.read_text() for file in imported([module])[module] - code.NOT_TRACKED)
    used = set(re.findall(r"\b(?:params|p|load\(\))\.(?=([a-z0-9]+)\b)", text)) & set(Params.model_fields)
    assert used and used <= set(handed)


def test_curves_are_handed_every_section_of_trainings():
    names = inspect.getsource(Params.network_names) + inspect.getsource(Params._networks_by_section)
    asked = set(re.findall(r"self\.([a-z0-9]+)\b", names)) & set(Params.model_fields)
    assert asked == {*sections.READ["curves"], "imports", "adabn", "zssr"}  # these have no curve


def test_imports_run_one_way():
    order = ["core", "images", "nets", "degrade", "score", "compare", "restore", "train", "report", "export", "check", "stages",
             "cli"]
    level = {name: i for i, name in enumerate(order)} | {"nets": 1, "score": 3, "restore": 3}
    for file in (ROOT / "pipeline").glob("*/**/*.py"):
        place = file.relative_to(ROOT / "pipeline").parts[0]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pipeline."):
                other = node.module.split(".")[1]
                assert level[other] <= level[place], f"{file.relative_to(ROOT)} imports {node.module}"


@pytest.mark.parametrize("stage", ["code", "settings", "builtin", "folders", "ingest", "synthesize", "tests", "evaluate",
                                   "select", "page", "report"])
def test_stages_that_need_no_torch_do_not_import_it(stage):
    script = f"import sys, pipeline.stages.{stage}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


def test_pandas_is_imported_where_tables_are_made_and_read_alone(monkeypatch):
    """Importing it takes half a second, as long as the whole start of such a stage, or of restoring a photo."""
    monkeypatch.chdir(ROOT)
    modules = [f"pipeline.{path.parent.name}.{path.stem}" for folder in ("stages", "commands")
               for path in Path("pipeline", folder).glob("[!_]*.py")]
    found = {module.removeprefix("pipeline.") for module, files in imported(modules).items()
             if any(re.search(r"^ *(import|from) pandas\b", path.read_text(), re.MULTILINE) for path in files)}
    assert found == {f"stages.{name}" for name in ("calibrate", "curves", "evaluate", "page", "report")} | {
        f"commands.{name}" for name in ("export", "likeness", "page", "picture", "seeds")}  # picture: by report.gallery
    script = "import sys, pipeline.stages.bench, pipeline.cli; sys.exit('pandas' in sys.modules)"  # nor by another package
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_no_stage_of_training_or_labelling_sees_the_truth():
    for group in ("stage1", "surrogates", "stage2", "gan", "adabn", "label", "cyclegan", "rbsr", "srgan", "zssr"):
        assert not [dep for dep in GRAPH[group]["do"]["deps"] if "truth" in dep]
    told, *seen = deps_of("zssr")
    assert told == "data/code/zssr.json"
    assert seen == [f"data/tests/${{item.tests}}/{name}/inputs" for name in get_args(settings.TestSet)]
    assert deps_of("select") == ["data/code/select.json", "data/settings/select/${key}.json", "data/blind/${key}"]
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
    assert "tests" in sections.READ_OF_A_TASK["evaluate"]


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
