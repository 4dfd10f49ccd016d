import csv
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
import yaml
from conftest import ROOT, change
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.files import read_json, sha256
from pipeline.images.shards import Shard, write_absent
from pipeline.restore.network import load_network
from pipeline.stages import combine, label, stage1, stage2
from pipeline.train import run
from pipeline.train.methods.stage2 import Stage2
from pipeline.train.methods.supervised import Supervised
from pipeline.train.run import train_on_pairs


def weights(name):
    return Path("models", name, "network.safetensors").read_bytes()


def curve(name):
    return list(csv.DictReader(open(f"metrics/curves/{name}.csv")))


def test_the_whole_chain_trains_and_every_network_differs(tiny_project):
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    for kind in ("stage2", "gan"):
        stage2.main(kind, "sr-edsr")
    stage2.main("oracle", "sr-edsr-oracle")
    label.main("labels", "sr-edsr-round2")
    stage2.main("finetune", "sr-edsr-round2")
    names = ["sr-edsr", "sr-edsr-stage2", "sr-edsr-gan", "sr-edsr-oracle", "sr-edsr-round2"]
    assert len({weights(name) for name in names}) == 5
    assert [row["step"] for row in curve("sr-edsr")] == ["5", "10", "12"]
    assert 0 <= float(curve("sr-edsr-stage2")[-1]["d_auc"]) <= 1
    manifest = read_json("models/sr-edsr-round2/manifest.json")
    assert manifest["made"]["start"] == "sr-edsr-stage2" and manifest["made"]["clean"]
    assert not list(Path(".work").glob("*/*/state.pt"))


def test_labels_are_the_networks_outputs_in_16_bits(tiny_project):
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    labels, captures = Shard("data/labels/sr-edsr/train"), Shard("data/sets/sr-captures/train")
    network = load_network("models/sr-edsr")
    with torch.no_grad():
        x = torch.from_numpy(captures[1].copy()).permute(2, 0, 1)[None] / 255
        wanted = network(x)[0].permute(1, 2, 0).clamp(0, 1).numpy()
    assert labels.names == captures.names and labels.dtype == np.uint16
    np.testing.assert_allclose(labels[1] / 65535, wanted, atol=1 / 65535)


def test_several_teachers_label_by_the_mean_of_their_outputs(tiny_project):
    values, labels = yaml.safe_load(Path("params.yaml").read_text()), []
    change(networks={"sr-edsr-bicubic": values["networks"]["sr-edsr"]})
    stage1.main("sr-edsr"), stage1.main("sr-edsr-bicubic")
    change(ensembles={"both": {"first": "sr-edsr", "second": "sr-edsr-bicubic"}})
    combine.main("ensembles", "both")
    for teacher in ("sr-edsr", "sr-edsr-bicubic", "both"):
        change(systems={"sr-edsr": values["systems"]["sr-edsr"] | {"teacher": teacher}})
        label.main("systems", "sr-edsr")
        shards = [Shard(f"data/labels/sr-edsr/{split}") for split in ("train", "val")]
        labels.append(np.concatenate([image.ravel() for shard in shards for image in shard]) / 65535)
    one, other, mean = labels
    assert abs(one - other).mean() > 0.01
    np.testing.assert_allclose(mean, (one + other) / 2, atol=1.01 / 65535)
    manifest = read_json("data/labels/sr-edsr/manifest.json")
    assert manifest["teacher"] == {"mean": ["sr-edsr", "sr-edsr-bicubic"]}
    networks = "sr-edsr", "sr-edsr-bicubic"
    assert manifest["weights"] == {name: sha256(f"models/{name}/network.safetensors") for name in networks}
    truth = np.random.default_rng(0).uniform(size=mean.shape)
    gain = ((one - truth) ** 2 + (other - truth) ** 2).mean() / 2 - ((mean - truth) ** 2).mean()
    assert abs(255 * np.sqrt(gain) / manifest["disagreement"] - 1) < 0.05  # the images differ in size


