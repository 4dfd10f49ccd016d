"""Ranges narrowed to captures: known ones are found again, what cannot be told is left alone, what misleads is refused."""
import numpy as np
import pytest
import yaml
from conftest import ROOT, write_shard

from pipeline.core import params
from pipeline.core.files import read_json
from pipeline.core.reading import read_yaml
from pipeline.core.recipes import Random
from pipeline.degrade import fit
from pipeline.degrade.basics import jpeg
from pipeline.degrade.fit_bank import of_captures, side_of, simulate
from pipeline.degrade.fit_statistics import QUALITIES, statistics
from pipeline.images.natural import render_natural
from pipeline.images.shards import Shard
from pipeline.stages import fit as stage
from pipeline.stages import synthesize

OWN = Random(kind="random", light="linear", blur_sigma=(0.2, 3), blur_ratio=(1, 1), resize=(1, 1), noise_sigma=(0, 6),
             jpeg_quality=(60, 97))
NAMES = ("blur_sigma", "jpeg_quality")
CAMERA = Random.model_validate(OWN.model_dump() | {"blur_sigma": (0.8, 1.4), "jpeg_quality": (70, 80)})
KINDS = ("leaves", "texture", "stripes", "landscape")


def drawn_by(low: float, high: float, count: int, told: float, scenes: int = 20, seed: int = 0) -> fit.Bank:
    """Two values of each crop, of which statistics tell the first up to noise of `told`, and nothing of the second."""
    random = np.random.default_rng(seed)
    values = np.stack([random.uniform(low, high, count), random.uniform(0, 6, count)], axis=1)
    noise = random.standard_normal((count, 12))
    noise[:, 0] = values[:, 0] + told * noise[:, 0]
    return fit.Bank(noise, values, random.integers(scenes, size=count))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rendered scenes: of a clean set, and of a camera's captures."""
    base = tmp_path_factory.mktemp("fit")
    for name, count, seed in (("clean", 32, 1), ("scenes", 24, 2)):
        random = np.random.default_rng(seed)
        write_shard(base / name, {f"{name}{i}": render_natural(KINDS[i % 4], 96, random) for i in range(count)})
    return base


@pytest.fixture(scope="module")
def bank(folder):
    return simulate(folder / "clean", OWN, NAMES, 2, 48, 500, 1, "test")


def test_a_known_range_is_found_again_and_what_statistics_do_not_tell_keeps_its_own():
    recipe = OWN.model_copy(update={"jpeg_quality": (60, 60)})
    names = ("blur_sigma", "noise_sigma")
    bank, captures = drawn_by(0.2, 3, 2000, 0.1), drawn_by(1, 1.8, 80, 0.1, seed=1)
    found = fit.search(bank, captures.statistics, recipe, names, 1)
    assert found.narrowed.tolist() == [True, False] and found.r2[0] > 0.8 and found.r2[1] < 0.05 and not found.refused
    ends = fit.ranges(recipe, names, found.ends)
    assert ends["blur_sigma"] == pytest.approx([1, 1.8], abs=0.2) and ends["noise_sigma"] == [0, 6]
    assert found.ess > 50


def test_captures_unlike_anything_simulated_are_refused_and_so_is_a_regression_that_tells_nothing():
    bank = drawn_by(1, 1.8, 2000, 0.02)
    names, recipe = ("blur_sigma", "noise_sigma"), OWN.model_copy(update={"blur_sigma": (1, 1.8)})
    far = drawn_by(2.6, 3, 50, 0.02, seed=1)
    found = fit.search(bank, far.statistics, recipe, names, 1)
    assert found.ess < fit.LEAST_ESS and "unlike the simulated crops" in found.refused
    alike = fit.search(bank, drawn_by(1.2, 1.6, 50, 0.02, seed=1).statistics, recipe, names, 1)
    assert not alike.refused
    nothing = fit.search(drawn_by(1, 1.8, 2000, 50), far.statistics, recipe, names, 1)
    assert not nothing.narrowed.any() and "the highest R2" in nothing.refused
    assert nothing.ends.tolist() == [[0, 1], [0, 1]]


