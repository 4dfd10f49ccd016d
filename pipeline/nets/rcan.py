"""RCAN: Zhang et al., Image Super-Resolution Using Very Deep Residual Channel Attention Networks, 2018 (arXiv 1807.02758).

The names of the weights are those of the authors' release, so their files load as they are. With scale 1 the upsampler is
empty and the rest unchanged: the network that maps images from one domain to another in Korkmaz, Tekalp, Dogan, 2021 (arXiv
2106.00504).
"""
from torch import nn

from pipeline.nets.blocks import ResidualBlock, SubPixel, begin_as_bilinear, check_unshuffle, conv


class ChannelAttention(nn.Module):
    """Weighs each channel by a number in (0, 1) that two layers make of the means of all channels over the whole image."""

    def __init__(self, features: int, reduction: int):
        super().__init__()
        self.conv_du = nn.Sequential(nn.Conv2d(features, features // reduction, 1), nn.ReLU(inplace=True),
                                     nn.Conv2d(features // reduction, features, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.conv_du(x.mean((2, 3), keepdim=True))


class RCAN(SubPixel):
    """Groups of residual blocks with channel attention.

    `radius` is that of the convolutions. The attention sees the whole image, so in tiles it goes by the mean of each tile with
    its margin, and what comes out differs a little from one pass over the image; an image that fits into a tile and two margins
    is one pass.
    """

    def __init__(self, scale: int, groups: int, blocks: int, features: int, reduction: int, unshuffle: int):
        def block():
            return ResidualBlock(conv(features, features), nn.ReLU(inplace=True), conv(features, features),
                                 ChannelAttention(features, reduction))

        members = (ResidualBlock(*[block() for _ in range(blocks)], conv(features, features)) for _ in range(groups))
        super().__init__(scale, features, unshuffle, members, groups * (2 * blocks + 1))


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