def test_teachers_of_different_scales_are_refused(tiny_project):
    values = yaml.safe_load(Path("params.yaml").read_text())
    same = {"options": {"scale": 1, "blocks": 1, "features": 8}, "inputs": "sets/clean", "targets": "sets/clean"}
    change(networks={"sr-edsr-bicubic": values["networks"]["sr-edsr"] | same},
           ensembles={"both": {"first": "sr-edsr", "second": "sr-edsr-bicubic"}},
           systems={"sr-edsr": values["systems"]["sr-edsr"] | {"teacher": "both"}})
    stage1.main("sr-edsr"), stage1.main("sr-edsr-bicubic")
    with pytest.raises(ValueError, match="ensembles.both: sr-edsr enlarges 2 times and sr-edsr-bicubic 1 times"):
        combine.main("ensembles", "both")
    assert not Path("models/both").exists()


def test_same_params_same_bytes_and_another_seed_others(tiny_project):
    stage1.main("sr-edsr")
    first, first_curve = weights("sr-edsr"), Path("metrics/curves/sr-edsr.csv").read_bytes()
    stage1.main("sr-edsr")
    assert weights("sr-edsr") == first and Path("metrics/curves/sr-edsr.csv").read_bytes() == first_curve
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seed: 1", "seed: 2"))
    stage1.main("sr-edsr")
    assert weights("sr-edsr") != first


def test_deleting_the_truth_leaves_everything_but_the_oracle_as_it_was(tiny_project):
    def train_all():
        stage1.main("sr-edsr")
        label.main("systems", "sr-edsr")
        stage2.main("stage2", "sr-edsr")
        return weights("sr-edsr"), Path("data/labels/sr-edsr/train/images.npy").read_bytes(), weights("sr-edsr-stage2")

    with_truth = train_all()
    for split in ("train", "val"):
        for file in Path("data/sets/sr-truth", split).iterdir():
            file.unlink()
    assert train_all() == with_truth
    for split in ("train", "val"):
        write_absent(Path("data/sets/sr-truth", split), "sets.sr-truth.folder is data/none")
    stage2.main("oracle", "sr-edsr-oracle")
    assert read_json("models/sr-edsr-oracle/manifest.json") == {"absent": "sets.sr-truth.folder is data/none"}
    assert not Path("models/sr-edsr-oracle/network.safetensors").exists()


def test_without_lambda_there_is_no_discriminator_and_the_output_stays_at_the_surrogate(tiny_project):
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    fidelity = {}
    for weight in (0.0, 1.0):
        change(stage2={"lambda": weight, "anchor": 0.0, "grid": 0.0, "lr": 0.002})
        stage2.main("stage2", "sr-edsr")
        rows = curve("sr-edsr-stage2")
        assert ("d_auc" in rows[0]) == (weight > 0)
        fidelity[weight] = float(rows[-1]["fidelity"])
    assert fidelity[0.0] < 0.7 * fidelity[1.0]


def test_divergence_names_step_images_and_checkpoint_and_writes_nothing(tiny_project):
    change(stage1={"lr": 1e30, "clip": 0.0})
    with pytest.raises(ValueError, match=r"sr-edsr diverged at step \d+: loss .*batch holds .*train\d.*checkpoint"):
        stage1.main("sr-edsr")
    assert not Path("models/sr-edsr").exists()


def test_a_pair_whose_scale_is_not_the_networks_is_refused(tiny_project):
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["networks"]["sr-edsr"]["options"]["scale"] = 4
    Path("params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match="edsr enlarges 4 times, but data/pairs/sr/targets is 2 times"):
        stage1.main("sr-edsr")


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {"ema": 0.9}, {"loss": "mse"},
                                      {"schedule": "halve", "halve_every": 4}])
def test_every_setting_trains_and_matters(tiny_project, settings):
    stage1.main("sr-edsr")
    before = weights("sr-edsr")
    change(stage1=settings)
    stage1.main("sr-edsr")
    assert weights("sr-edsr") != before


def test_channels_last_changes_speed_and_not_the_mathematics(tiny_project):
    stage1.main("sr-edsr")
    before = load_network("models/sr-edsr").state_dict()
    change(stage1={"channels_last": False})
    stage1.main("sr-edsr")
    for name, value in load_network("models/sr-edsr").state_dict().items():
        torch.testing.assert_close(value, before[name], atol=1e-3, rtol=1e-3)


