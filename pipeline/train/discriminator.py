"""Discriminators of stage 2: NCHW images in [0, 1] of any size (at least 16 px) to logits, positive for clean.

The paper does not describe its discriminator; `srgan` is that of Ledig et al. 2017 (arXiv 1609.04802) with a global mean before
the dense layers, so that it takes patches of any size.
"""
from torch import nn

from pipeline.score.highpass import with_highpass


class SrganDiscriminator(nn.Module):
    """Eight 3x3 convolutions, every second with stride 2, batch norm on all but the first; one logit per image (N, 1)."""

    def __init__(self, features: int):
        super().__init__()
        widths = [features * factor for factor in (1, 1, 2, 2, 4, 4, 8, 8)]
        layers = [nn.Conv2d(3, features, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for i in range(1, len(widths)):
            layers += [nn.Conv2d(widths[i - 1], widths[i], 3, stride=1 + i % 2, padding=1, bias=False),
                       nn.BatchNorm2d(widths[i]), nn.LeakyReLU(0.2, inplace=True)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(widths[-1], 16 * features), nn.LeakyReLU(0.2, inplace=True),
                                  nn.Linear(16 * features, 1))

    def forward(self, x):
        return self.head(self.body(2 * x - 1).mean((2, 3)))


class Highpass(nn.Module):
    """Sees the image joined by its amplified high-pass; one logit per patch (N, 1, H/8, W/8)."""

    def __init__(self, features: int):
        super().__init__()
        widths = [6, features, 2 * features, 4 * features]
        layers = []
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.2)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        return self.body(with_highpass(x))


DISCRIMINATORS = {"srgan": SrganDiscriminator, "highpass": Highpass}
