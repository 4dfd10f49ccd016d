import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT

from pipeline.core.params import ParamsError, load, parse
from pipeline.core.seeds import rng
from pipeline.images import natural, screens
from pipeline.images.decode import decode
from pipeline.images.shards import Shard
from pipeline.stages import builtin, ingest

SMALL = load(ROOT / "params.yaml").builtin["demo"].model_copy(update={
    "natural_scenes": 8, "screen_scenes": 3, "capture_scenes": 4, "far_scenes": 3, "size": 64, "shots": 2, "scale": 4})
ONE_EACH = {"natural_scenes": 1, "screen_scenes": 1, "capture_scenes": 1, "far_scenes": 1}


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("builtin")
    builtin.make(SMALL, 1, folder, workers=1)
    return folder


def scenes(folder: Path) -> set[str]:
    return {path.stem.rsplit("-view", 1)[0] for path in folder.rglob("*.png")}


def test_the_same_bytes_for_any_number_of_workers_and_over_older_files(made, tmp_path):
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "stale.png").touch()
    builtin.make(SMALL, 1, tmp_path, workers=2)
    assert files(tmp_path) == files(made)


def test_another_seed_gives_other_scenes(made, tmp_path):
    builtin.make(SMALL.model_copy(update=ONE_EACH), 2, tmp_path, workers=1)
    first = files(made)
    same = {name for name, data in files(tmp_path).items() if first.get(name) == data}
    assert same  # the photographs
    assert not [name for name in same if re.search(r"-[cf]?\d{3}-", name) or "-captures/" in name]


def test_trainings_of_any_seed_share_the_scenes(tmp_path, monkeypatch):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["seed"], values["builtin"]["demo"]["seed"] = 7, 3
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    seeds = []
    monkeypatch.setattr(builtin, "make", lambda params, seed, folder: seeds.append(seed))
    builtin.main("demo")
    assert seeds == [3]


def test_no_scene_is_on_two_sides(made):
    clean, captures, far = scenes(made / "clean"), scenes(made / "sr-captures"), scenes(made / "sr-far")
    assert not clean & captures and not clean & far and not captures & far
    photos = {Path(file).stem for file in natural.PHOTOS}
    assert photos <= clean | captures | far and all(photos & side for side in (clean, captures, far))
    for side in (clean, captures, far):
        assert {"screen", "leaves"} <= {scene.split("-")[0] for scene in side}
    pictures = {}  # and no picture, whatever its name
    for side, folder in (("clean", "clean"), ("captures", "sr-truth"), ("far", "sr-far-truth")):
        for path in (made / folder).rglob("*.png"):
            assert pictures.setdefault(path.read_bytes(), side) == side


@pytest.mark.parametrize("captures, truths", [("sr-captures", "sr-truth"), ("sr-far", "sr-far-truth")])
def test_truth_has_the_names_of_its_captures_and_scale_times_their_size(made, captures, truths):
    names = sorted(path.name for path in (made / captures).iterdir())
    assert names == sorted(path.name for path in (made / truths).iterdir()) and names
    alike = []
    for name in names:
        seen, truth = decode(made / captures / name, 1), decode(made / truths / name, 1)
        assert truth.shape == (4 * seen.shape[0], 4 * seen.shape[1], 3)
        small = truth.reshape(seen.shape[0], 4, seen.shape[1], 4, 3).mean((1, 3))
        alike.append(np.corrcoef(small.ravel(), seen.ravel())[0, 1])
    assert 0.9 < np.median(alike) and 0.5 < min(alike) and max(alike) < 0.9999  # the same scene, not seen perfectly


@pytest.mark.parametrize("captures, truths", [("demoire-captures", "demoire-truth"), ("demoire-far", "demoire-far-truth")])
def test_a_photographed_screen_lies_on_its_truth(made, captures, truths):
    names = sorted(path.name for path in (made / captures).iterdir())
    assert names == sorted(path.name for path in (made / captures.replace("demoire", "sr")).iterdir())  # the same scenes
    alike = []
    for name in names:
        seen, truth = decode(made / captures / name, 1), decode(made / truths / name, 1)
        assert seen.shape == truth.shape and max(seen.shape) <= 192 and min(seen.shape[:2]) % 8 == 0
        alike.append(np.corrcoef(seen[..., 1].ravel(), truth[..., 1].ravel())[0, 1])
    assert 0.9 < np.median(alike) and max(alike) < 0.9999  # the same scene in the same place, not seen perfectly


