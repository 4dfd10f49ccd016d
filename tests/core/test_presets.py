import os
import shutil
import subprocess

import pytest
import warm
import yaml
from conftest import ROOT, with_presets

from pipeline.core import yaml_text
from pipeline.core.params import parse
from pipeline.core.presets import difference, merge
from pipeline.nets.build import build

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


def test_values_in_braces_change_alone_and_comments_keep_their_column():
    text = "s: {a: 1, b: 2}    # here\nas:\n    it: {is:   1}\n"
    assert merge(text, "s: {b: 33}") == text.replace("b: 2}    #", "b: 33}   #")
    assert merge(text, "s: {a: 1000, b: 'x, y'}") == text.replace("a: 1, b: 2}    #", "a: 1000, b: 'x, y'} #")  # no room
    quoted = "s: 'a  # b'    # here\nt: {x: ' #', y: 1} # t\n"
    assert merge(quoted, "{s: c, t: {y: 2}}") == "s: 'c'         # here\nt: {x: ' #', y: 2} # t\n"


@pytest.mark.parametrize("change", [
    {"a": {"c": None, "e": [1, {"f": 2}]}}, {"long": "short", "list": [3]}, {"list": 3, "a": {"b": "x\n\ny"}}, {"two": 5},
    {"one": {"k": 2}, "two": {"k": 2}}, {"new": {"x": {}}, "a": {"b": None}}, {"fold": 1, "list": None}, {"none": {"k": 1}}])
def test_whatever_stands_there_the_values_are_those_that_were_asked_for(change):
    text = ("a: {b: 1, c: {d: 2}}\nlong: |\n  x\n  y\nlist:\n- 1\nfold: several\n  lines\nnone:\n"
            "one: &one {k: 1}\ntwo: *one\n")
    wanted = yaml.safe_load(text)
    for section, value in change.items():
        if isinstance(value, dict) and isinstance(there := wanted.get(section), dict):
            value = {key: new for key, new in (there | value).items() if new is not None}
        wanted[section] = value
    wanted = {section: value for section, value in wanted.items() if section == "none" or value is not None}
    assert yaml.safe_load(merge(text, yaml.safe_dump(change))) == wanted


@pytest.mark.parametrize("wrong", [lambda text, changes: text, lambda text, changes: text + "s: ["])
def test_an_edit_by_lines_that_comes_out_otherwise_is_left_to_ruamel(monkeypatch, wrong):
    text = "s: {a: 1}\nt:\n  b: 2\n  c: 3\n"
    monkeypatch.setattr(yaml_text, "_by_lines", wrong)
    assert yaml.safe_load(merge(text, "{s: {a: 5}, t: {b: null, d: 4}}")) == {"s": {"a": 5}, "t": {"c": 3, "d": 4}}


def test_the_entries_of_a_task_can_be_removed_from_all_sections():
    text = "seed: 1\nsets:\n  sr: {a: 1}\n  sr-far: {a: 1}\n  srx: {a: 1}\nrows:\n  sr-input: {a: 1}\n"
    preset = "without: [sr]\nrows: {sr-other: {a: 2}, sr-input: {b: 3}}"
    merged = merge(text, preset)
    rows = {"sr-other": {"a": 2}, "sr-input": {"b": 3}}
    assert yaml.safe_load(merged) == {"seed": 1, "sets": {"srx": {"a": 1}}, "rows": rows}
    assert list(yaml.safe_load(merged)["rows"]) == ["sr-other", "sr-input"]  # as the preset has them, not where they stood
    assert merge(merged, preset) == merged


def test_a_star_stands_for_every_key_that_is_there_and_adds_none():
    merged = merge(TEXT, 'names: {"*": {a: 5, b: 6}}')
    assert merged == TEXT.replace("a: 1", "a: 5").replace("a: 2", "a: 5")
    text = "s:\n  x: {deep: {n: 1, m: [1]}, n: 2}\n  y: {n: 3}\n  z: {deep: 4}\n"
    assert yaml.safe_load(merge(text, 's: {"*": {deep: {n: 9}, m: 1}}'))["s"] == {
        "x": {"deep": {"n": 9, "m": [1]}, "n": 2}, "y": {"n": 3}, "z": {"deep": 4}}
    assert merge("s: {}\n", 's: {"*": {n: 1}}') == "s: {}\n"


