import copy

import pytest
from conftest import params_with_all_systems

from pipeline.core import params

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
    ("stage1/loss", "l3", "stage1.loss: got 'l3'; .*'l1' or 'mse'"),
    ("systems/sr-edsr/captures", "x", "systems.sr-edsr.captures: 'x' names nothing; there are clean"),
    ("systems/sr-edsr/second_teacher", "sr-edsr", "systems.sr-edsr: its teachers are sr-edsr, sr-edsr: each may be named once"),
    ("systems/sr-edsr/third_teacher", "sr-edsr-oracle", "systems.sr-edsr.third_teacher: 'sr-edsr-oracle' names nothing"),
    ("systems/sr-edsr/stage2", {"lambda": 1}, "systems.sr-edsr.stage2.lambda: stage2.lambda always acts"),
    ("networks/sr-edsr/stage1", {"stepz": 1}, "networks.sr-edsr.stage1.stepz: no such key; allowed are steps"),
    ("networks/sr-edsr/stage1", {"lr": -1}, "networks.sr-edsr.stage1.lr: got -1"),
    ("builtin/camera/psf_sigma", [3, 1], "builtin.camera.psf_sigma: the first of the two"),
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
     "pairs.sr.scale: 4, but the recipe 'bicubic' is blur: allowed is 1"),
    ("recipes/bicubic", {"kind": "unknown", "seed": 1, "psf_sigma": [1, 2], "psf_ratio": [1, 2], "read_sigma": [0, 1]},
     r"psf_ratio: got \[1, 2\], wanted both in \[0, 1\]"),
    ("networks/sr-edsr/targets", "pairs/sr-random/targets",
     "networks.sr-edsr: pairs/sr/inputs and pairs/sr-random/targets do not show the same: .* patches: 0"),
    ("imports", {"sr-edsr-gan": {"file": "w.pth", "layout": "rcan", "arch": "rcan", "options": {}}},
     "imports.sr-edsr-gan: the pipeline trains a network of this name"),
    ("imports", {"x": {"file": "w.pth", "layout": "mmsr", "arch": "rcan", "options": {}}},
     "imports.x.layout: got 'mmsr'; .*'basicsr'"),
])
def test_what_cannot_be_meant_is_named(path, value, message):
    with pytest.raises(params.ParamsError, match=message):
        params.parse(changed(path, value))


def test_numbers_that_yaml_reads_as_text():
    assert params.parse(changed("stage2/lambda", "1e-05")).stage2.lambda_ == 1e-5


def test_a_missing_value_is_named():
    values = copy.deepcopy(DEFAULTS)
    del values["stage2"]["clip"]
    with pytest.raises(params.ParamsError, match="stage2.clip: is missing"):
        params.parse(values)


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
    with pytest.raises(params.ParamsError, match="params.yaml: not valid YAML"):
        params.load(tmp_path / "params.yaml")