def test_ranges_of_a_simulated_camera_are_found_from_other_scenes(folder, bank):
    captures = simulate(folder / "scenes", CAMERA, NAMES, 2, 48, 60, 2, "captures")
    found = fit.search(bank, captures.statistics, OWN, NAMES, 1)
    ends = fit.ranges(OWN, NAMES, found.ends)
    assert found.narrowed.all() and found.r2[1] > 0.7
    assert np.mean(ends["jpeg_quality"]) == pytest.approx(75, abs=3) and np.diff(ends["jpeg_quality"]) < 20
    assert np.mean(ends["blur_sigma"]) == pytest.approx(1.1, abs=0.35) and np.diff(ends["blur_sigma"]) < 1.7
    half = fit.folds(bank.scenes, 2, 1)
    assert set(bank.part(half == 0).scenes).isdisjoint(bank.part(half == 1).scenes)


def test_a_classifier_tells_what_differs_and_not_what_does_not():
    random = np.random.default_rng(0)
    crops, real = random.standard_normal((2, 600, 10))
    scenes = np.arange(600) // 10
    bank = fit.Bank(crops, np.empty((600, 0)), scenes)
    assert fit.told_apart(bank, real, scenes, 1) == pytest.approx(0.5, abs=0.06)
    real[:, 0] += 2  # two Gaussians two deviations apart: the area is Phi(2 / sqrt(2))
    assert fit.told_apart(bank, real, scenes, 1) == pytest.approx(0.921, abs=0.03)
    with pytest.raises(ValueError, match="at least 4 scenes on each side, and found 3"):
        fit.told_apart(bank, real[:30], scenes[:30], 1)


def test_statistics_are_finite_and_tell_the_quality_of_jpeg():
    scene = render_natural("leaves", 64, np.random.default_rng(3))
    flat = np.full((32, 40, 3), 255, np.uint8)
    assert statistics(scene).shape == statistics(flat).shape and np.isfinite(statistics(flat)).all()
    comb = slice(-8 - len(QUALITIES), -8)
    assert QUALITIES[int(np.argmax(statistics(jpeg(scene, 70))[comb]))] == 70


def test_crops_depend_on_their_index_alone(folder, bank):
    again = simulate(folder / "clean", OWN, NAMES, 2, 48, 4, 1, "test")
    for one, other in zip(again, bank.part(np.arange(4))):
        np.testing.assert_array_equal(one, other)
    assert (bank.values[:, 0] > 0.2).all() and bank.values[:, 1].max() <= 97 and len(set(bank.scenes)) == 32


def test_the_side_is_what_all_images_hold(tmp_path):
    write_shard(tmp_path / "captures", {"a": np.zeros((70, 51, 3), np.uint8)})
    write_shard(tmp_path / "clean", {"b": np.zeros((90, 97, 3), np.uint8)})
    captures, clean = Shard(tmp_path / "captures"), Shard(tmp_path / "clean")
    assert side_of(captures, clean, 1) == 48 and side_of(captures, clean, 2) == 40
    assert of_captures(captures, 48)[0].shape == (1, 136)
    with pytest.raises(ValueError, match="clean hold no crop of 32x32"):
        side_of(captures, clean, 3)