def test_what_differs_from_further_away_is_checked():
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["builtin"]["demo"]["far_screen"]["scale"] = [0.1, 1]
    with pytest.raises(ParamsError, match=r"far_screen.scale.0: got 0.1; .* greater than or equal to 0.3"):
        parse(values)
    values["builtin"]["demo"]["far_screen"] = {"glass": 1}
    allowed = "allowed are fitted_with_truth, kind, layouts"
    with pytest.raises(ParamsError, match=rf"builtin.demo: far_screen.glass: no such key; {allowed}"):
        parse(values)


def test_two_shots_of_a_scene_share_the_truth_and_differ(made):
    truth, captures = made / "sr-truth", made / "sr-captures"
    assert (truth / "leaves-c000-view0.png").read_bytes() == (truth / "leaves-c000-view1.png").read_bytes()
    assert (captures / "leaves-c000-view0.png").read_bytes() != (captures / "leaves-c000-view1.png").read_bytes()


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_other_scales(tmp_path, scale):
    builtin.make_scene("captures", "leaves", 0, SMALL.model_copy(update={"scale": scale}), 1, tmp_path)
    seen, truth = (decode(tmp_path / side / "leaves-c000-view0.png", 1) for side in ("sr-captures", "sr-truth"))
    assert truth.shape[0] == scale * seen.shape[0] == 64 // scale * scale


def test_ingested_with_the_default_params_no_scene_is_in_two_splits(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "builtin").symlink_to(made)
    Path("params.yaml").write_text(yaml.safe_dump(values))
    seen = {}
    for key in ("clean", "sr-captures", "sr-far"):
        ingest.main(key)
        for split in ("train", "val", "test", "holdout"):
            for image in Shard(f"data/sets/{key}/{split}").images:
                scene = image["name"].rsplit("-view", 1)[0].rsplit("/", 1)[-1]
                assert seen.setdefault(scene, (key, split)) == (key, split)
    assert len(seen) > 20


@pytest.mark.parametrize("kind", sorted(set(natural.KINDS)))
@pytest.mark.parametrize("size", [64, 112])
def test_natural_scenes(kind, size):
    first, again, other = (natural.render_natural(kind, size, rng(1, "t", k)) for k in (0, 0, 1))
    assert first.shape == (size, size, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.std() > 5


def test_dead_leaves_have_the_spectrum_of_natural_images():
    size, slopes = 128, []
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    band = (f > 0.03) & (f < 0.35)
    for k in range(6):
        grey = natural.render_natural("leaves", size, rng(1, "t", k)).mean(-1)
        power = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(np.hanning(size), np.hanning(size)))) ** 2
        slopes.append(np.polyfit(np.log(f[band]), np.log(power[band]), 1)[0])
    assert -3.6 < np.median(slopes) < -2  # photographs: -2.6, from -3.8 to -1.6


def test_photographs_are_the_bundled_ones():
    assert natural.photo("astronaut.png").shape == (512, 512, 3)
    assert natural.photo("retina.jpg").shape == (705, 705, 3)  # halved
    from skimage import data
    assert np.array_equal(natural.photo("coffee.png"), data.coffee())


def test_crops_do_not_overlap_and_have_contrast():
    image = np.zeros((70, 100, 3), np.uint8)
    image[:35, 50:] = np.random.default_rng(0).integers(0, 256, (35, 50, 3))
    places = np.arange(70 * 100).reshape(70, 100, 1).repeat(3, 2)
    parts = natural.crops(places, 32, 6)
    assert len(parts) == 6 and len({int(value) for part in parts for value in part[..., 0].ravel()}) == 6 * 32 * 32
    best, = natural.crops(image, 32, 1)
    assert best.std() > 40
    assert [part.shape for part in natural.crops(image, 512, 6)] == [(70, 70, 3)]


@pytest.mark.parametrize("size", [64, 192])
def test_screens_are_sharp_and_varied(size):
    pictures = [screens.render_screen(size, rng(1, "t", k)) for k in range(24)]
    assert np.array_equal(pictures[3], screens.render_screen(size, rng(1, "t", 3)))
    steepest = [np.abs(np.diff(picture.astype(int).mean(-1), axis=1)).max() for picture in pictures]
    assert np.median(steepest) > 100  # levels from one pixel to the next: text and edges are not blurred
    brightness = [picture.mean() for picture in pictures]
    assert min(brightness) < 90 and max(brightness) > 170  # dark and light themes