def test_what_a_preset_says_by_name_comes_on_top_of_a_star():
    text = "s:\n  x: {a: {n: 1, m: 1}, k: 1}\n  y: {a: {n: 1, m: 1}, k: 1}\n"
    merged = yaml.safe_load(merge(text, 's: {"*": {a: {n: 2, m: 2}}, x: {a: {m: 3, new: 4}}, z: {k: 5}}'))
    x, y = {"a": {"n": 2, "m": 3, "new": 4}, "k": 1}, {"a": {"n": 2, "m": 2}, "k": 1}
    assert merged == {"s": {"x": x, "y": y, "z": {"k": 5}}}
    assert yaml.safe_load(merge(text, 's: {"*": {k: null}}')) == {"s": {name: {"a": {"n": 1, "m": 1}} for name in "xy"}}
    after_without = yaml.safe_load(merge("s:\n  x: {k: 1}\n  y: {k: 1}\n", 'without: [x]\ns: {"*": {k: 2}}'))
    assert after_without == {"s": {"y": {"k": 2}}}


def test_a_preset_twice_is_a_preset_once():
    preset = "one: 5\nnames: {second: null, third: {a: 1}}"
    assert merge(merge(TEXT, preset), preset) == merge(TEXT, preset)


def test_params_come_back_as_they_are():
    text = (ROOT / "params.yaml").read_text()
    assert merge(text, "{}") == text


def test_the_difference_names_each_value():
    before, after = yaml.safe_load(TEXT), yaml.safe_load(merge(TEXT, "one: 2\nnames: {second: null, third: {a: 3}}"))
    assert difference(before, after) == ["one: 1 -> 2", "names.second: removed", "names.third: added, {'a': 3}"]


PRESETS = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml"))
ON_TOP_OF = {"bsds": "p2", "city100": "optics", "uhdm": "demoire", "starter-screen": "demoire", "p2-paper": "p2"}


def before_and(preset: str) -> tuple[str, ...]:
    return (*((ON_TOP_OF[preset],) if preset in ON_TOP_OF else ()), preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_gives_valid_params(preset):
    presets = before_and(preset)
    text, merged = with_presets(*presets[:-1]), with_presets(*presets)
    parse(yaml.safe_load(merged))
    assert merged != text
    headings = [line for line in text.splitlines() if line.startswith("# ")]
    assert [line for line in headings if line not in merged.splitlines()] == []


@pytest.mark.parametrize("presets", [*(before_and(name) for name in PRESETS), ("p2", "all")], ids="+".join)
def test_tiny_shortens_every_training_and_set_of_any_preset_and_changes_nothing_else(presets):
    before, after = (yaml.safe_load(with_presets(*presets, *more)) for more in ((), ("tiny",)))
    p = parse(after)
    trainings = [p.stage1, p.stage2, p.supervised, *map(p.stage1_of, p.networks), *map(p.stage2_of, p.systems),
                 *map(p.supervised_of, p.oracles), *map(p.finetune_of, p.finetunes)]
    trainings += [entry.settings for entry in (*p.cyclegans.values(), *p.rbsr.values(), *p.srgan.values())]
    assert all(training.steps <= 4 and training.batch <= 2 and training.patch <= 32 for training in trainings)
    assert all(warmup <= 1 for training in trainings if (warmup := getattr(training, "d_warmup", 0)))
    assert all(entry.patches <= 8 for entry in (*p.pairs.values(), *p.sets.values()))
    for network in (*p.networks.values(), *p.cyclegans.values(), *p.rbsr.values()):
        build(network.arch, network.options)
    for section, entries in before.items():
        if isinstance(entries, dict):
            assert list(after[section]) == [*entries, *(key for key in after[section] if key not in entries)]
            if section not in ("stage1", "stage2", "supervised", "bench", "select", "ingest"):
                assert after[section].keys() == entries.keys(), section  # no entry is added or goes
    lengths = {"steps", "decay", "batch", "patch", "validate_every", "d_features", "d_warmup", "pool", "patches"}
    sizes = {"groups", "blocks", "features", "reduction", "layers", "fine_features"}
    for line in difference(before, after):
        section, *path = line.split(": ")[0].split(".")
        assert section in ("bench", "builtin", "zssr") or path[-1] in lengths | sizes, line


def test_optics_is_short():
    assert len((ROOT / "presets/optics.yaml").read_text().splitlines()) <= 120


def test_smoke_has_every_group_of_stages_in_at_most_36(tmp_path):
    def stages(folder):
        listing = subprocess.run(["dvc", "stage", "list", "--name-only"], cwd=folder, check=True, capture_output=True,
                                 text=True, env=os.environ | {"DVC_NO_ANALYTICS": "1"} | warm.environment())
        return listing.stdout.split()

    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(with_presets("smoke"))
    smoke = stages(tmp_path)
    assert {name.split("@")[0] for name in smoke} == {name.split("@")[0] for name in stages(ROOT)} | {"adabn"}
    assert len(smoke) <= 36


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
