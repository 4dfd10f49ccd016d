"""The PatchGAN of CycleGAN (Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017, arXiv
1611.07004): a discriminator that judges every patch of an image by itself.

The names of the weights are those of the authors' PyTorch release.
"""
from itertools import pairwise

from torch import nn


class PatchGan(nn.Module):
    """NCHW in [0, 1] -> a score for each patch (N, 1, h, w), trained towards 1 for real and 0 for made.

    With 3 `layers` a patch is 70x70 pixels. An image has at least 3 * 2^layers pixels a side.
    """

    def __init__(self, layers: int, features: int):
        super().__init__()
        widths = [features * min(2**i, 8) for i in range(layers + 1)]
        model = [nn.Conv2d(3, features, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            conv = nn.Conv2d(inputs, outputs, 4, stride=2 if i < layers - 1 else 1, padding=1)
            model += [conv, nn.InstanceNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
        self.model = nn.Sequential(*model, nn.Conv2d(widths[-1], 1, 4, padding=1))
        for layer in self.model:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0, 0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        return self.model(2 * x - 1)