def test_stage2_settings_train_and_matter(tiny_project):
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    seen = set()
    for settings in ({}, {"discriminator": "highpass"}, {"d_steps": 2}, {"d_warmup": 3}, {"lambda": 0.1}, {"d_real": 1.0}):
        change(stage2=settings)
        stage2.main("stage2", "sr-edsr")
        seen.add(weights("sr-edsr-stage2"))
    assert len(seen) == 6


def test_blend_lies_between_the_start_and_the_trained_weights(tiny_project):
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    made = {}
    for share in (1.0, 0.25):
        change(stage2={"blend": share})
        stage2.main("stage2", "sr-edsr")
        made[share] = load_network("models/sr-edsr-stage2").state_dict()
    start = load_network("models/sr-edsr").state_dict()
    moved = 0
    for key, value in start.items():
        torch.testing.assert_close(made[0.25][key], 0.75 * value + 0.25 * made[1.0][key])
        moved += (made[1.0][key] != value).any().item()
    assert moved > 5


@pytest.mark.parametrize("mistake, message", [("loss: l1", "stage1.loss: got 'l3'"), ("batch: 2", "stage1.batch: got 0")])
def test_a_mistake_ends_in_one_line(tiny_project, mistake, message):
    text = Path("params.yaml").read_text()
    at = text.index("stage1:")
    Path("params.yaml").write_text(text[:at] + text[at:].replace(mistake, {"loss: l1": "loss: l3"}.get(mistake, "batch: 0"), 1))
    env = os.environ | {"PYTHONPATH": str(ROOT)} | warm.environment()
    done = subprocess.run(["python", "-m", "pipeline.stages.stage1", "sr-edsr"], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"stage1 sr-edsr: params.yaml: {message}")


def test_a_name_that_is_no_entry_is_said(tiny_project):
    env = os.environ | {"PYTHONPATH": str(ROOT)} | warm.environment()
    command = ["python", "-m", "pipeline.stages.stage2", "gan", "sr-edrs"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("stage2 gan sr-edrs: systems.sr-edrs: no such entry, there are ") and "sr-edsr" in done.stderr


def test_a_discriminator_that_diverges_in_its_warm_up_is_noticed_there(tiny_project):
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    change(stage2={"d_lr": 1e30, "d_warmup": 6})
    with pytest.raises(ValueError, match=r"diverged at step -\d: discriminator loss"):
        stage2.main("stage2", "sr-edsr")


def test_speed_measures_every_choice_and_names_the_fastest(tiny_project):
    done = CliRunner().invoke(app, ["speed", "sr-edsr", "--rounds", "1"])
    lines = done.output.splitlines()
    assert done.exit_code == 0 and len(lines) == 5 and sum("as it is" in line for line in lines) == 1
    times = [float(line.split()[0]) for line in lines[:4]]
    assert times == sorted(times) and len({tuple(line.split()[3:6]) for line in lines[:4]}) == 4
    choice = lines[0].split("ms")[1].split("<-")[0].split()
    assert all(f"{key} {value}" in lines[4] for key, value in zip(choice[::2], choice[1::2]))


def test_compile_is_told_of_a_network_alone_that_was_compiled(tiny_project, monkeypatch):
    stage1.main("sr-edsr")
    assert "compile" not in read_json("models/sr-edsr/manifest.json")["made"]["settings"]
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    change(stage1={"compile": True})
    stage1.main("sr-edsr")
    assert len(compiled) == 1 and read_json("models/sr-edsr/manifest.json")["made"]["settings"]["compile"] is True


def test_a_checkpoint_is_for_the_files_that_its_training_uses():
    files = {name: sha256(ROOT / "pipeline" / name) for name in (
        "train/loop.py", "train/run.py", "train/methods/supervised.py", "train/methods/stage2.py", "train/adversary.py",
        "train/methods/cyclegan.py", "nets/edsr.py", "nets/rcan.py")}
    used = {method: {name for name, digest in files.items() if digest in run._code("edsr", method, train_on_pairs)}
            for method in (Supervised, Stage2)}
    assert used[Supervised] == {"train/loop.py", "train/run.py", "train/methods/supervised.py", "nets/edsr.py"}
    assert used[Stage2] == used[Supervised] | {"train/methods/stage2.py", "train/adversary.py"}
