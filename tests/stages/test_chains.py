"""Domain mapping by params alone: from clean images to a table of chains, tiny."""
import json

import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image, with_presets, write_shard

from pipeline.core.files import read_json
from pipeline.images.shards import Shard
from pipeline.stages import bench, combine, evaluate, label, stage1, stage2, synthesize, tests

PAIRS, NETWORKS = ("blindsr", "blindsr-x4", "blindsr-x2"), ("blindsr-map2", "blindsr-map", "blindsr-x2")
ROWS = ("blindsr-bicubic-input", "blindsr-x2x2", "blindsr-input", "blindsr-map-x2x2", "blindsr-map2-x2-specialised")
CHAINS = ("blindsr-x2x2", "blindsr-map-x2x2", "blindsr-map2-x2-specialised")
TINY = {"steps": 3, "batch": 2, "patch": 8, "validate_every": 2}


def put(values: dict, changes: dict) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            put(values[key], value)
        else:
            values[key] = value


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The preset p2 with networks of three steps and few of its rows, reproduced from clean images of odd sizes on."""
    folder = tmp_path_factory.mktemp("p2")
    values = yaml.safe_load(with_presets("p2"))
    put(values, {"threads": 1, "stage1": TINY, "supervised": TINY,
                 "bench": {"lpips": [], "niqe_patch": 16, "swd_projections": 8, "swd_patches": 64}})
    for network in values["networks"].values():
        small = {"blocks": 1, "features": 8} | ({"groups": 1} if network["arch"] == "rcan" else {})
        network |= {"options": network["options"] | small, "stage1": {}}
    for entry in values["finetunes"].values():
        entry["overrides"] = {}
    values["rows"] = {key: row for key, row in values["rows"].items() if row["task"] != "blindsr" or key in ROWS}
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    rng = np.random.default_rng(0)
    for split, count in {"train": 3, "val": 1, "test": 2, "holdout": 2}.items():
        images = {f"{split}{i}": smooth_image(rng, 83 + i, 74) + rng.integers(0, 9, (83 + i, 74, 1)).astype(np.uint8)
                  for i in range(count)}
        write_shard(folder / "data/sets/clean" / split, images)
    (folder / "data/sets/none").symlink_to(ROOT / "data/sets/none")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for key in PAIRS:
            synthesize.main(key)
        for name in NETWORKS:
            stage1.main(name)
        label.main("labels", "blindsr-mapped2")
        stage2.main("finetune", "blindsr-x2-specialised")
        for name in CHAINS:
            combine.main("chains", name)
        for key in ("blindsr-bicubic", "blindsr"):
            tests.main("tests", key)
        for key in ROWS:
            bench.main("rows", key)
        evaluate.main("blindsr")
    return folder


def test_a_mapping_is_trained_from_inputs_to_inputs(project):
    made = read_json(project / "models/blindsr-map2/manifest.json")
    inputs, targets = (Shard(project / "data/pairs" / key / "inputs/train") for key in ("blindsr", "blindsr-x2"))
    assert made["scale"] == 2 and made["made"]["inputs"] == inputs.sha256 and made["made"]["targets"] == targets.sha256
    mapped = Shard(project / "data/labels/blindsr-mapped2/train")
    assert [image["height"] for image in mapped.images] == [image["height"] for image in targets.images]
    assert read_json(project / "models/blindsr-x2-specialised/manifest.json")["made"]["inputs"] == mapped.sha256


def test_chains_are_scored_on_the_tests_they_name(project):
    scores = json.loads((project / "metrics/blindsr.json").read_text())
    assert set(scores) == {"bicubic-input", "blindsr-x2x2", "input", "blindsr-map-x2x2", "blindsr-map2-x2-specialised"}
    for sets in scores.values():
        assert set(sets) == {"synthetic", "synthetic-val"} and {"psnr", "ssim", "swd"} <= set(sets["synthetic"])
    assert scores["input"]["synthetic"]["psnr"] != scores["bicubic-input"]["synthetic"]["psnr"]
    found = read_json(project / "data/bench/blindsr/blindsr-map-x2x2.json")
    sizes = {name: read_json(project / "models" / name / "manifest.json")["parameters"] for name in NETWORKS}
    assert found["networks"]["blindsr-map-x2x2"] == ["blindsr-map", "blindsr-x2", "blindsr-x2"]
    assert found["parameters"]["blindsr-map-x2x2"] == sizes["blindsr-map"] + sizes["blindsr-x2"]  # the second time is free
    assert set(found["flop"]) == {"blindsr-map", "blindsr-x2"}


def test_the_tables_are_in_the_papers_order_with_its_figures(project):
    text = (project / "metrics/tables/blindsr.md").read_text()
    table = {}
    for part in text.split("\n## ")[1:]:
        heading, *lines = part.splitlines()
        table[heading.partition(" (")[0]] = [[cell.strip() for cell in line.strip("|").split("|")]
                                             for line in lines if line.startswith("|")]
    assert list(table) == ["blindsr-bicubic: synthetic", "blindsr-bicubic: synthetic-val", "blindsr: synthetic",
                           "blindsr: synthetic-val", "Weights and training"]
    first = table["blindsr: synthetic"]
    assert first[0][-3:] == ["PSNR, paper", "SSIM, paper", "LPIPS-Alex, paper"]
    assert [line[0] for line in first[2:]] == ["input", "blindsr-map-x2x2", "blindsr-map2-x2-specialised"]
    assert [line[-3:] for line in first[2:]] == [["", "", ""], ["28.429", "0.813", "0.2977"], ["28.922", "0.833", "0.2682"]]
    assert not [cell for cell in table["blindsr: synthetic-val"][0] if "paper" in cell]
    spent = {line[0]: line[3:] for line in table["Weights and training"]}
    assert spent["blindsr-map2-x2-specialised"][::2] == ["6", "9"] and spent["blindsr-x2x2"][::2] == ["3", "3"]
    words = " ".join(text.split())
    assert "Table 2 of its unknown x4 ones, measured on other data" in words
    assert text.count("Not computed:") == 1 and text.index("Weights and training") < text.index("Not computed:")
    assert "- blindsr: all metrics; all rows; captures captures-val: no set is named here" in text
    assert "captures-far" not in text  # params.yaml has no entry of far for it, so nothing is missed