@pytest.fixture
def project(tmp_path, monkeypatch, folder):
    """Clean scenes of 96 pixels, captures of others by CAMERA, and an entry of fits whose pairs are x2."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["recipes"]["random"] = OWN.model_dump(exclude={"fitted_with_truth"}, mode="json")
    values["fits"] = {"fit": {"recipe": "random", "captures": "sr-captures", "clean": "clean", "scale": 2,
                              "parameters": [*NAMES], "crops": 200}}
    values["pairs"]["sr-random"] = {"clean": "clean", "recipe": "random", "calibration": "fit", "scale": 2, "patches": 40,
                                    "size": 48}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for name in ("clean", "scenes"):
        images = {entry["name"]: np.asarray(image) for entry, image in zip(Shard(folder / name).images, Shard(folder / name))}
        if name == "scenes":
            images = {key: _captured(image, i) for i, (key, image) in enumerate(images.items())}
        place = tmp_path / "data/sets" / ("clean" if name == "clean" else "sr-captures")
        write_shard(place / "train", dict([*images.items()][:-4]))
        for split in ("val", "test"):
            write_shard(place / split, dict([*images.items()][-4:]))
    monkeypatch.setattr(stage, "TRIED", 60)
    monkeypatch.setattr(fit, "LEAST_ESS", 1)  # for a twentieth of the crops that the default has
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _captured(image: np.ndarray, index: int) -> np.ndarray:
    from pipeline.degrade.recipe import How, degrade

    return degrade(image, np.random.default_rng(index), How(CAMERA, 2))[0]


def test_the_stage_writes_ranges_that_pairs_are_drawn_from(project):
    stage.main("fit")
    text = (project / "data/calibrations/fit/ranges.yaml").read_text()
    found = read_yaml("data/calibrations/fit/ranges.yaml")
    assert text.startswith("# Ranges of recipes.random") and not found["refused"]
    told = read_json("metrics/fits/fit.json")
    assert told["parameters"]["jpeg_quality"]["narrowed"] == found["ranges"]["jpeg_quality"]
    assert told["captures"] == 20 and told["crops"] == 200 and told["side"] == 48 and len(told["halves"]) == 2
    assert told["auc"].keys() == {"before", "after"} and 0 <= told["auc"]["after"] <= 1
    assert (project / "metrics/fits/fit.png").stat().st_size > 1000
    synthesize.main("sr-random")
    for name, (low, high) in found["ranges"].items():
        drawn = [draw[name] for draw in read_json("data/pairs/sr-random/inputs/train/draws.json")]
        assert low - 0.5 <= min(drawn) and max(drawn) <= high + 0.5  # a quality is rounded
        assert max(drawn) - min(drawn) > 0.7 * (high - low)
    assert read_json("data/pairs/sr-random/inputs/manifest.json")["recipe"]["jpeg_quality"] == found["ranges"]["jpeg_quality"]
    written = {path: path.read_bytes() for path in project.glob("*/*/*") if "fit" in path.parts[-1] and path.is_file()}
    stage.main("fit")
    assert written and {path: path.read_bytes() for path in written} == written
    assert (project / "data/calibrations/fit/ranges.yaml").read_text() == text


def test_no_pairs_are_made_of_refused_ranges(project):
    (project / "data/calibrations/fit").mkdir(parents=True)
    (project / "data/calibrations/fit/ranges.yaml").write_text("ranges: {blur_sigma: [1, 2]}\nrefused: too few\n")
    with pytest.raises(ValueError, match="fits.fit: too few. `calibration: none` takes the recipe's own"):
        synthesize.main("sr-random")
    assert not (project / "data/pairs/sr-random").exists()


@pytest.mark.parametrize("changes, wanted", [
    ({"parameters": ["blur_sigma", "blur_ratio", "resize", "noise_sigma", "jpeg_quality", "x"]}, "fits.fit.parameters"),
    ({"parameters": ["light"]}, "fits.fit.parameters.0: 'light' is no range of recipes.random"),
    ({"recipe": "bicubic"}, "fits.fit.recipe: 'bicubic' is bicubic, wanted a recipe of kind random"),
    ({"captures": "nothing"}, "fits.fit.captures: 'nothing' names nothing"),
    ({"scale": 2}, "pairs.sr-random: recipe 'random' at scale 4, but fits.fit is of recipe 'random' at scale 2"),
])
def test_an_entry_that_cannot_be_meant_is_named(changes, wanted):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["fits"] = {"fit": {"recipe": "random", "captures": "sr-captures", "clean": "clean", "scale": 4,
                              "parameters": ["blur_sigma"]} | changes}
    values["pairs"]["fitted"] = {"clean": "clean", "recipe": "random", "calibration": "fit", "scale": 4}
    with pytest.raises(params.ParamsError) as error:
        params.parse(values)
    assert wanted.replace("sr-random", "fitted") in str(error.value)


def test_a_fit_has_no_name_of_a_calibration():
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["fits"] = {"sr": {"recipe": "random", "captures": "sr-captures", "clean": "clean", "scale": 4,
                             "parameters": ["blur_sigma"]}}
    with pytest.raises(params.ParamsError, match="fits.sr: an entry of calibrations has this name"):
        params.parse(values)
