"""dvc.yaml against the code: a stage depends on exactly the modules it imports and the params it reads."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest
import warm
import yaml
from conftest import ROOT, with_presets
from dvc.repo import Repo

from pipeline.core import entries, settings
from pipeline.core.graph import graph
from pipeline.core.imports import imported
from pipeline.core.params import Params, load
from pipeline.images import test_sets
from pipeline.stages import code, index
from pipeline.stages import settings as sections

GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def script_of(group: str) -> str:
    stage = GRAPH[group].get("do", GRAPH[group])
    return re.match(r"python -m pipeline\.stages\.(\w+)", stage["cmd"]).group(1)


def deps_of(group: str) -> list[str]:
    return GRAPH[group].get("do", GRAPH[group])["deps"]


@pytest.mark.parametrize("group", sorted(GRAPH.keys() - {"code"}))
def test_a_stage_depends_on_its_code_and_on_what_it_reads_of_params(group):
    script, deps, section = script_of(group), deps_of(group), GRAPH[group].get("foreach", "").strip("${}")
    told = [f"data/code/{script}.json"]
    if group in {**sections.READ, **sections.LISTED}:
        told.append(f"data/settings/{group}.json")
    if group in {**sections.READ_OF_A_TASK, **sections.LISTED_OF_A_TASK}:
        told.append(f"data/settings/{group}/${{key}}.json")
        assert section == "tasks"
    if group in sections.GROUPS:
        told.append(f"data/settings/{group}/${{key}}.json")
        assert section == sections.GROUPS[group][0]
    if section and "arch" in entry_of(section).model_fields:
        told.append("data/code/nets/${item.arch}.json")
    assert [dep for dep in deps if dep.startswith(("data/code", "data/settings"))] == told
    assert len(told) > 1 or group == "settings" and "params.yaml" in deps
    assert {dep for dep in deps if dep.startswith("pipeline")} <= {"pipeline/report/web"}
    shared = set(GRAPH[group].get("do", GRAPH[group]).get("params", ()))  # without a key: as `dvc params diff` shows them
    assert shared <= set(Params.model_fields) | {"${item.settings}"}


def entry_of(section: str) -> type:
    """The class of a section's entries."""
    return get_args(Params.model_fields[section].annotation)[1]


def test_dvc_names_no_field_that_has_a_default():
    """Its templates know none: where an entry leaves the field out, DVC fails with its own words."""
    for group, stage in GRAPH.items():
        named = set(re.findall(r"\$\{item\.(\w+)\}", yaml.safe_dump(stage)))
        for field in named:
            assert entry_of(stage["foreach"].strip("${}")).model_fields[field].is_required(), (group, field)


VALUES = yaml.safe_load((ROOT / "params.yaml").read_text())
TASKS = ("sr", "demoire", "blindsr", "deblur")
EVALUATED = {*(f"evaluate/{task}" for task in TASKS), "page"}
MADE = EVALUATED | {f"select/{task}" for task in TASKS}
"""The files of the stages that ask what made what."""
STAGE2 = {"finetune/sr-edsr-round2"} | {f"{kind}/{system}" for kind in ("stage2", "gan") for system in VALUES["systems"]}
BENCH = {f"bench/{row}" for row in VALUES["rows"]} | {f"bench-system/{system}" for system in VALUES["systems"]}


def names(paths) -> set[str]:
    return {Path(path).relative_to("data/settings").with_suffix("").as_posix() for path in paths}


