"""What else the command does, and the same from Python."""
# ruff: noqa: F811
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
import yaml
from conftest import ROOT, smooth_image
from networks import in_one_pass
from test_restore import RGB, files, project, read, run, wanted  # noqa: F401

from pipeline.images.encode import write_png
from pipeline.nets.build import build
from pipeline.restore import restorer as module
from pipeline.restore import tiles as tiles_module
from pipeline.restore.named import network_of
from pipeline.restore.network import load_network, save_network
from pipeline.restore.pixels import quantise
from pipeline.restore.restorer import Restorer
from pipeline.stages import combine


def test_compare_shows_both_sides(project):
    assert run("photos", "-o", "out", "--compare").exit_code == 0
    picture = read("out/a.png-compare.png")
    assert (picture[:, :106] == RGB.repeat(2, axis=0).repeat(2, axis=1)).all() and (picture[:, 114:] == wanted(RGB)).all()
    Path("out/a.png-compare.png").unlink()
    assert "1 restored" in run("photos", "-o", "out", "--compare").output


def test_a_large_comparison_is_where_the_detail_is(project):
    large = np.zeros((900, 1000, 3), np.uint8)
    large[600:640, 700:740] = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    write_png("photos/large.png", large)
    run("photos/large.png", "-o", "large.png", "--compare")
    picture = read("large.png-compare.png")
    assert picture.shape == (768, 2 * 768 + 8, 3) and picture[:, :768].any()


def test_a_row_of_the_params_is_its_chain(project):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["chains"]["behind"] = {"first": "sr-edsr", "then": "sr-edsr-stage2"}
    values["rows"]["chained"] = values["rows"]["sr-edsr-calibrated"] | {"network": "behind"}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    assert network_of("chained") == "behind" and network_of("one") == "one"
    with pytest.raises(ValueError, match="sr-input: this row is the input itself"):
        network_of("sr-input")
    result = run("photos", "-o", "out", model="chained")
    assert result.exit_code == 1 and "models/behind: no manifest.json" in result.output
    assert "networks in models/: one, two" in result.output
    for name, ours in (("sr-edsr", "one"), ("sr-edsr-stage2", "two")):
        shutil.copytree(Path("models", ours), Path("models", name))
    combine.main("chains", "behind")
    assert run("photos", "-o", "out", model="chained").exit_code == 0
    networks = [load_network(Path("models", name)) for name in ("one", "two")]
    assert (read("out/a.png") == quantise(in_one_pass(networks, RGB))).all()


def test_networks_that_see_the_whole_are_named(project):
    options = {"scale": 1, "groups": 1, "blocks": 1, "features": 6, "reduction": 2}
    save_network(project / "models/rcan", build("rcan", options), "rcan", options, {})
    result = run("photos", "-o", "out", model="rcan")
    assert result.exit_code == 0
    assert "rcan sees a whole image at once (ChannelAttention): photos of up to 1 mega" in result.output
    assert (read("out/a.png") == wanted(RGB, name="rcan")).all()
    narrow = run("photos", "-o", "narrow", "--tile", 20, model="rcan")
    assert "no more than tiles of 20 pixels" in narrow.output
    assert "at once" not in run("photos", "-o", "out", "--overwrite").output


def test_a_photo_for_which_memory_runs_out_goes_in_tiles_with_a_word(project, monkeypatch):
    options = {"scale": 1, "groups": 1, "blocks": 1, "features": 6, "reduction": 2}
    save_network(project / "models/rcan", build("rcan", options), "rcan", options, {})
    write_png("photos/a.png", smooth_image(np.random.default_rng(0), 300, 400))
    real = tiles_module.in_one_pass

    def small(model, windows, keep=None):
        if windows[0].shape[1] > 350:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(model, windows, keep)

    monkeypatch.setattr(tiles_module, "in_one_pass", small)
    result = run("photos", "-o", "out", model="rcan")
    assert result.exit_code == 0
    assert "memory ran out, so the rest was restored in tiles of 200 pixels instead of 956" in result.output
    assert 0 < np.abs(read("out/a.png").astype(int) - wanted(read("photos/a.png"), name="rcan")).max() < 40


def test_a_device_that_is_not_there_is_named(project, monkeypatch):
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")  # restored at the end: the option sets it
    if torch.backends.mps.is_available():
        pytest.skip("there is one")
    result = run("photos", "-o", "out", "--device", "mps")
    assert result.exit_code == 1 and "error: device mps: " in result.output


def test_a_large_output_is_kept_in_a_file_that_leaves_nothing(project, monkeypatch):
    monkeypatch.setattr(module, "IN_MEMORY", 1000)
    kept, real = [], module.restore_into

    def keeping(output, *rest, **options):
        kept.append(output)
        return real(output, *rest, **options)

    monkeypatch.setattr(module, "restore_into", keeping)
    assert run("photos", "-o", "out").exit_code == 0
    assert isinstance(kept[0], np.memmap) and files("out") == ["a.png"] and (read("out/a.png") == wanted(RGB)).all()


def test_a_photo_is_not_restored_into_itself(project):
    os.symlink("a.png", "photos/link.png")
    with pytest.raises(ValueError, match="would overwrite the photo itself"):
        Restorer("one").file("photos/a.png", "photos/link.png")
    assert (read("photos/a.png") == RGB).all()


def test_arrays_of_all_kinds(project):
    restorer = Restorer("one", "two")
    assert restorer.scale == 4
    restored = restorer(np.dstack((RGB, RGB[..., 0])))
    chain = [load_network(Path("models", name)) for name in ("one", "two")]
    assert restored.shape == (148, 212, 4) and (restored[..., :3] == quantise(in_one_pass(chain, RGB))).all()
    assert restorer(RGB[..., 1].astype(np.uint16)).dtype == np.uint16
    for bad in (RGB.astype(np.float32), RGB[None], RGB[:0], RGB[..., :2]):
        with pytest.raises(ValueError, match="image is .*, wanted uint8 or uint16"):
            restorer(bad)


def test_the_example_of_the_docs_runs(project):
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/restore.md").read_text(), re.S).group(1)
    names = {"sr-edsr-stage2": "one", "photo.jpg": "photos/a.png"}
    for name, ours in names.items():
        assert name in code
        code = code.replace(name, ours)
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | warm.environment()
    done = subprocess.run(["python", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (read("restored.png") == wanted(RGB)).all()
