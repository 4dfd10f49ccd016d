import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, with_presets

from pipeline.core.params import parse
from pipeline.core.presets import difference, merge

TEXT = """\
# the head
one: 1  # about one
names:
  first:
    a: 1
    list: [1, 2]  # about the list
  second:
    a: 2

# about the tail
tail:
  only:
    x: 1
"""


def test_values_are_replaced_and_comments_stay():
    merged = merge(TEXT, "one: 2\nnames: {first: {list: [3]}}")
    # a comment keeps its column
    assert merged == TEXT.replace("one: 1 ", "one: 2 ").replace("[1, 2]  #", "[3]     #")


def test_null_removes_the_key_and_only_it():
    assert merge(TEXT, "names: {second: null}") == TEXT.replace("  second:\n    a: 2\n", "")
    assert merge(TEXT, "tail: {only: null}") == TEXT.replace("tail:\n  only:\n    x: 1\n", "tail: {}\n")
    emptied = merge(TEXT, "names: {first: null, second: null}")
    assert emptied.endswith("names: {}\n\n# about the tail\ntail:\n  only:\n    x: 1\n")
    assert "tail" not in yaml.safe_load(merge(TEXT, "tail: null"))
    assert merge(TEXT, "names: {third: null}") == TEXT


def test_new_keys_come_after_their_sisters():
    merged = merge(TEXT, "names: {third: {a: 3, b: {c: 4}}}")
    assert merged == TEXT.replace("    a: 2\n", "    a: 2\n  third:\n    a: 3\n    b:\n      c: 4\n")
    assert yaml.safe_load(merge(TEXT, "new: {x: 1}"))["new"] == {"x": 1}
    assert yaml.safe_load(merge("a: {b: 1}\n", "a: {c: 2, b: null}")) == {"a": {"c": 2}}
    text = "a:\n  b: {}  # about b\n# about c\nc: 1\n"
    merged = "a:\n  b:  # about b\n    x:\n      y: 1\n# about c\nc: 1\n"
    assert merge(text, "a: {b: {x: {y: 1}}}") == merged
    assert merge(text.replace("b: {}  # about b", "b: {}"), "a: {b: {x: {y: 1}}}") == merged.replace("  # about b", "")
    replaced = merge(TEXT, "tail: {only: null, other: {x: 2}}")
    assert replaced == TEXT.replace("  only:\n    x: 1\n", "  other:\n    x: 2\n")


def test_the_entries_of_a_task_can_be_removed_from_all_sections():
    text = "seed: 1\nsets:\n  sr: {a: 1}\n  sr-far: {a: 1}\n  srx: {a: 1}\nrows:\n  sr-input: {a: 1}\n"
    preset = "without: [sr]\nrows: {sr-other: {a: 2}, sr-input: {b: 3}}"
    merged = merge(text, preset)
    rows = {"sr-other": {"a": 2}, "sr-input": {"b": 3}}
    assert yaml.safe_load(merged) == {"seed": 1, "sets": {"srx": {"a": 1}}, "rows": rows}
    assert list(yaml.safe_load(merged)["rows"]) == ["sr-other", "sr-input"]  # as the preset has them, not where they stood
    assert merge(merged, preset) == merged


def test_a_preset_twice_is_a_preset_once():
    preset = "one: 5\nnames: {second: null, third: {a: 1}}"
    assert merge(merge(TEXT, preset), preset) == merge(TEXT, preset)


def test_params_come_back_as_they_are():
    text = (ROOT / "params.yaml").read_text()
    assert merge(text, "{}") == text


def test_the_difference_names_each_value():
    before, after = yaml.safe_load(TEXT), yaml.safe_load(merge(TEXT, "one: 2\nnames: {second: null, third: {a: 3}}"))
    assert difference(before, after) == ["one: 1 -> 2", "names.second: removed", "names.third: added, {'a': 3}"]


ON_TOP_OF = {"bsds": "p2", "city100": "optics", "uhdm": "demoire", "p2-paper": "p2"}