@pytest.mark.parametrize("section, change, files", [
    ("select", {"metric": "swd"}, MADE - EVALUATED | {"page", "report"}),
    ("stage1", {"lr": 0.1}, {f"stage1/{network}" for network in VALUES["networks"]} | MADE),
    ("stage2", {"lambda": 0.1}, STAGE2 | MADE),
    ("supervised", {"steps": 3}, {"oracle/sr-edsr-oracle", "oracle/demoire-dmnet-oracle"} | MADE),
    ("labels", {"sr-edsr-round2": {"network": "sr-edsr", "inputs": "sets/sr-captures", "self_ensemble": True}},
     {"label/sr-edsr-round2"} | MADE),
    ("recipes", {"bicubic": {"kind": "bicubic", "fitted_with_truth": True}},
     {"synthesize/sr-bicubic", "synthesize/blindsr-x4", "synthesize/blindsr-x2"} | MADE),
    ("sets", {"twin": {"folder": "a"}}, {"folders", "index-page", *(f"index/{task}" for task in TASKS)} | MADE),
    ("sets", {"sr-truth": VALUES["sets"]["sr-truth"] | {"folder": "data/none"}}, {"folders", "ingest/sr-truth"} | EVALUATED),
    ("sets", {"clean": VALUES["sets"]["clean"] | {"folder": "data/builtin/sr-truth"}}, {"folders", "ingest/clean"} | MADE),
    ("bench", {"border": 5}, BENCH | EVALUATED),
    ("tasks", {"sr": {"title": "other"}}, {"evaluate/sr", "select/sr", "page", "report"}),
    ("ingest", {"max_rejected": 1}, {f"ingest/{name}" for name in VALUES["sets"]}),
    ("rows", {"sr-input": VALUES["rows"]["sr-input"] | {"published": {"psnr": 1}}}, MADE),
    ("far", {"sr": {"captures": "sr-far", "truth": "none"}}, {"far/sr"} | MADE),
    ("oracles", {"sr-edsr-oracle": VALUES["oracles"]["sr-edsr-oracle"] | {"truth": "sr-captures/truth"}},
     {"oracle/sr-edsr-oracle"} | MADE)])
def test_a_changed_param_changes_the_files_of_what_reads_it(tmp_path, monkeypatch, section, change, files):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(VALUES))
    before = sections.contents()
    Path("params.yaml").write_text(yaml.safe_dump(VALUES | {section: VALUES[section] | change}))
    after = sections.contents()
    assert names(path for path in before if before[path] != after[path]) == files


def contents_of(folder: Path) -> dict[str, dict]:
    """What the stage `settings` of the code in a folder writes of the params.yaml there."""
    script = ("import json; from pipeline.stages.settings import contents; "
              "print(json.dumps({str(path): value for path, value in contents().items()}))")
    done = subprocess.run(["python", "-c", script], cwd=folder, check=True, capture_output=True, text=True,
                          env=os.environ | warm.environment())
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def as_it_is() -> dict[str, dict]:
    return contents_of(ROOT)


MOIRE = {"synthesize/demoire", "builtin/demo", "folders"} | MADE


@pytest.mark.parametrize("file, old, new, files", [
    ("settings", '    """Stage 2: a network', '    clip: NonNegative = 0.25\n    """Stage 2: a network', STAGE2 | MADE),
    ("settings", "    d_real: Annotated[float, Field(gt=0.5, le=1)] = 0.9", "    d_real: float = 0.8\n    d_new: int = 1",
     STAGE2 | MADE),
    ("settings", "    betas: tuple[Fraction, Fraction] = (0.9, 0.99)", "    betas: tuple[Fraction, Fraction] = (0.9, 0.9)",
     STAGE2 | MADE | {f"stage1/{network}" for network in VALUES["networks"]} | {f"oracle/{key}" for key in VALUES["oracles"]}),
    ("sources", "    multiple: Count = 1", "    multiple: Count = 2",
     {f"synthesize/{key}" for key in VALUES["pairs"] if key != "blindsr-x2"} | MADE),
    ("sources", "    size: Count = 128", "    size: Count = 64",
     {f"ingest/{key}" for key in VALUES["sets"]} | {"folders"} | EVALUATED),
    ("moire", "= (0.8, 1.5)", "= (0.8, 1.6)", MOIRE),
    ("entries", "    match_tone: bool = False", "    match_tone: bool = True",
     {name for name in BENCH if "demoire" not in name} | MADE),
    ("entries", "    match_tone: bool", "    about: str = ''\n    match_tone: bool", BENCH | MADE),
])
def test_a_changed_default_changes_the_files_of_what_it_touches_and_no_other(as_it_is, tmp_path, file, old, new, files):
    """By an edit of the code, as a default changes."""
    # with what Python has compiled, for all files but the edited one, and without what it is about to write
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("*.pyc.*"))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    path = tmp_path / "pipeline/core" / f"{file}.py"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    after = contents_of(tmp_path)
    assert after.keys() == as_it_is.keys()
    assert names(path for path in after if after[path] != as_it_is[path]) == files


