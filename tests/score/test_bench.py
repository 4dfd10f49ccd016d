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
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from pipeline.compare.revisions import parse_images
from pipeline.core.files import read_json
from pipeline.core.graph import graph
from pipeline.core.params import load, parse
from pipeline.degrade.bicubic import resize_uint8
from pipeline.images import test_sets
from pipeline.images.shards import Shard, write_absent
from pipeline.nets.build import build
from pipeline.restore.manifest import save_absent
from pipeline.restore.named import named
from pipeline.restore.network import save_network
from pipeline.restore.tiles import restore as model_restore
from pipeline.score.names import TEST_SETS, Control, control_rows, reading_order
from pipeline.score.score import Scorer, by_kind
from pipeline.stages import bench, combine

OPTIONS = {"scale": 2, "blocks": 1, "features": 4}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Test sets at x2 with a far set without truth, and the networks of system sr-edsr but for an absent oracle."""
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["bench"] |= {"border": 2, "swd_projections": 8, "swd_patches": 64, "niqe_patch": 16, "sharpen": [0.3, 0.7],
                        "noise": [0, 3], "mix_input": [0.25],
                        "critic_steps": 3, "critic_batch": 4, "critic_patch": 32, "critic_features": 4}
    values["threads"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    rng = np.random.default_rng(7)
    for name in TEST_SETS:
        large = {f"{name}{i}": noisy(rng, 66 + 2 * i, 50) for i in range(2)}
        small = {n: cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for n, x in large.items()}
        write_shard(side("inputs", name), small)
        write_shard(side("targets", name), large)
    remove(side("targets", "captures-far"), "sets.sr-far-truth.folder is data/none")
    write_shard(tmp_path / "data/tests/sr/reference", {"r0": noisy(rng, 80, 64), "r1": noisy(rng, 64, 80)})
    for i, name in enumerate(("sr-edsr", "sr-edsr-gan", "sr-edsr-stage2", "sr-edsr-round2")):
        torch.manual_seed(i)
        save_network(tmp_path / "models" / name, build("edsr", OPTIONS), "edsr", OPTIONS, {})
    save_absent(tmp_path / "models/sr-edsr-oracle", "sets.sr-truth.folder is data/none")
    return tmp_path


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


def test_a_system_has_its_rows_and_says_what_is_missing(project):
    bench.main("systems", "sr-edsr")
    bench.main("rows", "sr-edsr-oracle")
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
    assert not len(Shard(project / "data/crops/sr/sr-edsr-oracle/outputs"))
    assert parse_images((project / "metrics/images/sr-edsr-oracle.csv").read_text()).empty
    assert missing["sr-edsr", "captures-far", "psnr"] == "no truth: sets.sr-far-truth.folder is data/none"
    assert "fetch-trunks" in missing["sr-edsr", "captures", "lpips_alex"]
    assert "niqe_pris_params.npz is not there" in missing["sr-edsr", "captures", "niqe_published"]
    assert not [key for key in missing if key[2] in ("lpips_vgg", "lpips_squeeze")]  # nobody asked for them
    assert found["counts"]["captures"] == {"images": 2, "scenes": 2} and found["counts"]["reference"]["images"] == 2
    weights = sum(p.numel() for p in build("edsr", OPTIONS).parameters() if p.requires_grad)
    assert found["parameters"] == dict.fromkeys(found["rows"], weights)
    assert not (project / ".work/bench/sr-edsr").exists()
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


def test_crops_of_what_was_scored_are_kept_for_the_report(project):
    bench.main("systems", "sr-edsr")
    bench.main("rows", "sr-input")
    crops = {key: {name: Shard(project / "data/crops/sr" / key / name) for name in ("inputs", "targets", "outputs")}
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


def test_means_are_those_of_the_images_and_what_is_missing_is_an_empty_field(project):
    bench.main("rows", "sr-edsr-round2")
    row = scores("sr-edsr-round2")["rows"]["sr-edsr-round2"]
    lines = per_image("sr-edsr-round2")
    assert len(lines) == 2 * len(TEST_SETS)
    for metric in ("psnr", "ssim", "psnr_y", "ssim_y", "niqe", "drift", "residual", "sharpness"):
        values = [float(line[metric]) for line in lines if line["test_set"] == "captures"]
        assert row["captures"][metric] == pytest.approx(np.mean(values), abs=1e-4)
    assert {line["lpips_alex"] for line in lines} == {""}
    assert {line["psnr"] for line in lines if line["test_set"] == "captures-far"} == {""}
    assert all(value == round(value, 4) for sets in row.values() for value in sets.values())


def test_what_the_choice_sees_is_the_same_without_truth(project):
    files = [project / f"data/blind/sr/{key}.json" for key in ("sr-edsr", "sr-edsr-round2", "sr-input")]

    def run():
        bench.main("systems", "sr-edsr")
        bench.main("rows", "sr-edsr-round2")
        bench.main("rows", "sr-input")
        return [file.read_bytes() for file in files]

    before = run()
    seen, of_round, of_input = (json.loads(content) for content in before)
    assert set(seen["rows"]) == {"sr-edsr", "sr-edsr-stage2"} and set(of_round["rows"]) == {"sr-edsr-round2"}
    assert of_input == {"rows": {}, "absent": [], "counts": {"images": 2, "scenes": 2}}
    assert set(seen["rows"]["sr-edsr"]) == {"swd", "swd_0", "swd_low", "niqe", "critic_auc", "drift", "residual", "sharpness"}
    for name in TEST_SETS:
        remove(side("targets", name), "gone")
    assert run() == before and "psnr" not in scores("sr-edsr")["rows"]["sr-edsr"]["captures-val"]


def test_metrics_are_computed_where_the_tests_ask_for_them(project):
    bench.main("rows", "sr-input")
    before, lines = scores("sr-input"), per_image("sr-input")
    assert not {"moire_energy", "flat_noise", "psnr_aligned"} & lines[0].keys()
    flat = np.full((64, 64, 3), 99, np.uint8)
    flat[30:32] = 60
    inputs = {"flat": flat[::2, ::2] + 9, "textured": noisy(np.random.default_rng(1), 32, 32)}
    write_shard(side("inputs", "captures"), inputs)
    targets = {"flat": flat, "textured": noisy(np.random.default_rng(2), 64, 64)}
    write_shard(side("targets", "captures"), targets)
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["sr"]["metrics"] = ["moire_energy", "psnr_aligned"]
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    bench.main("rows", "sr-input")
    found = scores("sr-input")
    on_captures, lines = found["rows"]["input"]["captures"], {line["image"]: line for line in per_image("sr-input")}
    assert {"moire_energy", "psnr_aligned"} < on_captures.keys() and "flat_noise" not in on_captures
    assert float(lines["flat"]["psnr_aligned"]) > float(lines["flat"]["psnr"]) + 5
    assert on_captures["moire_energy"] == float(lines["flat"]["moire_energy"]) and lines["textured"]["moire_energy"] == ""
    reasons = {(item["test_set"], item["metric"]): item["reason"] for item in found["absent"]}
    assert reasons["captures", "moire_energy"].startswith("1 of 2 images are left out of the mean: the truth has no flat area")
    assert reasons["synthetic", "moire_energy"].startswith("the truth has no flat area")
    assert all(reasons["captures-far", metric].startswith("no truth: ") for metric in ("moire_energy", "psnr_aligned"))
    same = {metric: value for metric, value in found["rows"]["input"]["synthetic"].items() if metric != "psnr_aligned"}
    assert same == before["rows"]["input"]["synthetic"]
    bench.main("rows", "sr-edsr-round2")
    with open("data/blind/sr/sr-edsr-round2.json") as handle:
        blind = handle.read()
    assert "aligned" not in blind and "moire" not in blind  # the choice is made without truth


def test_blur_and_tone_are_controls_where_they_are_asked_for(project, monkeypatch):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["bench"] |= {"sharpen": [], "noise": [], "mix_input": []}
    values["tests"]["sr"] |= {"blur": [0.5, 1.5], "match_tone": True}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    kept, original = {}, bench.controlled

    def spy(inputs, outputs, clean, folder, row, *rest):
        changed = original(inputs, outputs, clean, folder, row, *rest)
        kept[row] = ([image.copy() for image in outputs], [image.copy() for image in changed])
        return changed

    monkeypatch.setattr(bench, "controlled", spy)
    bench.main("systems", "sr-edsr")
    rows = scores("sr-edsr")["rows"]
    assert [row for row in reading_order(graph(parse(values)), "sr") if row in kept] == [
        "sr-edsr+tone", "sr-edsr+blur1.5", "sr-edsr+blur0.5"]
    assert kept.keys() < rows.keys() and set(rows["sr-edsr+tone"]) == {"captures", "captures-val"}
    outputs, changed = kept["sr-edsr+blur1.5"]
    wanted = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.5, borderType=cv2.BORDER_REFLECT) for image in outputs]
    assert max(abs(a - b).max() for a, b in zip(changed, wanted)) < 0.6
    clean = np.concatenate([image.reshape(-1, 3) for image in Shard(project / "data/tests/sr/reference")])
    toned = np.concatenate([image.reshape(-1, 3) for image in kept["sr-edsr+tone"][1]])
    np.testing.assert_allclose(toned.mean(axis=0), clean.mean(axis=0), atol=5)  # clipping
    remove(project / "data/tests/sr/reference", "no set is named here")
    bench.main("systems", "sr-edsr")
    found = scores("sr-edsr")
    assert "sr-edsr+tone" not in found["rows"] and "sr-edsr+blur0.5" in found["rows"]
    assert "sr-edsr+tone" not in found["parameters"]
    assert {"row": "sr-edsr+tone", "test_set": "*", "metric": "*",
            "reason": "no clean reference: no set is named here"} in found["absent"]


def test_the_input_is_blurred_and_toned_but_no_candidate_and_a_chain_has_no_controls(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["sr"] |= {"blur": [0.7], "match_tone": True}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    bench.main("rows", "sr-input")
    found = scores("sr-input")
    assert found["parameters"] == {"input": 0, "input+tone": 0, "input+blur0.7": 0}  # not sharpened, nor with noise
    assert [set(found["rows"][row]) for row in found["parameters"]] == [set(TEST_SETS), *[{"captures", "captures-val"}] * 2]
    inputs, targets = (Shard(side(name, "captures")) for name in ("inputs", "targets"))
    values = []
    for small, large in zip(inputs, targets):
        bigger = resize_uint8(small, *large.shape[:2]).astype(float)
        blurred = ndimage.gaussian_filter(bigger, (0.7, 0.7, 0), mode="reflect")
        values.append(peak_signal_noise_ratio(large[2:-2, 2:-2], blurred[2:-2, 2:-2].round().astype(np.uint8), data_range=255))
    blurred, untouched = (found["rows"][row]["captures"]["psnr"] for row in ("input+blur0.7", "input"))
    assert blurred == pytest.approx(np.mean(values), abs=0.01) and abs(blurred - untouched) > 0.1
    with open("data/blind/sr/sr-input.json") as handle:
        assert json.load(handle)["rows"] == {}
    bench.main("rows", "sr-edsr-round2")
    assert list(scores("sr-edsr-round2")["rows"]) == ["sr-edsr-round2"]


def test_scoring_twice_gives_the_same_bytes_however_many_images_at_a_time(project, monkeypatch):
    files = [project / "data/bench/sr/sr-edsr.json", project / "metrics/images/sr-edsr.csv"]
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(bench, "Scorer", lambda *given, threads=threads: Scorer(*given[:-1], threads))
        bench.main("systems", "sr-edsr")
        found.append([file.read_bytes() for file in files])
    assert found[0] == found[1]


def add(section, **entries):
    """Add entries to a section of params.yaml, and for each a row that scores it."""
    values = yaml.safe_load(Path("params.yaml").read_text())
    values[section] |= entries
    values["rows"] |= {key: {"task": "sr", "tests": "sr", "network": key} for key in entries}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    for key in entries if section in combine.ARCH else ():
        combine.main(section, key)


def save(name, **options):
    save_network(Path("models", name), build("edsr", OPTIONS | options), "edsr", OPTIONS | options, {})


def rows_of(key):
    return {row.name: row.chain for row in graph(load()).rows("sr") if row.key == key}


def test_a_chain_runs_its_networks_in_turn(project):
    save("map", scale=1)
    add("finetunes", map=yaml.safe_load(Path("params.yaml").read_text())["finetunes"]["sr-edsr-round2"])
    add("chains", chain={"first": "map", "then": "sr-edsr"}, longer={"first": "map", "then": "chain"})
    assert rows_of("chain") == {"chain": ("map", "sr-edsr")} and rows_of("longer") == {"longer": ("map", "map", "sr-edsr")}
    restore, weights = bench.restorer("chain", 2, "cpu")
    image = Shard(side("inputs", "captures"))[0]
    assert restore(image).shape == (2 * image.shape[0], 2 * image.shape[1], 3)
    single = {name: bench.restorer(name, 2, "cpu") for name in ("map", "sr-edsr")}
    assert weights == single["map"][1] + single["sr-edsr"][1]
    two_steps = single["sr-edsr"][0](single["map"][0](image)).astype(int)
    assert abs(two_steps - restore(image)).max() <= 30  # the chain does not round in between
    assert (restore(image) != single["sr-edsr"][0](image)).any()
    of_chains, of_all = bench.restorer("longer", 2, "cpu")
    assert of_all == weights  # of a network that is there twice once
    assert (of_chains(image) == model_restore(named("map", "map", "sr-edsr"), image)).all()


def test_an_ensemble_is_scored_as_one_network_the_mean_of_its_members(project):
    save("map", scale=1)
    add("finetunes", map=yaml.safe_load(Path("params.yaml").read_text())["finetunes"]["sr-edsr-round2"])
    add("chains", chain={"first": "map", "then": "sr-edsr"})
    add("ensembles", both={"first": "sr-edsr", "second": "sr-edsr-stage2"}, mixed={"first": "chain", "second": "both"})
    image = Shard(side("inputs", "captures"))[0]
    exact = {name: model_restore(named(name), image, "float32") for name in ("sr-edsr", "sr-edsr-stage2", "chain")}
    for name, members in (("both", ("sr-edsr", "sr-edsr-stage2")), ("mixed", ("chain", "sr-edsr", "sr-edsr-stage2"))):
        restore, weights = bench.restorer(name, 2, "cpu")
        mean = np.mean([exact[member] for member in members], axis=0)
        assert abs(restore(image) - 255 * mean.clip(0, 1)).max() <= 0.501
        behind = {each for member in members for each in (("map", "sr-edsr") if member == "chain" else (member,))}
        assert weights == sum(bench.restorer(each, 2, "cpu")[1] for each in behind)
    assert rows_of("mixed") == {"mixed": ("mixed",)}
    bench.main("rows", "mixed")
    found = scores("mixed")
    assert set(found["rows"]["mixed"]) == set(TEST_SETS) and found["networks"] == {"mixed": ["mixed"]}
    assert found["parameters"] == {"mixed": bench.restorer("mixed", 2, "cpu")[1]}
    assert set(found["manifests"]) == set(found["flop"]) == {"map", "sr-edsr", "sr-edsr-stage2"}


def test_what_is_made_of_a_network_that_is_absent_is_absent_too(project):
    add("ensembles", both={"first": "sr-edsr", "second": "sr-edsr-oracle"})
    bench.main("rows", "both")
    found = scores("both")
    assert not found["rows"] and not found["networks"]
    assert [item["reason"] for item in found["absent"]] == ["sr-edsr-oracle is absent: sets.sr-truth.folder is data/none"]


def test_an_ensemble_with_an_oracle_is_none_that_may_be_chosen(project):
    save("sr-edsr-oracle")
    add("ensembles", both={"first": "sr-edsr", "second": "sr-edsr-oracle"},
        fair={"first": "sr-edsr", "second": "sr-edsr-stage2"})
    for key, rows in (("both", set()), ("fair", {"fair"})):
        bench.main("rows", key)
        assert read_json(Path(f"data/blind/sr/{key}.json"))["rows"].keys() == rows


def test_outputs_of_the_wrong_size_are_refused(project):
    save_network(project / "models/sr-edsr", build("edsr", OPTIONS | {"scale": 1}), "edsr", OPTIONS | {"scale": 1}, {})
    with pytest.raises(ValueError, match=r"sr-edsr makes 25x33 pixels of 'captures0',.*50x66"):
        bench.main("systems", "sr-edsr")
    assert not (project / "data/bench").exists() and not (project / "metrics").exists()


def test_without_a_reference_there_is_no_swd_and_no_niqe(project):
    remove(project / "data/tests/sr/reference", "no set is named here")
    bench.main("rows", "sr-input")
    found = scores("sr-input")
    assert set(found["rows"]["input"]["synthetic"]) == {"psnr", "ssim", "psnr_y", "ssim_y"}
    assert "captures-far" not in found["rows"]["input"]  # neither truth nor reference
    reasons = {item["reason"] for item in found["absent"] if item["metric"] == "swd"}
    assert reasons == {"no clean reference: no set is named here"}


def test_an_infinite_psnr_and_flat_images_are_left_out_and_named(project):
    grey, noise = np.full((32, 32, 3), 99, np.uint8), noisy(np.random.default_rng(1), 64, 64)
    write_shard(side("inputs", "synthetic"), {"flat": grey, "textured": cv2.resize(noise, (32, 32))})
    write_shard(side("targets", "synthetic"), {"flat": np.full((64, 64, 3), 99, np.uint8), "textured": noise})
    bench.main("rows", "sr-input")
    text = (project / "data/bench/sr/sr-input.json").read_text()
    assert "NaN" not in text and "Infinity" not in text and "null" not in text
    found, lines = scores("sr-input"), {line["image"]: line for line in per_image("sr-input")}
    assert lines["flat"]["psnr"] == lines["flat"]["niqe"] == "" and lines["flat"]["ssim"] == "1.0000"
    assert found["rows"]["input"]["synthetic"]["psnr"] == pytest.approx(float(lines["textured"]["psnr"]), abs=1e-4)
    reasons = {item["metric"]: item["reason"] for item in found["absent"] if item["test_set"] == "synthetic"}
    assert reasons["psnr"].startswith("1 of 2 images are left out of the mean: psnr is not finite")
    assert reasons["niqe"].startswith("1 of 2 images are left out of the mean: NIQE needs")


@pytest.mark.parametrize("textured", [0, 1])
def test_every_kind_of_reason_is_named_with_its_number_of_images(project, textured):
    grey, noise = np.full((64, 64, 3), 99, np.uint8), noisy(np.random.default_rng(1), 64, 64)
    truth = {"flat0": grey, "flat1": grey, "tiny": grey[:4, :4]} | ({"textured": noise} if textured else {})
    write_shard(side("inputs", "synthetic"), {name: image[::2, ::2] for name, image in truth.items()})
    write_shard(side("targets", "synthetic"), truth)
    bench.main("rows", "sr-input")
    (reason,) = (item["reason"] for item in scores("sr-input")["absent"]
                 if (item["test_set"], item["metric"]) == ("synthetic", "psnr"))
    left_out, _, reason = reason.rpartition("left out of the mean: ")
    assert left_out == ("3 of 4 images are " if textured else "")
    infinite, small = reason.split("; ")
    assert infinite.startswith("psnr is not finite") and infinite.endswith("(2 images)")
    assert "4x4" in small and small.endswith("(1 image)")


def test_reasons_that_differ_in_numbers_are_of_one_kind():
    assert by_kind(["needs 4, has 1", "needs 4, has 3"]) == "needs 4, has 1"


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
