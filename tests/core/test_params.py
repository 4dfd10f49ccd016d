import copy

import pytest
from conftest import params_with_all_systems

from pipeline.core import params
from pipeline.core.moved import moved

DEFAULTS = params_with_all_systems()


def changed(path: str, value) -> dict:
    values = copy.deepcopy(DEFAULTS)
    *parents, last = path.split("/")
    section = values
    for key in parents:
        section = section[key]
    section[last] = value
    return values


@pytest.mark.parametrize("path, value, message", [
    ("stage2/lamda", 1, "stage2.lamda: no such key"),
    ("stage1/steps", 0, "stage1.steps: got 0; .*greater than or equal to 1"),
    ("stage1/lr", float("nan"), "stage1.lr: got nan; .*finite"),
    ("stage1/loss", "l3", "stage1.loss: got 'l3'; .*'l1', 'mse'"),
    ("systems/sr-edsr/captures", "x", "systems.sr-edsr.captures: 'x' names nothing; there are clean"),
    ("systems/sr-edsr/teacher", "sr-edsr-oracle", "systems.sr-edsr.teacher: 'sr-edsr-oracle' names nothing"),
    ("oracles/sr-edsr-oracle/truth", "sr-truth/truths", "oracles.sr-edsr-oracle.truth: 'sr-truth/truths' names nothing"),
    ("oracles/sr-edsr-oracle/supervised", {"stepz": 1},
     "oracles.sr-edsr-oracle.supervised.stepz: no such key; allowed are steps"),
    ("chains/sr-edsr", {"first": "blindsr-x2", "then": "blindsr-x2"},
     "chains.sr-edsr: networks.sr-edsr makes a network of the name sr-edsr; choose another"),
    ("chains/sr", {"first": "sr-edsr", "then": "x"}, "chains.sr.then: 'x' names nothing"),
    ("ensembles", {"mean": {"first": "sr-edsr", "second": "none"}}, "ensembles.mean.second: 'none' names nothing"),
    ("far/srx", {"captures": "sr-far", "truth": "none"}, "far.srx: has the name of no entry of tests; there are sr, demoire"),
    ("far/sr/captures", "none", "far.sr.captures: 'none' names nothing"),
    ("rows/sr-input/network", "sr-edsr-stage3", "rows.sr-input.network: 'sr-edsr-stage3' names nothing"),
    ("systems/sr-edsr/stage2", {"lambda": 1}, "systems.sr-edsr.stage2.lambda: stage2.lambda always acts"),
    ("networks/sr-edsr/stage1", {"stepz": 1}, "networks.sr-edsr.stage1.stepz: no such key; allowed are steps"),
    ("networks/sr-edsr/stage1", {"lr": -1}, "networks.sr-edsr.stage1.lr: got -1"),
    ("builtin/demo/camera/psf_sigma", [3, 1], r"builtin.demo.camera.psf_sigma: got \[3, 1\], wanted \[low, high\]"),
    ("bench/channels", ["yuv"], "bench.channels.0: got 'yuv'; .*'rgb' or 'y'"),
    ("bench/channels", [], "bench.channels: got .*at least 1 item"),
    ("bench/lpips", ["resnet"], "bench.lpips.0: got 'resnet'; .*'alex', 'vgg' or 'squeeze'"),
    ("bench/channel", "y", "bench.channel: no such key"),
    ("sets/clean/scene", "(", "scene: not a regular expression"),
    ("stage1/batch_norm", "train", "stage1.batch_norm: no such key"),
    ("supervised/batch_norm", "freeze", "supervised.batch_norm: got 'freeze'; .*'frozen' or 'train'"),
    ("adabn/sr-srresnet-adabn/captures", "x", "adabn.sr-srresnet-adabn.captures: 'x' names nothing; there are clean"),
    ("adabn/sr-srresnet-adabn/start", "none", "adabn.sr-srresnet-adabn.start: 'none' names nothing"),
    ("tests/sr/blur", [0], "tests.sr.blur.0: got 0; .*greater than 0"),
    ("bench/match_tone", True, "bench.match_tone: no such key"),
    ("pairs/sr/size", 30, "pairs.sr: size: 30 is not a multiple of scale 4"),
    ("recipes/bicubic", {"kind": "blur", "shape": "box", "size": 8, "snr_db": 40}, "size: got 8, wanted an odd number"),
    ("recipes/bicubic", {"kind": "blur", "shape": "box", "size": 9, "snr_db": None},
     "pairs.sr-bicubic.scale: 4, but the recipe 'bicubic' is blur: allowed is 1"),
    ("recipes/bicubic", {"kind": "unknown", "seed": 1, "psf_sigma": [1, 2], "psf_ratio": [1, 2], "read_sigma": [0, 1]},
     r"psf_ratio.1: got 2; Input should be less than or equal to 1"),
    ("networks/sr-edsr/targets", "pairs/sr-bicubic/targets",
     "networks.sr-edsr: pairs/sr/inputs and pairs/sr-bicubic/targets do not show the same: .* patches: 0"),
    ("imports", {"sr-edsr-gan": {"file": "w.pth", "layout": "rcan", "arch": "rcan", "options": {}}},
     "systems.sr-edsr: imports.sr-edsr-gan makes a network of the name sr-edsr-gan; choose another"),
    ("imports", {"x": {"file": "w.pth", "layout": "mmsr", "arch": "rcan", "options": {}}},
     "imports.x.layout: got 'mmsr'; .*'basicsr'"),
])
def test_what_cannot_be_meant_is_named(path, value, message):
    with pytest.raises(params.ParamsError, match=message):
        params.parse(changed(path, value))


