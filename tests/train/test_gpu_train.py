"""Trainings on a GPU: stopped and resumed, and what they read."""
from pathlib import Path

import pytest
import torch
from conftest import change
from safetensors.torch import load_file

from pipeline.images.shards import Shard
from pipeline.stages import label, stage1, stage2
from pipeline.train import loop
from pipeline.train.crops import Crops, reader
from pipeline.train.method import Method

pytestmark = pytest.mark.gpu
LENGTH = {"steps": 24, "validate_every": 12, "ema": 0.9}


class Interrupted(Exception):
    pass


def trained(name: str) -> dict[str, torch.Tensor]:
    return load_file(Path("models", name, "network.safetensors"))


def check_that_it_resumes(monkeypatch, capsys, record_property, name: str, train, at: int) -> None:
    """`train` is left alone once, and once interrupted at a step and begun again: the weights have the same bits."""
    train()
    wanted, batch = trained(name), Method.batch
    Path("models", name, "network.safetensors").unlink()

    def interrupted(method, step):
        if step == at:
            raise Interrupted
        return batch(method, step)

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(Method, "batch", interrupted)
    with pytest.raises(Interrupted):
        train()
    monkeypatch.setattr(Method, "batch", batch)
    capsys.readouterr()
    train()
    assert f"{name}: resuming at step" in capsys.readouterr().out
    found = trained(name)
    record_property("difference", max((found[key] - wanted[key]).abs().max().item() for key in wanted))
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_stage_1_resumes_to_the_same_bits(gpu, tiny_project, monkeypatch, capsys, record_property):
    change(stage1=LENGTH)
    check_that_it_resumes(monkeypatch, capsys, record_property, "sr-edsr", lambda: stage1.main("sr-edsr"), 17)


@pytest.mark.parametrize("discriminator", ["srgan", "highpass"])
def test_stage_2_resumes_to_the_same_bits(gpu, tiny_project, monkeypatch, capsys, record_property, discriminator):
    change(stage2=LENGTH | {"d_warmup": 4, "discriminator": discriminator, "d_features": 4})
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    check_that_it_resumes(monkeypatch, capsys, record_property, "sr-edsr-stage2", lambda: stage2.main("stage2", "sr-edsr"), 21)


def test_batch_norm_resumes_to_the_same_bits_in_bf16(gpu, tiny_project, monkeypatch, capsys, record_property):
    change(stage1=LENGTH | {"precision": "bf16"})
    check_that_it_resumes(monkeypatch, capsys, record_property, "sr-srresnet", lambda: stage1.main("sr-srresnet"), 17)


def test_batches_are_those_of_the_cpu_and_pinned(gpu, tiny_project):
    crops = Crops([(Shard("data/sets/sr-captures/train"), 1)], 12, 3, 1, "t")
    read = reader(crops, gpu)
    for step in (0, 1, 2):
        (batch,) = read(step)
        assert batch.is_pinned() == (gpu.type == "cuda") and torch.equal(batch, crops(step)[0])
        assert torch.equal(batch.to(gpu, non_blocking=True).cpu(), crops(step)[0])