@pytest.mark.parametrize("presets", [(), ("p2", "all"), ("optics",), ("paper",)], ids="+".join)
def test_a_default_that_is_written_out_changes_no_file(tmp_path, monkeypatch, presets):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(with_presets(*presets))
    before, p = sections.contents(), load()
    written = yaml.safe_dump(p.resolved())
    assert len(written.splitlines()) > 100 + len(yaml.safe_dump(yaml.safe_load(with_presets(*presets))).splitlines())
    Path("params.yaml").write_text(written)
    assert sections.contents() == before


@pytest.mark.parametrize("script, handed", [("folders", sections.READ["folders"]), ("page", sections.READ["page"]),
                                            ("evaluate", [*sections.READ_OF_A_TASK["evaluate"], "tasks"]),
                                            ("select", [*sections.READ_OF_A_TASK["select"], "tasks", "sets"])])
def test_sections_that_a_stage_reads_are_handed_to_it(script, handed, monkeypatch):
    """Those that read most of what the modules they import name. A choice is handed what the graph makes of the sets."""
    monkeypatch.chdir(ROOT)
    module = f"pipeline.stages.{script}"
    text = "".join(file.read_text() for file in imported([module])[module] - code.NOT_TRACKED)
    used = set(re.findall(r"\b(?:params|p|load\(\))\.(?=([a-z0-9]+)\b)", text)) & set(Params.model_fields)
    assert used and used <= set(handed)


def test_lists_hold_what_is_read_of_the_entries_that_are_there():
    """And a list of what a choice may see names nothing that knows the truth."""
    p = load(ROOT / "params.yaml")
    lineage = graph(p)
    for task in p.tasks:
        assert index.entries(p, task) == sorted(lineage.entries(task))
        assert all(path.startswith(f"data/blind/{task}/") for path in index.of_blind(p, task))
    outs = {Path(out.def_path) for stage in Repo(ROOT).index.stages for out in stage.outs}
    found = {Path(path) for path in index.of_page(p)}
    assert found <= outs
    assert found == {out for out in outs if out.parts[:2] in
                     [*(("data", name) for name in ("bench", "calibrations", "contents", "crops")),
                      *(("metrics", name) for name in ("curves", "images", "select"))]}


def test_no_stage_of_training_or_labelling_sees_the_truth():
    for group in ("stage1", "surrogates", "stage2", "gan", "adabn", "label", "finetune", "cyclegan", "rbsr", "srgan", "zssr",
                  "chain", "ensemble"):
        assert not [dep for dep in GRAPH[group]["do"]["deps"] if "truth" in dep]
    assert deps_of("zssr") == ["data/code/zssr.json", "data/settings/zssr/${key}.json", "data/tests/${item.tests}/inputs"]
    for name in get_args(settings.TestSet):
        assert test_sets.folder_of(Path("data/tests/x"), "targets", name).is_relative_to("data/tests/x/targets")
    assert deps_of("select") == ["data/code/select.json", "data/settings/select/${key}.json", "data/index/${key}/blind.json"]
    p = load(ROOT / "params.yaml")
    truths = {entry.truth for entry in (*p.tests.values(), *p.far.values())} - {"none"}
    assert truths == {f"{task}-{name}" for task in ("sr", "demoire") for name in ("truth", "far-truth")}
    assert {entry.truth for entry in p.oracles.values()} <= truths
    read = [(entry.inputs, entry.targets, f"sets/{entry.clean}") for entry in p.finetunes.values()]
    read += [(entry.inputs,) for entry in p.labels.values()] + [(entry.inputs, entry.targets) for entry in p.networks.values()]
    read += [(f"sets/{entry.captures}", f"sets/{entry.clean}") for entry in p.systems.values()]
    read += [(f"sets/{entry.captures}",) for entry in p.adabn.values()]
    assert not p.cyclegans and not p.rbsr  # presets have them
    assert not {f"sets/{name}" for name in truths} & {path for paths in read for path in paths}


