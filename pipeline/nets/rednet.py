"""RED-Net: Mao, Shen, Yang, Image Restoration Using Very Deep Convolutional Encoder-Decoder Networks with Symmetric Skip
Connections, 2016 (arXiv 1603.09056, 1606.08921).
"""
from torch import nn
from torch.nn import functional as F


class REDNet(nn.Module):
    """Convolutions and as many deconvolutions that mirror them, 3x3 without stride. NCHW in [0, 1] -> the same size.

    The output of every second convolution is added to that of the deconvolution which mirrors it, before the activation, and
    the image itself to the last one's.
    """

    def __init__(self, layers: int, features: int):
        super().__init__()
        self.scale, self.radius = 1, layers
        inward, outward = [3] + [features] * (layers // 2), [features] * (layers // 2) + [3]
        self.conv = nn.ModuleList(nn.Conv2d(*pair, 3, padding=1) for pair in zip(inward, inward[1:]))
        self.deconv = nn.ModuleList(nn.ConvTranspose2d(*pair, 3, padding=1) for pair in zip(outward, outward[1:]))
        for layers, fan in ((self.conv, "fan_in"), (self.deconv, "fan_out")):  # torch takes a deconvolution for its reverse
            for layer in layers:
                nn.init.kaiming_normal_(layer.weight, mode=fan, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        y, kept = x, {0: x}  # level -> what a deconvolution that comes back to it is given
        for level, conv in enumerate(self.conv, 1):
            y = F.relu(conv(y))
            if level % 2 == 0:
                kept[level] = y
        for level, deconv in zip(reversed(range(len(self.deconv))), self.deconv):
            y = deconv(y)
            y = y + kept[level] if level in kept else y
            y = F.relu(y) if level else y
        return y


def build(layers: int = 30, features: int = 128, start: str = "random") -> REDNet:
    """RED30 of the authors' release has 30 layers of 128 features; reimplementations often have 64.

    `start` is how training from scratch begins: `random` (He et al.), or `identity`, where the last deconvolution is zero.
    """
    if layers < 2 or layers % 2 or features < 1:
        raise ValueError(f"rednet: layers and features are {layers} and {features}, wanted an even number and at least 1")
    if start not in ("random", "identity"):
        raise ValueError(f"rednet: start is {start!r}, allowed are random, identity")
    network = REDNet(layers, features)
    if start == "identity":
        nn.init.zeros_(network.deconv[-1].weight)
    return network