def test_numbers_that_yaml_reads_as_text():
    assert params.parse(changed("stage2/lambda", "1e-05")).stage2.lambda_ == 1e-5


def test_a_missing_value_is_named():
    """The fields that dvc.yaml names, which cannot have defaults."""
    values = copy.deepcopy(DEFAULTS)
    del values["systems"]["sr-edsr"]["teacher"]
    with pytest.raises(params.ParamsError, match="systems.sr-edsr.teacher: is missing"):
        params.parse(values)
    del values["systems"]
    with pytest.raises(params.ParamsError, match="systems: is missing"):
        params.parse(values)


def test_what_is_left_out_has_its_default():
    values = copy.deepcopy(DEFAULTS)
    del values["stage2"]["anchor"], values["select"]["metric"]
    p = params.parse(values)
    assert p.stage2.anchor == 20 and p.stage2.clip == 0.5 and p.select.metric == "niqe"
    assert p == params.parse(DEFAULTS)


CYCLES = [
    ({"chains": {"a": {"first": "b", "then": "sr-edsr"}, "b": {"first": "sr-edsr", "then": "a"}}}, {"a", "b"}),
    ({"ensembles": {"a": {"first": "sr-edsr", "second": "a"}}}, {"a"}),
    ({"chains": {"a": {"first": "b", "then": "sr-edsr"}}, "ensembles": {"b": {"first": "a", "second": "sr-edsr"}}}, {"a", "b"}),
    ({"systems": {"sr-edsr": {"teacher": "sr-edsr-stage2"}}}, {"labels/sr-edsr", "sr-edsr-stage2"}),
    ({"labels": {"sr-edsr-round2": {"network": "sr-edsr-round2"}}}, {"labels/sr-edsr-round2", "sr-edsr-round2"}),
    ({"labels": {"sr-edsr-round2": {"inputs": "labels/sr-edsr-round2"}}}, {"labels/sr-edsr-round2"}),
    ({"networks": {"sr-edsr": {"targets": "labels/sr-edsr"}}}, {"sr-edsr", "labels/sr-edsr"}),
    ({"finetunes": {"sr-edsr-round2": {"start": "sr-edsr-round2"}}}, {"sr-edsr-round2"}),
]


@pytest.mark.parametrize("changes, circle", CYCLES)
def test_what_is_made_of_itself_is_named(changes, circle):
    values = copy.deepcopy(DEFAULTS)
    for section, entries in changes.items():
        for key, entry in entries.items():
            values[section][key] = values[section].get(key, {}) | entry
    with pytest.raises(params.ParamsError, match="these are made of each other: ") as error:
        params.parse(values)
    assert set(str(error.value).split(": ")[-1].split(" -> ")) == circle


