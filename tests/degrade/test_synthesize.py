import subprocess
import sys

import numpy as np
import pytest
import warm
import yaml
from conftest import ROOT, smooth_image, write_shard

from pipeline.core.files import read_json
from pipeline.core.moire import Moire
from pipeline.core.recipes import Bicubic, Random, Unknown
from pipeline.core.sources import Pairs
from pipeline.degrade.bicubic import downscale
from pipeline.degrade.moire.light import metered
from pipeline.degrade.pairs import make_pair
from pipeline.degrade.recipe import hidden_camera
from pipeline.images.shards import Shard, check_pairing, write_absent
from pipeline.stages import synthesize as stage

WHOLE = Pairs(clean="clean", recipe="bicubic", calibration="none", scale=4)
CROPS = Pairs(clean="clean", recipe="random", calibration="none", scale=2, patches=30, size=24)
BICUBIC = Bicubic(kind="bicubic")
RANDOM = Random(kind="random", blur_sigma=(0.2, 3), blur_ratio=(0.6, 1), resize=(0.7, 1.2), noise_sigma=(0, 6),
                jpeg_quality=(60, 97))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a clean set: odd sizes, one image smaller than a crop, no test images."""
    rng = np.random.default_rng(0)
    sizes = {"train": {"a": (50, 61), "b/c": (97, 30), "tiny": (20, 40)}, "val": {"d": (43, 38)}}
    for split, images in sizes.items():
        drawn = {name: smooth_image(rng, *size) for name, size in images.items()}
        write_shard(tmp_path / "data/sets/clean" / split, drawn)
    write_absent(tmp_path / "data/sets/clean/test", "sets.clean.test is 0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pair(project, key, split):
    return [Shard(project / "data/pairs" / key / side / split) for side in ("inputs", "targets")]


def test_whole_images_are_cropped_from_the_top_left_and_degraded_once(project):
    stage.synthesize("sr", WHOLE, BICUBIC, seed=1)
    clean = Shard(project / "data/sets/clean/train")
    inputs, targets = pair(project, "sr", "train")
    assert check_pairing(inputs, targets, 4, "inputs", "targets") == 4
    assert targets.names == clean.names == ["a", "b/c", "tiny"] and targets.scenes == clean.scenes
    for small, target, image in zip(inputs, targets, clean):
        assert target.shape[:2] == (image.shape[0] // 4 * 4, image.shape[1] // 4 * 4)
        assert (target == image[: target.shape[0], : target.shape[1]]).all() and (small == downscale(target, 4)).all()
    manifest = read_json(project / "data/pairs/sr/inputs/manifest.json")
    assert manifest == read_json(project / "data/pairs/sr/targets/manifest.json")
    assert manifest["splits"]["train"]["pairs"] == 3 and manifest["splits"]["train"]["clean"] == clean.sha256
    assert manifest["pairs"]["scale"] == 4 and manifest["seed"] == 1
    assert manifest["recipe"] == {"kind": "bicubic", "light": "coded", "fitted_with_truth": False}


def test_inputs_of_one_entry_are_targets_of_another(project):
    """The mapping of x4 inputs to x2 ones: both are of the same crop, though 50 and 38 are multiples of 2 and not of 4."""
    camera = Unknown(kind="unknown", seed=5, psf_sigma=(1.6, 2.4), psf_ratio=(0.6, 1), read_sigma=(1, 1))
    stage.synthesize("unknown", WHOLE, camera, seed=1)
    stage.synthesize("half", WHOLE.model_copy(update={"scale": 2, "multiple": 4}), BICUBIC, seed=1)
    clean = Shard(project / "data/sets/clean/train")
    inputs, targets = (Shard(project / "data/pairs" / key / "inputs/train") for key in ("unknown", "half"))
    assert check_pairing(inputs, targets, 2, "unknown", "half") == 2
    assert all((small == downscale(np.array(image[: 2 * small.shape[0], : 2 * small.shape[1]]), 2)).all()
               for small, image in zip(targets, clean))
    manifest = read_json(project / "data/pairs/unknown/inputs/manifest.json")
    assert manifest["camera"] == hidden_camera(camera)


def test_an_absent_split_stays_absent_with_its_reason(project):
    stage.synthesize("sr", WHOLE, BICUBIC, seed=1)
    assert [shard.absent for shard in pair(project, "sr", "test")] == ["sets.clean.test is 0"] * 2


def test_random_crops_are_cut_from_where_the_draws_say(project):
    stage.synthesize("crops", CROPS, RANDOM, seed=1)
    clean = Shard(project / "data/sets/clean/train")
    inputs, targets = pair(project, "crops", "train")
    check_pairing(inputs, targets, 2, "inputs", "targets")
    draws = read_json(project / "data/pairs/crops/inputs/train/draws.json")
    assert len(targets) == len(draws) == 30 and len(set(targets.names)) == 30
    for entry, target, draw in zip(targets.images, targets, draws):
        image = clean[clean.names.index(draw["image"])]
        assert (target == image[draw["top"] : draw["top"] + 24, draw["left"] : draw["left"] + 24]).all()
        assert entry["scene"] == draw["image"] and draw["name"] == entry["name"] and 0.2 <= draw["blur_sigma"] <= 3
    assert {draw["image"] for draw in draws} == {"a", "b/c"}
    made = read_json(project / "data/pairs/crops/inputs/manifest.json")["splits"]
    assert made["train"]["images_smaller_than_a_crop"] == 1 and made["train"]["images"] == 2
    assert made["val"]["pairs"] == 1 and pair(project, "crops", "val")[1][0].shape == (42, 38, 3)


def test_images_are_chosen_by_area(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small, large = np.zeros((24, 30, 3), np.uint8), np.zeros((60, 48, 3), np.uint8)
    write_shard(tmp_path / "clean", {"small": small, "large": large})
    entry = CROPS.model_copy(update={"size": 8})
    chosen = [make_pair(tmp_path / "clean", entry, BICUBIC, None, 1, "k", "train", index)[2] for index in range(600)]
    assert np.mean([place["image"] == 1 for place in chosen]) == pytest.approx(0.8, abs=0.05)
    assert {place["top"] for place in chosen if place["image"] == 0} == set(range(17))


def test_any_number_of_workers_gives_the_same_bytes(project, monkeypatch):
    monkeypatch.setattr(stage, "IN_FLIGHT", 8 * 24 * 24)  # several slabs
    made = []
    for jobs in (1, 2):
        stage.synthesize("crops", CROPS, RANDOM, seed=1, jobs=jobs)
        made.append(files_below(project / "data/pairs/crops"))
    assert made[0] == made[1]
    stage.synthesize("crops", CROPS, RANDOM, seed=2, jobs=1)
    assert files_below(project / "data/pairs/crops") != made[0]


def test_one_pair_can_be_made_again_by_itself(project):
    stage.synthesize("crops", CROPS, RANDOM, seed=1)
    image, _, _ = make_pair(project / "data/sets/clean/train", CROPS, RANDOM, None, 1, "crops", "train", 17)
    assert (image == pair(project, "crops", "train")[0][17]).all()


def test_what_cannot_be_made_is_refused_by_name(project):
    with pytest.raises(ValueError, match=r"pairs.crops.size: no train image of sets.clean holds a crop of 200x200"):
        stage.synthesize("crops", CROPS.model_copy(update={"size": 200}), RANDOM, seed=1)
    write_shard(project / "data/sets/clean/val", {"speck": np.zeros((3, 9, 3), np.uint8)})
    with pytest.raises(ValueError, match="'speck' of sets.clean is 3 pixels across, too small to be divided by 4"):
        stage.synthesize("sr", WHOLE, BICUBIC, seed=1)
    write_shard(project / "data/sets/clean/train", {"deep": np.zeros((30, 30, 3), np.uint16)})
    with pytest.raises(ValueError, match="sets.clean: train holds uint16 images, wanted uint8"):
        stage.synthesize("sr", WHOLE, BICUBIC, seed=1)


MOIRE = Pairs(clean="clean", recipe="moire", calibration="none", scale=1, patches=12, size=24)
SCREENS = Moire(**yaml.safe_load((ROOT / "params.yaml").read_text())["recipes"]["moire"] | {"whole": 32})


def test_moire_pairs_are_the_same_for_any_number_of_workers_and_one_by_one(project, monkeypatch):
    monkeypatch.setattr(stage, "IN_FLIGHT", 5 * 24 * 24)
    made = []
    for jobs in (1, 2):
        stage.synthesize("moire", MOIRE, SCREENS, seed=1, jobs=jobs)
        made.append(files_below(project / "data/pairs/moire"))
    assert made[0] == made[1]
    inputs, targets = pair(project, "moire", "train")
    assert check_pairing(inputs, targets, 1, "inputs", "targets") == 1 and len(inputs) == 12
    again, target, record = make_pair(project / "data/sets/clean/train", MOIRE, SCREENS, None, 1, "moire", "train", 7)
    assert (again == inputs[7]).all() and (target == targets[7]).all()
    draws = read_json(project / "data/pairs/moire/inputs/train/draws.json")
    assert draws[7] == record | {"name": targets.names[7], "image": draws[7]["image"]}
    assert {draw["image"] for draw in draws} == {"a", "b/c"} and targets[0].shape == inputs[0].shape == (24, 24, 3)


def test_moire_is_exposed_for_the_whole_image(project):
    clean, made = project / "data/sets/clean/train", []
    for share in (0, 0.5):
        recipe = SCREENS.model_copy(update={"metering": share})
        made.append(make_pair(clean, MOIRE, recipe, None, 1, "moire", "train", 3)[2])
    plain, exposed = made
    image = Shard(clean)[plain["image"]]
    assert exposed == plain | {"exposure": pytest.approx(plain["exposure"] + metered(image, 0.5))} and metered(image, 0.5) != 0


def test_whole_moire_pairs_fit_into_their_image_and_the_bound(project):
    sizes = {"wide": (300, 400, 3), "d": (43, 38, 3)}
    write_shard(project / "data/sets/clean/val", {name: np.zeros(size, np.uint8) for name, size in sizes.items()})
    stage.synthesize("moire", MOIRE, SCREENS, seed=1, jobs=1)
    _, targets = pair(project, "moire", "val")
    assert targets[0].shape == (32, 32, 3) and targets.names == ["wide", "d"]
    for draw in read_json(project / "data/pairs/moire/inputs/val/draws.json"):
        assert 0 <= draw["top"] and draw["top"] + draw["height"] <= sizes[draw["image"]][0]


def test_mistakes_of_the_user_end_in_one_line(project):
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    run, env = ["python", "-m", "pipeline.stages.synthesize"], warm.environment() | {"PYTHONPATH": str(ROOT)}
    for key, message in (("nonsense", "pairs.nonsense: no such entry"),
                         ("sr", "pairs.sr.size: no train image")):
        done = subprocess.run([*run, key], env=env, cwd=project, capture_output=True, text=True)
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def test_synthesis_starts_without_the_heavy_packages():
    code = "import sys, pipeline.stages.synthesize; print({'torch', 'pandas', 'skimage'} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.strip() == "none"