def test_dvc_reads_the_graph():
    listing = subprocess.run(["dvc", "stage", "list", "--name-only"], cwd=ROOT, capture_output=True, text=True,
                             env=os.environ | warm.environment())
    assert listing.returncode == 0, listing.stderr
    assert {"stage1@sr-edsr", "bench-system@sr-edsr", "evaluate@sr", "select@sr", "report"} <= set(listing.stdout.split())


@pytest.mark.parametrize("section, key, one, other, file", [
    ("chains", "deblur-7-map-net9", "first", "then", "chain/deblur-7-map-net9"),
    ("ensembles", "mean", "first", "second", "ensemble/mean"),
    ("oracles", "sr-edsr-oracle", "captures", "truth", "oracle/sr-edsr-oracle"),
    ("networks", "blindsr-map", "inputs", "targets", "stage1/blindsr-map"),
    ("systems", "sr-edsr", "captures", "clean", "stage2/sr-edsr"),
    ("tests", "sr", "captures", "truth", "tests/sr"),
    ("far", "sr", "captures", "truth", "far/sr"),
    ("calibrations", "sr", "captures", "clean", "calibrate/sr"),
    ("fits", "fit", "captures", "clean", "fit/fit"),
])
def test_an_order_that_deps_cannot_tell_is_in_the_settings(tmp_path, monkeypatch, section, key, one, other, file):
    """DVC compares deps as a set: swapping two of an entry's names changes none of them."""
    monkeypatch.chdir(tmp_path)
    fit = {"recipe": "random", "captures": "sr-captures", "clean": "clean", "scale": 4, "parameters": ["blur_sigma"]}
    values = VALUES | {"ensembles": {"mean": {"first": "sr-edsr", "second": "sr-edsr-bicubic"}}, "fits": {"fit": fit}}
    entry = values[section][key]
    found = []
    for first, second in ((one, other), (other, one)):
        swapped = values[section] | {key: entry | {one: entry[first], other: entry[second]}}
        Path("params.yaml").write_text(yaml.safe_dump(values | {section: swapped}))
        found.append(sections.contents()[sections.SETTINGS / f"{file}.json"])
    assert found[0] != found[1]


def test_what_tests_ask_of_the_scores_is_in_the_settings_of_all_rows(tmp_path, monkeypatch):
    """The sets that an entry names are deps already."""
    monkeypatch.chdir(ROOT)
    asked = set(entries.Tests.model_fields) - {"synthetic", "captures", "truth", "reference"}
    found = sections.contents()
    for name in BENCH:
        assert asked <= found[sections.SETTINGS / f"{name}.json"].keys()
    assert found[sections.SETTINGS / "bench/demoire-input.json"]["match_tone"] is True
    assert "tests" in sections.READ_OF_A_TASK["evaluate"]


@pytest.mark.parametrize("make, found", [(None, "nothing"), (Path.touch, "a file")])
def test_a_missing_folder_names_the_param(tmp_path, make, found):
    if make:
        make(tmp_path / "photos")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for entry in values["sets"].values():
        entry["folder"] = str(tmp_path)
    values["sets"]["sr-captures"]["folder"] = str(tmp_path / "photos")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    env = os.environ | {"PYTHONPATH": str(ROOT)} | warm.environment()
    command = ["python", "-m", "pipeline.stages.folders"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1 and not (tmp_path / "data").exists()
    assert done.stderr.startswith("folders: sets.sr-captures.folder: wanted a folder of images, or data/none;")
    assert done.stderr.strip().endswith(f"is {found}")