def test_chains_and_ensembles_may_name_each_other_and_be_teachers():
    values = copy.deepcopy(DEFAULTS)
    values["chains"]["twice"] = {"first": "blindsr-x2", "then": "blindsr-x2"}
    values["ensembles"] = {"mean": {"first": "twice", "second": "sr-edsr"},
                           "all": {"first": "mean", "second": "sr-edsr-bicubic"}}
    values["systems"]["sr-edsr"]["teacher"] = "all"
    assert {"twice", "mean", "all"} <= params.parse(values).network_names() - params.parse(values).trained()


@pytest.mark.parametrize("values, wanted", [
    ({"builtin": {"seed": 1, "natural_scenes": 64}}, "builtin: the section is one entry: write `builtin: {demo: {...}}`"),
    ({"systems": {"a": {"start": "b", "second_teacher": "c"}}}, "systems.a.second_teacher: the mean of several networks is an "
     "entry of ensembles; name it as the system's `teacher`"),
    ({"systems": {"a": {"third_teacher": "none"}}}, "systems.a.third_teacher: the mean of several networks is an entry"),
    ({"systems": {"a": {"ensemble": False}}}, "systems.a.ensemble: it is called self_ensemble"),
    ({"systems": {"a": {"truth": "sr-truth"}}}, "systems.a.truth: the oracle is an entry of oracles: {start, captures, truth}"),
    ({"systems": {"a": {"supervised": {}}}}, "systems.a.supervised: it stands in the oracle's entry of oracles"),
    ({"labels": {"a": {"ensemble": True}}}, "labels.a.ensemble: it is called self_ensemble"),
    ({"tests": {"sr": {"far": "sr-far", "far_truth": "none"}}},
     "tests.sr.far: a second test set of captures is an entry of far"),
    ({"rows": {"a": {"first": "x", "second": "y"}}}, "rows.a.first: a row names one `network`; a chain of several is an entry "
     "of chains: {first, then}"),
    ({"rows": {"a": {"network": "x", "third": "none"}}}, "rows.a.third: a row names one `network`"),
])
def test_a_file_of_the_first_edition_is_told_what_moved_where(values, wanted):
    with pytest.raises(params.ParamsError) as error:
        params.parse(values, "params.yaml")
    text = str(error.value)
    assert text.startswith("params.yaml is of an earlier edition of Restage: ") and wanted in text and "\n" not in text
    assert text.endswith("the sections oracles, fits, unsharpens, chains, ensembles, far are missing: write {} for each that "
                         "holds nothing")


def test_each_kind_of_move_is_told_once_and_files_of_today_are_told_none():
    rows = {name: {"task": "sr", "tests": "sr", "first": "none", "second": "none", "third": "none"} for name in ("a", "b")}
    tests = {"sr": {"far": "none", "far_truth": "none"}}
    with pytest.raises(params.ParamsError) as error:
        params.parse({"rows": rows, "tests": tests, "chains": {}, "far": {}})
    assert str(error.value).count("a row names one `network`") == str(error.value).count("second test set") == 1
    assert str(error.value).endswith("the sections oracles, fits, unsharpens, ensembles are missing: write {} for each that "
                                     "holds nothing")
    assert moved(DEFAULTS) == []


def test_overrides_and_lambda_scale():
    values = changed("systems/sr-edsr/stage2", {"discriminator": "highpass"})
    values["systems"]["sr-edsr"]["lambda_scale"] = 0.5
    p = params.parse(values)
    assert p.stage2_of("sr-edsr").discriminator == "highpass"
    assert p.stage2_of("sr-edsr").lambda_ == 0.5 * p.stage2.lambda_
    assert params.parse(DEFAULTS).stage2_of("sr-edsr").lambda_ == p.stage2.lambda_
    with pytest.raises(ValueError):
        p.stage2.steps = 3  # frozen


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(params.ParamsError, match="params.yaml, line 1: not valid YAML"):
        params.load(tmp_path / "params.yaml")
