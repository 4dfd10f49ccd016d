"""SRVGGNetCompact: the small networks of Real-ESRGAN (Wang, Xie, Dong, Shan, 2021, arXiv 2107.10833). They came with its later
releases; the paper does not describe them.

The names of the weights are those of the authors' release, so their files load as they are.
"""
from torch import nn
from torch.nn import functional as F

from pipeline.nets.blocks import FACTORS, check_choice, conv

SLOPE = 0.25  # with which torch begins a PReLU


class Compact(nn.Module):
    """3x3 convolutions in a row, each but the last with a PReLU that has a slope for each feature. All work at the resolution
    of the input; a pixel shuffle of the last one's answer is added to the nearest-neighbour enlargement. NCHW in [0, 1],
    `scale` times larger."""

    def __init__(self, scale: int, layers: int, features: int):
        super().__init__()
        self.scale, self.radius = scale, layers + 2
        body = [conv(3, features), nn.PReLU(features)]
        for _ in range(layers):
            body += [conv(features, features), nn.PReLU(features)]
        self.body = nn.Sequential(*body, conv(features, 3 * scale**2))
        for layer in self.body[:-1]:  # torch's own start lets a signal die away in so many layers without a skip
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        return F.pixel_shuffle(self.body(x), self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


def build(scale: int, layers: int = 16, features: int = 64, start: str = "random") -> Compact:
    """`layers` are the convolutions between the first and the last. The authors' network for animation has 16, that for photos
    32, both of 64 features.

    `start` is how training from scratch begins: `random`, or `nearest`, where the last convolution is zero. The untrained
    network then gives the nearest-neighbour enlargement, with scale 1 the image itself.
    """
    check_choice("compact", "scale", scale, FACTORS)
    check_choice("compact", "start", start, ("random", "nearest"))
    if layers < 0 or features < 1:
        raise ValueError(f"compact: layers and features are {layers} and {features}, wanted at least 0 and 1")
    network = Compact(scale, layers, features)
    if start == "nearest":
        nn.init.zeros_(network.body[-1].weight)
        nn.init.zeros_(network.body[-1].bias)
    return network
