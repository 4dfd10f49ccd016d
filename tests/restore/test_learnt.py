"""`restore` with ZSSR, which has no network on disk."""
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from conftest import ROOT, change, smooth_image
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.baselines import ZssrEntry
from pipeline.core.files import write_json
from pipeline.core.seeds import derive
from pipeline.core.stop import Stop
from pipeline.degrade.bicubic import resize
from pipeline.images.encode import write_png
from pipeline.restore import learnt, zssr
from pipeline.restore.pixels import quantise
from pipeline.restore.restorer import Restorer

PRESET = yaml.safe_load((ROOT / "presets/all.yaml").read_text())
ENTRY = PRESET["zssr"]["sr-zssr"] | {"scale": 2, "gradual": 1, "layers": 3, "features": 4, "crop": 16, "max_steps": 6,
                                     "back_projections": 2}
RGB = smooth_image(np.random.default_rng(2), 27, 35)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"threads": 1}
    values["zssr"] = {"sr-zssr": ENTRY}
    values["rows"]["sr-learnt"] = PRESET["rows"]["sr-zssr"]
    Path("params.yaml").write_text(yaml.safe_dump(values))
    write_png(tmp_path / "photos/a.png", RGB)
    return tmp_path


def run(*arguments, model="sr-zssr"):
    return CliRunner().invoke(app, ["restore", *map(str, arguments), "--model", model])


def read(path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]


def wanted(image=RGB, seed=1) -> np.ndarray:
    return zssr.restore_by_learning(image, 2, ZssrEntry.model_validate(ENTRY), derive(seed, "sr-zssr/restore"))[0]


def test_a_photo_is_restored_by_what_is_learnt_from_it(project):
    write_png(project / "photos/b.png", RGB[::-1])
    result = run("photos", "-o", "out", model="sr-learnt")  # a row
    assert result.exit_code == 0, result.output
    assert "sr-learnt learns a network from each photo anew" in result.output and "2 restored" in result.output
    assert (read("out/a.png") == quantise(wanted())).all() and (read("out/b.png") == quantise(wanted(RGB[::-1]))).all()
    assert np.abs(read("out/a.png").astype(float) - 255 * resize(RGB / np.float32(255), 54, 70)).max() > 2
    write_json(project / "models/sr-zssr/manifest.json", {"arch": "zssr"})  # as the stage leaves it
    assert run("photos", "-o", "out2").exit_code == 0
    assert (read("out2/a.png") == read("out/a.png")).all()


def test_it_is_skipped_until_what_it_depends_on_changes(project):
    run("photos", "-o", "out")
    before = read("out/a.png")
    assert "0 restored, 1 there already" in run("photos", "-o", "out").output
    change(zssr={"sr-zssr": ENTRY | {"max_steps": 7}})
    assert "1 restored" in run("photos", "-o", "out").output
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["zssr"], values["seed"] = {"sr-zssr": ENTRY}, 2
    Path("params.yaml").write_text(yaml.safe_dump(values))
    assert "1 restored" in run("photos", "-o", "out").output
    assert (read("out/a.png") == quantise(wanted(seed=2))).all() and (read("out/a.png") != before).any()


def test_arrays_of_all_kinds(project):
    restorer = Restorer("sr-zssr")
    deep, grey = RGB.astype(np.uint16) * 257, RGB[..., 0]
    np.testing.assert_array_equal(restorer(deep), quantise(wanted(deep), "uint16"))
    np.testing.assert_array_equal(restorer(grey), quantise(wanted(np.dstack([grey] * 3)).mean(2)))
    assert restorer(np.dstack((RGB, np.full_like(grey, 255)))).shape == (54, 70, 4)


def test_formats_and_depth_are_kept_as_for_any_network(project):
    Image.fromarray(RGB[..., 0]).save("photos/grey.tiff")
    assert run("photos", "-o", "out", "--compare").exit_code == 0
    with Image.open("out/grey.tiff") as grey:
        assert grey.size == (70, 54) and grey.mode == "L"
    assert Path("out/a.png-compare.png").is_file()


@pytest.mark.parametrize("options, message", [
    (("--tile", 64), "tile, strength and blend are those of trained networks"), (("--ensemble",), "zssr.sr-zssr says"),
    (("--precision", "bf16"), "of trained networks"), (("--model", "sr-edsr"), "stands alone, got sr-edsr and sr-zssr")])
def test_what_it_cannot_do_is_refused(project, options, message):
    result = run("photos", "-o", "out", *options)
    assert result.exit_code == 1 and message in result.output and not Path("out").exists()


def test_an_entry_that_is_gone_is_named(project):
    write_json(project / "models/other/manifest.json", {"arch": "zssr"})
    result = run("photos", "-o", "out", model="other")
    assert result.exit_code == 1 and "by zssr.other, which params.yaml does not have" in result.output


def test_a_photo_too_large_to_be_held_whole_is_refused_before_the_work(project, monkeypatch):
    monkeypatch.setattr(learnt, "free_memory", lambda device: 10**5)
    monkeypatch.setattr(zssr, "restore_by_learning", None)
    result = run("photos", "-o", "out")
    assert result.exit_code == 1 and "photos/a.png: learnt from the whole photo: 35x27 enlarged 2 times needs" in result.output


def test_ctrl_c_ends_the_learning(project, monkeypatch):
    polls = iter([None] * 4 + ["SIGINT"])

    def asked(stop):
        stop.signal = signal.SIGINT
        return next(polls)

    monkeypatch.setattr(Stop, "asked", asked)
    result = run("photos", "-o", "out")
    assert result.exit_code == 130 and "0 restored, of 1; the same command continues" in result.output
    assert not [path for path in Path("out").rglob("*") if path.is_file()]


def test_the_median_is_taken_over_all_rows():
    rng = np.random.default_rng(0)
    answers = iter(rng.random((8, 2 * zssr.MEDIAN_ROWS + 5, 2 * zssr.MEDIAN_ROWS + 5, 3), np.float32))
    kept = []

    def answer(turned):
        kept.append(next(answers))
        return kept[-1]

    found = zssr.median_of_orientations(answer, np.zeros((7, 7, 3), np.float32))
    turned = []
    for i, one in enumerate(kept):
        back = np.rot90(one, -(i // 2))
        turned.append(back[:, ::-1] if i % 2 else back)
    np.testing.assert_array_equal(found, np.median(turned, axis=0).astype(np.float32))
