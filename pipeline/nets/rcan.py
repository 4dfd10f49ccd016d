"""RCAN: Zhang et al., Image Super-Resolution Using Very Deep Residual Channel Attention Networks, 2018 (arXiv 1807.02758).

The names of the weights are those of the authors' release, so their files load as they are. With scale 1 the upsampler is
empty and the rest unchanged: the network that maps images from one domain to another in Korkmaz, Tekalp, Dogan, 2021 (arXiv
2106.00504).
"""
from torch import nn

from pipeline.nets.blocks import LEVELS, MeanShift, begin_as_bilinear, check_unshuffle, conv, upsampler


class ChannelAttention(nn.Module):
    """Weighs each channel by a number in (0, 1) that two layers make of the means of all channels over the whole image."""

    def __init__(self, features: int, reduction: int):
        super().__init__()
        self.conv_du = nn.Sequential(nn.Conv2d(features, features // reduction, 1), nn.ReLU(inplace=True),
                                     nn.Conv2d(features // reduction, features, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.conv_du(x.mean((2, 3), keepdim=True))


class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, *body: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class RCAN(nn.Module):
    """Groups of residual blocks with channel attention between a head and a sub-pixel tail. NCHW in [0, 1], `scale` times
    larger.

    With `unshuffle` u the head sees u x u pixels as one; height and width must be multiples of u. `radius` is that of the
    convolutions. The attention sees the whole image, so in tiles it goes by the mean of each tile with its margin, and what
    comes out differs a little from one pass over the image; an image that fits into a tile and two margins is one pass.
    """

    def __init__(self, scale: int, groups: int, blocks: int, features: int, reduction: int, unshuffle: int):
        super().__init__()
        self.scale, self.multiple = scale, unshuffle
        convolutions = groups * (2 * blocks + 1) + (3 if scale * unshuffle == 1 else 4)  # 3x3 each
        self.radius = unshuffle * convolutions
        self.sub_mean, self.add_mean = MeanShift(-1), MeanShift(+1)
        self.unshuffle = nn.PixelUnshuffle(unshuffle)
        self.head = nn.Sequential(conv(3 * unshuffle**2, features))

        def block():
            return Residual(conv(features, features), nn.ReLU(inplace=True), conv(features, features),
                            ChannelAttention(features, reduction))

        self.body = nn.Sequential(*[Residual(*[block() for _ in range(blocks)], conv(features, features))
                                    for _ in range(groups)], conv(features, features))
        self.tail = nn.Sequential(upsampler(scale * unshuffle, features), conv(features, 3))

    def forward(self, x):
        x = self.head(self.unshuffle(self.sub_mean(LEVELS * x)))
        x = x + self.body(x)
        return self.add_mean(self.tail(x)) / LEVELS


def build(scale: int, groups: int = 10, blocks: int = 20, features: int = 64, reduction: int = 16, start: str = "random",
          unshuffle: int = 1) -> RCAN:
    """The authors' network has 10 groups of 20 blocks, that of Korkmaz et al. 10 of 8. `reduction` is how many times fewer
    channels the attention has between its two layers.

    `start` and `unshuffle` are those of edsr.py: `bilinear` begins as bilinear enlargement rather than at random, and 2 lets a
    network of scale 1 work at half the resolution.
    """
    if min(groups, blocks, reduction) < 1 or features < reduction:
        raise ValueError(f"rcan: groups, blocks, features and reduction are {groups}, {blocks}, {features} and {reduction}, "
                         "wanted at least 1 each, and no fewer features than reduction")
    check_unshuffle("rcan", scale, unshuffle, start, features)
    network = RCAN(scale, groups, blocks, features, reduction, unshuffle)
    if start == "bilinear":
        begin_as_bilinear(network)
    return network
