"""EDSR: Lim et al., Enhanced Deep Residual Networks for Single Image Super-Resolution, 2017 (arXiv 1707.02921).

The names of the weights are those of the authors' PyTorch release, so their files load as they are.
"""
from torch import nn

from pipeline.nets.blocks import LEVELS, MeanShift, begin_as_bilinear, check_unshuffle, conv, upsampler


class ResidualBlock(nn.Module):
    def __init__(self, features: int, res_scale: float):
        super().__init__()
        self.body = nn.Sequential(conv(features, features), nn.ReLU(inplace=True), conv(features, features))
        self.res_scale = res_scale

    def forward(self, x):
        return x + self.res_scale * self.body(x)


class EDSR(nn.Module):
    """Residual blocks without normalisation between a head and a sub-pixel tail. NCHW in [0, 1], `scale` times larger.

    With `unshuffle` u the head sees u x u pixels as one; height and width must be multiples of u.
    """

    def __init__(self, scale: int, blocks: int, features: int, res_scale: float, unshuffle: int):
        super().__init__()
        self.scale, self.multiple = scale, unshuffle
        convolutions = 2 * blocks + (3 if scale * unshuffle == 1 else 4)  # 3x3 each, those after the upsampler counted whole
        self.radius = unshuffle * convolutions
        self.sub_mean, self.add_mean = MeanShift(-1), MeanShift(+1)
        self.unshuffle = nn.PixelUnshuffle(unshuffle)
        self.head = nn.Sequential(conv(3 * unshuffle**2, features))
        self.body = nn.Sequential(*[ResidualBlock(features, res_scale) for _ in range(blocks)], conv(features, features))
        self.tail = nn.Sequential(upsampler(scale * unshuffle, features), conv(features, 3))

    def forward(self, x):
        x = self.head(self.unshuffle(self.sub_mean(LEVELS * x)))
        x = x + self.body(x)
        return self.add_mean(self.tail(x)) / LEVELS


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
