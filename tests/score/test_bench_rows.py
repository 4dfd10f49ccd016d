"""Rows of several networks, outputs that are not as they should be, and scores that do not exist."""
# ruff: noqa: F811
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from conftest import write_shard
from test_bench import OPTIONS, noisy, per_image, project, remove, scores, side  # noqa: F401

from pipeline.core.files import read_json
from pipeline.core.graph import graph
from pipeline.core.params import load
from pipeline.images.shards import Shard
from pipeline.nets.build import build
from pipeline.restore.named import named
from pipeline.restore.network import save_network
from pipeline.restore.tiles import restore as model_restore
from pipeline.score.names import TEST_SETS
from pipeline.score.score import by_kind
from pipeline.stages import bench, combine


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