@pytest.mark.parametrize("preset", sorted(path.stem for path in (ROOT / "presets").glob("*.yaml")))
def test_every_preset_gives_valid_params(preset):
    before = (ON_TOP_OF[preset],) if preset in ON_TOP_OF else ()
    text, merged = with_presets(*before), with_presets(*before, preset)
    parse(yaml.safe_load(merged))
    assert merged != text
    headings = [line for line in text.splitlines() if line.startswith("# ")]
    assert [line for line in headings if line not in merged.splitlines()] == []


def test_smoke_has_every_group_of_stages_in_at_most_30(tmp_path):
    def stages(folder):
        listing = subprocess.run([Path(sys.executable).with_name("dvc"), "stage", "list", "--name-only"], cwd=folder,
                                 check=True, capture_output=True, text=True, env=os.environ | {"DVC_NO_ANALYTICS": "1"})
        return listing.stdout.split()

    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(with_presets("smoke"))
    smoke = stages(tmp_path)
    assert {name.split("@")[0] for name in smoke} == {name.split("@")[0] for name in stages(ROOT)} | {"adabn"}
    assert len(smoke) <= 30


def test_paper_is_the_papers_size():
    params = parse(yaml.safe_load(with_presets("paper")))
    assert params.networks["sr-edsr"].options == {"scale": 4, "blocks": 16, "features": 64, "start": "random"}
    assert params.networks["sr-srresnet"].options == {"scale": 4, "blocks": 16, "features": 64, "start": "random"}
    srresnet = params.stage1_of("sr-srresnet")
    assert (srresnet.loss, srresnet.steps, srresnet.patch, srresnet.schedule) == ("mse", 1_000_000, 24, "constant")
    assert (params.stage1.batch, params.stage1.steps, params.stage1.loss) == (16, 300_000, "l1")
    assert (params.stage2.batch, params.stage2.steps, params.stage2.d_features) == (32, 30_000, 64)
    dncnn = params.stage1_of("demoire-dncnn")
    assert (dncnn.batch, dncnn.patch, dncnn.lr, dncnn.schedule) == (128, 40, 1e-3, "tenth")
    assert params.networks["demoire-rednet"].options == {"layers": 30, "features": 64, "start": "random"}
    assert {params.systems[f"demoire-{name}"].start for name in ("dmnet", "dncnn", "rednet")} == {
        "demoire-dmnet", "demoire-dncnn", "demoire-rednet"}
    assert params.stage2_of("demoire-rednet") == params.stage2_of("demoire-dmnet") == params.finetune_of("demoire-dncnn-round3")
    assert (params.stage2_of("demoire-dmnet").batch, params.stage1_of("demoire-dmnet").batch) == (32, 32)
    assert params.sets["clean"].faces[0] == 4 * params.sets["sr-captures"].faces[0] == 4 * params.stage1.patch
    assert params.sets["demoire-captures"].patches == 10_000 and params.pairs["demoire"].patches == 40_000
    assert not [key for key, entry in params.systems.items() if entry.task == "demoire" and entry.clean == "clean"]  # faces
    cyclegan = params.cyclegans["demoire-cyclegan"]
    assert cyclegan.options == {"blocks": 9, "features": 64, "residual": False}
    assert (cyclegan.settings.batch, cyclegan.settings.lr, cyclegan.settings.betas) == (1, 2e-4, (0.5, 0.999))
    assert (cyclegan.settings.cycle, cyclegan.settings.identity, cyclegan.settings.pool) == (10, 0.5, 50)


def test_p2_paper_is_that_papers_size():
    params = parse(yaml.safe_load(with_presets("p2", "p2-paper")))
    size = {"scale": 4, "groups": 10, "blocks": 8, "features": 64, "reduction": 16, "start": "random"}
    assert params.networks["blindsr-direct-rcan"].options == size
    assert params.networks["blindsr-map2"].options == size | {"scale": 2}
    assert params.networks["blindsr-x4"].options == {"scale": 4, "blocks": 8, "features": 64, "start": "random"}
    for settings in (params.stage1_of("blindsr-map"), params.finetune_of("blindsr-x4-specialised")):
        assert (settings.batch, settings.patch, settings.steps, settings.halve_every) == (8, 96, 150_000, 50_000)
        assert settings.betas == (0.9, 0.99) and settings.lr == 1e-4 and settings.schedule == "halve"
