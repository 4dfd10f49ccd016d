import pytest
import torch

from pipeline.train.adversary import DISCRIMINATORS, SrganDiscriminator


@pytest.mark.parametrize("name", sorted(DISCRIMINATORS))
@pytest.mark.parametrize("size", [(16, 16), (33, 47), (96, 96)])
def test_any_patch_size_gives_one_opinion_per_image(name, size):
    logits = DISCRIMINATORS[name](4)(torch.rand(3, 3, *size))
    assert logits.shape[:2] == (3, 1) and torch.isfinite(logits).all()


def test_srgan_has_the_layers_of_the_paper():
    convolutions = [layer for layer in SrganDiscriminator(64).body if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [layer.stride[0] for layer in convolutions] == [1, 2, 1, 2, 1, 2, 1, 2]
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in SrganDiscriminator(64).body) == 7
    assert SrganDiscriminator(64).head[0].out_features == 1024


def test_highpass_sees_detail_a_mean_would_hide():
    torch.manual_seed(0)
    network = DISCRIMINATORS["highpass"](8)
    flat = torch.full((1, 3, 32, 32), 0.5)
    detail = flat + 2 / 255 * torch.randn(1, 3, 32, 32)
    shift = flat + 2 / 255
    change = [(network(x) - network(flat)).abs().mean().item() for x in (detail, shift)]
    assert change[0] > 2 * change[1]
