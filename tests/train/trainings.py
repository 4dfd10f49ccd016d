"""Tiny trainings of each method, for tests that stop them and that share them among processes.

A function adds an entry of 60 steps to the tiny project in the current folder, with all that it starts from; it returns the
stage's arguments and the network's name. Nothing that learns has batch norm, of which gloo would see half batches.
"""
from pathlib import Path

import test_cyclegan
import test_rbsr
import test_srgan
import torch
import yaml
from conftest import change

from pipeline.stages import label, stage1

LENGTH = {"steps": 60, "validate_every": 25}
DISCRIMINATOR = {"discriminator": "highpass", "d_features": 4}


def supervised():
    change(stage1=LENGTH | {"ema": 0.9})
    return ["stage1", "sr-edsr"], "sr-edsr"


def stage2():
    change(stage2=LENGTH | DISCRIMINATOR | {"ema": 0.9, "d_warmup": 4})
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    return ["stage2", "stage2", "sr-edsr"], "sr-edsr-stage2"


def srgan():
    test_srgan.prepare()
    Path("data/trunks").mkdir()
    torch.save(test_srgan.narrow("vgg16", 8), "data/trunks/vgg16_conv1_2.pth")
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["srgan"]["sr-srgan"]["start"] = "sr-edsr"
    values["srgan"]["sr-srgan"]["settings"] |= LENGTH | DISCRIMINATOR | {"d_warmup": 4}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    stage1.main("sr-edsr")
    return ["srgan", "sr-srgan"], "sr-srgan"


def cyclegan():
    """Its pools are full after a batch. A tiny generator with instance norm would multiply every rounding error."""
    entry = test_cyclegan.entry(**LENGTH, decay=30, batch=4, lr=0.0002)
    entry[test_cyclegan.NAME] |= {"arch": "edsr", "options": {"scale": 1, "blocks": 1, "features": 4}}
    change(cyclegans=entry)
    return ["cyclegan", test_cyclegan.NAME], test_cyclegan.NAME


def rbsr():
    """Of two processes the second has the odd samples first."""
    test_rbsr.prepare()
    settings = test_rbsr.SETTINGS | LENGTH | DISCRIMINATOR | {"batch": 6, "lr": 0.0002}
    change(rbsr=test_rbsr.entry(settings=settings))
    return ["rbsr", test_rbsr.NAME], test_rbsr.NAME


METHODS = {method.__name__: method for method in (supervised, stage2, srgan, cyclegan, rbsr)}
