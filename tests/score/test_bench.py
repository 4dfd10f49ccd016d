import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, params_with_all_systems, smooth_image, write_shard
from skimage.metrics import peak_signal_noise_ratio

from pipeline.compare.revisions import parse_images
from pipeline.core.graph import graph
from pipeline.core.params import parse
from pipeline.degrade.bicubic import resize_uint8
from pipeline.images import test_sets
from pipeline.images.shards import Shard, write_absent
from pipeline.nets.build import build
from pipeline.restore.manifest import save_absent
from pipeline.restore.network import save_network
from pipeline.score import critic
from pipeline.score.names import TEST_SETS, Control, control_rows, reading_order
from pipeline.score.score import Scorer
from pipeline.stages import bench

OPTIONS = {"scale": 2, "blocks": 1, "features": 4}


def make(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Test sets at x2 with a far set without truth, and the networks of system sr-edsr but for an absent oracle, in what is
    then the current folder."""
    patch.chdir(folder)
    patch.setattr(critic, "PATCHES", 64)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["bench"] |= {"border": 2, "swd_projections": 8, "swd_patches": 64, "niqe_patch": 16, "sharpen": [0.3, 0.7],
                        "noise": [0, 3], "mix_input": [0.25],
                        "critic_steps": 3, "critic_batch": 4, "critic_patch": 32, "critic_features": 4}
    values["threads"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    rng = np.random.default_rng(7)
    for name in TEST_SETS:
        large = {f"{name}{i}": noisy(rng, 66 + 2 * i, 50) for i in range(2)}
        small = {n: cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for n, x in large.items()}
        write_shard(side("inputs", name), small)
        write_shard(side("targets", name), large)
    remove(side("targets", "captures-far"), "sets.sr-far-truth.folder is data/none")
    write_shard(folder / "data/tests/sr/reference", {"r0": noisy(rng, 80, 64), "r1": noisy(rng, 64, 80)})
    for i, name in enumerate(("sr-edsr", "sr-edsr-gan", "sr-edsr-stage2", "sr-edsr-round2")):
        torch.manual_seed(i)
        save_network(folder / "models" / name, build("edsr", OPTIONS), "edsr", OPTIONS, {})
    save_absent(folder / "models/sr-edsr-oracle", "sets.sr-truth.folder is data/none")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    return make(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    with pytest.MonkeyPatch.context() as patch:
        make(folder, patch)
        bench.main("systems", "sr-edsr")
        for row in ("sr-edsr-oracle", "sr-edsr-round2", "sr-input"):
            bench.main("rows", row)
    return folder


@pytest.fixture
def scored(scored_once, tmp_path, monkeypatch) -> Path:
    """A project in which the system and these rows are scored."""
    monkeypatch.chdir(shutil.copytree(scored_once, tmp_path / "scored"))
    monkeypatch.setattr(critic, "PATCHES", 64)
    return tmp_path / "scored"


def side(inputs_or_targets, name):
    return test_sets.folder_of(Path("data/tests/sr"), inputs_or_targets, name)


def remove(folder, reason):
    shutil.rmtree(folder)
    write_absent(folder, reason)


def noisy(rng, height, width):
    """Structure with enough noise that no patch of it is flat."""
    return np.clip(smooth_image(rng, height, width) + rng.normal(0, 8, (height, width, 3)), 0, 255).astype(np.uint8)


def scores(key, task="sr"):
    with open(f"data/bench/{task}/{key}.json") as handle:
        return json.load(handle)


def per_image(key):
    with open(f"metrics/images/{key}.csv", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_system_has_its_rows_and_says_what_is_missing(scored):
    found, oracle = scores("sr-edsr"), scores("sr-edsr-oracle")
    controls = {Control(sharpen=a, noise=n).of("sr-edsr") for a in (0.3, 0.7) for n in (0, 3)} | {"sr-edsr+input25"}
    assert "sr-edsr+sharpen70+noise3" in controls
    assert set(found["rows"]) == {"sr-edsr", "sr-edsr-gan", "sr-edsr-stage2"} | controls
    assert set(found["rows"]["sr-edsr-stage2"]) == set(TEST_SETS)
    assert set(found["rows"]["sr-edsr+sharpen70"]) == {"captures", "captures-val"}
    single = {"swd", "swd_0", "swd_low", "niqe"}
    paired, blind = {"psnr", "ssim", "psnr_y", "ssim_y"}, {"critic_auc", "drift", "residual", "sharpness"}
    assert set(found["rows"]["sr-edsr"]["captures"]) == paired | single | blind
    assert set(found["rows"]["sr-edsr"]["synthetic"]) == paired | single
    assert set(found["rows"]["sr-edsr"]["captures-far"]) == single
    missing = {(item["row"], item["test_set"], item["metric"]): item["reason"] for item in found["absent"]}
    assert not oracle["rows"] and oracle["absent"] == [
        {"row": "sr-edsr-oracle", "test_set": "*", "metric": "*", "reason": "sets.sr-truth.folder is data/none"}]
    assert not len(Shard(scored / "data/crops/sr/sr-edsr-oracle/outputs"))
    assert parse_images((scored / "metrics/images/sr-edsr-oracle.csv").read_text()).empty
    assert missing["sr-edsr", "captures-far", "psnr"] == "no truth: sets.sr-far-truth.folder is data/none"
    assert "fetch-trunks" in missing["sr-edsr", "captures", "lpips_alex"]
    assert "niqe_pris_params.npz is not there" in missing["sr-edsr", "captures", "niqe_published"]
    assert not [key for key in missing if key[2] in ("lpips_vgg", "lpips_squeeze")]  # nobody asked for them
    assert found["counts"]["captures"] == {"images": 2, "scenes": 2} and found["counts"]["reference"]["images"] == 2
    weights = sum(p.numel() for p in build("edsr", OPTIONS).parameters() if p.requires_grad)
    assert found["parameters"] == dict.fromkeys(found["rows"], weights)
    assert not (scored / ".work/bench/sr-edsr").exists()
    assert not [item for item in found["absent"] if item["metric"] in blind]  # what is not wanted is not missing


def test_without_an_entry_of_far_its_test_set_is_neither_scored_nor_missed(project):
    """What an entry that is gone has left on the disk is not scored."""
    values = yaml.safe_load((project / "params.yaml").read_text())
    del values["far"]["sr"]
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    for _ in range(2):
        bench.main("rows", "sr-input")
        found = scores("sr-input")
        assert set(found["rows"]["input"]) == set(TEST_SETS) - {"captures-far"}
        assert "captures-far" not in {item["test_set"] for item in found["absent"]} | {
            line["test_set"] for line in per_image("sr-input")}
        for each in ("inputs", "targets"):
            shutil.rmtree(side(each, "captures-far").parent, ignore_errors=True)


def test_the_input_row_is_bicubic_enlargement_scored_after_the_border_is_cut(project):
    bench.main("rows", "sr-input")
    found = scores("sr-input")
    assert list(found["rows"]) == ["input"] and found["parameters"] == {"input": 0}
    inputs, targets = (Shard(side(name, "synthetic")) for name in ("inputs", "targets"))
    values = []
    for small, large in zip(inputs, targets):
        image = torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float()
        # the only bicubic of torch with a = -0.5, as ours
        bigger = torch.nn.functional.interpolate(image, scale_factor=2, mode="bicubic", antialias=True)
        output = bigger[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
        values.append(peak_signal_noise_ratio(large[2:-2, 2:-2], output[2:-2, 2:-2], data_range=255))
    assert found["rows"]["input"]["synthetic"]["psnr"] == pytest.approx(np.mean(values), abs=0.1)
    lines = [line for line in per_image("sr-input") if line["test_set"] == "synthetic"]
    assert [float(line["psnr"]) for line in lines] == pytest.approx(values, abs=0.1)
    assert [line["image"] for line in lines] == inputs.names


def test_crops_of_what_was_scored_are_kept_for_the_report(scored):
    crops = {key: {name: Shard(scored / "data/crops/sr" / key / name) for name in ("inputs", "targets", "outputs")}
             for key in ("sr-edsr", "sr-input")}
    found, other = crops["sr-edsr"], crops["sr-input"]
    assert {(entry["row"], entry["scene"]) for entry in found["outputs"].images} == {
        (row, scene) for row in scores("sr-edsr")["rows"] for scene in ("captures0", "captures1")}
    assert {entry["test_set"] for entry in found["outputs"].images} == {"captures"}
    whole = Shard(side("inputs", "captures"))
    assert [entry["place"] for entry in found["inputs"].images] == ["detail", "random"] * 2  # of two scenes
    for i in range(4):  # the smaller side of the truth, of 50 pixels, is all there
        small, large, image = found["inputs"][i], other["outputs"][i], whole[i // 2]
        assert small.shape == (25, 25, 3) and large.shape == found["targets"][i].shape == (50, 50, 3)
        enlarged = resize_uint8(image, 2 * image.shape[0], 2 * image.shape[1])
        top = next(y for y in range(image.shape[0] - 24) if (image[y : y + 25] == small).all())
        assert (large == enlarged[2 * top : 2 * top + 50]).all() and (other["inputs"][i] == small).all()
    assert set(scores("sr-edsr")["manifests"]) == {"sr-edsr", "sr-edsr-gan", "sr-edsr-stage2"}


def test_channels_border_and_rounding_are_those_of_the_params(project):
    def scored(**changes):
        values = yaml.safe_load((project / "params.yaml").read_text())
        values["bench"] |= changes
        (project / "params.yaml").write_text(yaml.safe_dump(values))
        bench.main("rows", "sr-input")
        return scores("sr-input")["rows"]["input"]["synthetic"]

    both, rounded = scored(), scored(round_luma=True)
    assert both["psnr"] == rounded["psnr"] and both["psnr_y"] != rounded["psnr_y"] and both["ssim_y"] != rounded["ssim_y"]
    luma_only = scored(channels=["y"], round_luma=False)
    assert luma_only == {key: value for key, value in both.items() if key not in ("psnr", "ssim")}
    wider = scored(border=5)
    assert wider["psnr_y"] != both["psnr_y"] and wider["niqe"] == both["niqe"]
    small, large = (Shard(side(name, "synthetic")) for name in ("inputs", "targets"))
    grey = [[image[5:-5, 5:-5] @ np.array([65.481, 128.553, 24.966]) / 255 for image in pair] for pair in (
        [resize_uint8(image, 2 * image.shape[0], 2 * image.shape[1]) for image in small], large)]
    wanted = np.mean([10 * np.log10(255**2 / np.mean((a - b) ** 2)) for a, b in zip(*grey)])
    assert wider["psnr_y"] == pytest.approx(wanted, abs=1e-4)


def test_means_are_those_of_the_images_and_what_is_missing_is_an_empty_field(scored):
    row = scores("sr-edsr-round2")["rows"]["sr-edsr-round2"]
    lines = per_image("sr-edsr-round2")
    assert len(lines) == 2 * len(TEST_SETS)
    for metric in ("psnr", "ssim", "psnr_y", "ssim_y", "niqe", "drift", "residual", "sharpness"):
        values = [float(line[metric]) for line in lines if line["test_set"] == "captures"]
        assert row["captures"][metric] == pytest.approx(np.mean(values), abs=1e-4)
    assert {line["lpips_alex"] for line in lines} == {""}
    assert {line["psnr"] for line in lines if line["test_set"] == "captures-far"} == {""}
    assert all(value == round(value, 4) for sets in row.values() for value in sets.values())


def test_what_the_choice_sees_is_the_same_without_truth(scored):
    files = [scored / f"data/blind/sr/{key}.json" for key in ("sr-edsr", "sr-edsr-round2", "sr-input")]
    before = [file.read_bytes() for file in files]
    seen, of_round, of_input = (json.loads(content) for content in before)
    assert set(seen["rows"]) == {"sr-edsr", "sr-edsr-stage2"} and set(of_round["rows"]) == {"sr-edsr-round2"}
    assert of_input == {"rows": {}, "absent": [], "counts": {"images": 2, "scenes": 2}}
    assert set(seen["rows"]["sr-edsr"]) == {"swd", "swd_0", "swd_low", "niqe", "critic_auc", "drift", "residual", "sharpness"}
    for name in TEST_SETS:
        remove(side("targets", name), "gone")
    bench.main("systems", "sr-edsr")
    for row in ("sr-edsr-round2", "sr-input"):
        bench.main("rows", row)
    assert [file.read_bytes() for file in files] == before
    assert "psnr" not in scores("sr-edsr")["rows"]["sr-edsr"]["captures-val"]


def test_scoring_twice_gives_the_same_bytes_however_many_images_at_a_time(scored, monkeypatch):
    files = [scored / "data/bench/sr/sr-edsr.json", scored / "metrics/images/sr-edsr.csv"]
    one_at_a_time = [file.read_bytes() for file in files]
    monkeypatch.setattr(bench, "Scorer", lambda *given: Scorer(*given[:-1], 3))
    bench.main("systems", "sr-edsr")
    assert [file.read_bytes() for file in files] == one_at_a_time


def test_what_needs_weights_is_scored_when_they_are_there(project, data_folder):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["bench"]["lpips"] = ["alex", "vgg", "squeeze"]
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    (project / "data/trunks").mkdir()
    for name in ("alexnet_features.pth", "squeezenet1_1_features.pth", "niqe_pris_params.npz"):
        shutil.copy(data_folder / "weights" / name, project / "data/trunks")
    rng = np.random.default_rng(0)
    large = noisy(rng, 194, 210)  # NIQE's published model has patches of 96
    write_shard(side("inputs", "captures"), {"large": cv2.resize(large, (105, 97))})
    write_shard(side("targets", "captures"), {"large": large})
    bench.main("rows", "sr-input")
    found, line = scores("sr-input"), [line for line in per_image("sr-input") if line["image"] == "large"][0]
    row = found["rows"]["input"]
    assert 0 < row["captures"]["lpips_alex"] < 2 and "lpips_alex" not in row["captures-far"]
    for metric in ("lpips_alex", "lpips_squeeze", "niqe", "niqe_published"):
        assert float(line[metric]) == pytest.approx(row["captures"][metric], abs=1e-4)
    assert line["lpips_vgg"] == "" and row["captures"]["niqe_published"] != row["captures"]["niqe"]
    missing = {(item["test_set"], item["metric"]): item["reason"] for item in found["absent"]}
    assert "vgg16_features.pth is not there" in missing["captures", "lpips_vgg"]
    assert missing["captures-far", "lpips_alex"].startswith("no truth: ")
    assert missing["synthetic", "niqe_published"].startswith("NIQE needs 2 patches of 96x96")


def test_rows_are_read_from_input_to_oracle():
    params = parse(yaml.safe_load((ROOT / "params.yaml").read_text()))
    order = reading_order(graph(params), "sr")
    system = [row for row in order if row.startswith("sr-edsr") and not row.startswith(("sr-edsr-bicubic", "sr-edsr-cal"))]
    assert order[0] == "input"
    networks = ["sr-edsr", "sr-edsr-gan", "sr-edsr-stage2", "sr-edsr-round2", "sr-edsr-oracle"]
    assert [row for row in system if "+" not in row] == networks
    srresnet = [row for row in reading_order(graph(parse(params_with_all_systems())), "sr") if row.startswith("sr-srresnet")]
    networks = ["sr-srresnet", *(f"sr-srresnet-{kind}" for kind in ("adabn", "gan", "stage2", "oracle"))]
    assert [row for row in srresnet if "+" not in row] == networks
    assert system[1:9] == list(control_rows("sr-edsr", params.bench, params.tests["sr"]))
    assert system[1:4] == ["sr-edsr+input50", "sr-edsr+input25", "sr-edsr+sharpen30"]
