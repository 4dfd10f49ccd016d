"""SRResNet: Ledig et al., Photo-Realistic Single Image Super-Resolution Using a GAN, 2017 (arXiv 1609.04802), with batch norm.

The authors released no weights, so there are no names of weights to follow; these are parallel to those of EDSR.
"""
import torch
from torch import nn

from pipeline.nets.blocks import FACTORS, ResidualBlock, check_choice, enlarge, upsampler


def _conv_bn(features: int) -> list[nn.Module]:
    # Batch norm takes out the mean, so a bias before it would have no gradient but noise, which Adam blows up to full steps.
    return [nn.Conv2d(features, features, 3, padding=1, bias=False), nn.BatchNorm2d(features)]


class SRResNet(nn.Module):
    """Residual blocks with batch norm between 9x9 convolutions. NCHW in [0, 1], `scale` times larger.

    As the paper has it, the input enters in [0, 1] and the last convolution speaks of [-1, 1].
    """

    def __init__(self, scale: int, blocks: int, features: int):
        super().__init__()
        self.scale = scale
        # The last 9x9 and the upsampler's convolutions reach three input pixels together, whichever the factors.
        self.radius = 4 + 2 * blocks + 1 + (4 if scale == 1 else 3)
        self.head = nn.Sequential(nn.Conv2d(3, features, 9, padding=4), nn.PReLU())
        members = [ResidualBlock(*_conv_bn(features), nn.PReLU(), *_conv_bn(features)) for _ in range(blocks)]
        self.body = nn.Sequential(*members, *_conv_bn(features))
        self.tail = nn.Sequential(upsampler(scale, features, nn.PReLU), nn.Conv2d(features, 3, 9, padding=4))

    def forward(self, x):
        x = self.head(x)
        x = x + self.body(x)
        return (1 + self.tail(x)) / 2


def build(scale: int, blocks: int = 16, features: int = 64, start: str = "random") -> SRResNet:
    """The paper's network has 16 blocks of 64 features.

    `start` is how training from scratch begins: `random` as the authors do, or `bilinear` (see `begin_as_bilinear`).
    """
    check_choice("srresnet", "scale", scale, FACTORS)
    check_choice("srresnet", "start", start, ("random", "bilinear"))
    if start == "bilinear" and features < 3:
        raise ValueError(f"srresnet: features is {features}, wanted at least 3 for start: bilinear")
    network = SRResNet(scale, blocks, features)
    if start == "bilinear":
        _begin_as_bilinear(network)
    return network


@torch.no_grad()
def _begin_as_bilinear(network: SRResNet) -> None:
    """Set the first weights so that the untrained network already enlarges: three features carry the colours through.

    They are never negative, so PReLU lets them pass. nets/blocks.py says what this is for.
    """
    colours = torch.eye(3)
    head, norm, last = network.head[0], network.body[-1], network.tail[1]
    head.weight[:3], head.bias[:3] = 0, 0
    head.weight[:3, :, 4, 4] = colours
    norm.weight[:3], norm.bias[:3] = 0, 0
    enlarge(network.tail[0])
    last.weight[:], last.bias[:] = 0, -1
    last.weight[:, :3, 4, 4] = 2 * colours
