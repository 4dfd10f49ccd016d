"""EDSR: Lim et al., Enhanced Deep Residual Networks for Single Image Super-Resolution, 2017 (arXiv 1707.02921).

The names of the weights are those of the authors' PyTorch release, so their files load as they are.
"""
from torch import nn

from pipeline.nets.blocks import SubPixel, begin_as_bilinear, check_unshuffle, conv


class ResidualBlock(nn.Module):
    def __init__(self, features: int, res_scale: float):
        super().__init__()
        self.body = nn.Sequential(conv(features, features), nn.ReLU(inplace=True), conv(features, features))
        self.res_scale = res_scale

    def forward(self, x):
        return x + self.res_scale * self.body(x)


class EDSR(SubPixel):
    """Residual blocks without normalisation."""

    def __init__(self, scale: int, blocks: int, features: int, res_scale: float, unshuffle: int):
        members = (ResidualBlock(features, res_scale) for _ in range(blocks))
        super().__init__(scale, features, unshuffle, members, 2 * blocks)


def build(scale: int, blocks: int = 16, features: int = 64, res_scale: float = 1.0, start: str = "random",
          unshuffle: int = 1) -> EDSR:
    """The baseline has 16 blocks of 64 features; the full network 32 of 256 with res_scale 0.1.

    `start` is how training from scratch begins: `random` as the authors do, or `bilinear` (see `begin_as_bilinear`).
    `unshuffle` 2 lets a network of scale 1 work at half the resolution, four times faster and seeing twice as far, as
    Real-ESRGAN does at small scales (Wang et al. 2021, arXiv 2107.10833).
    """
    check_unshuffle("edsr", scale, unshuffle, start, features)
    network = EDSR(scale, blocks, features, res_scale, unshuffle)
    if start == "bilinear":
        begin_as_bilinear(network)
    return network
