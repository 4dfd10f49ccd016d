"""MSRResNet: the modified SRResNet of ESRGAN's authors (Wang et al. 2018, arXiv 1809.00219), the baseline of BasicSR and KAIR.

Unlike srresnet.py it has no batch norm, 3x3 convolutions alone, and adds what it finds to a bilinear enlargement. The names of
the weights are those of BasicSR, so its files load as they are.
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.nets.blocks import FACTORS, check_choice, conv

SLOPE = 0.1  # of the leaky rectifiers


class ResidualBlock(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.conv1, self.conv2 = conv(features, features), conv(features, features)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class MSRResNet(nn.Module):
    """Residual blocks between a head and a sub-pixel tail, on top of bilinear. NCHW in [0, 1], `scale` times larger."""

    def __init__(self, scale: int, blocks: int, features: int):
        super().__init__()
        self.scale = scale
        # Head and blocks; what comes after them reaches two input pixels together, whichever the factors.
        self.radius = 1 + 2 * blocks + 2
        self.conv_first = conv(3, features)
        self.body = nn.Sequential(*[ResidualBlock(features) for _ in range(blocks)])
        for step, factor in enumerate(FACTORS[scale], 1):
            self.add_module(f"upconv{step}", conv(features, factor**2 * features))
        self.conv_hr, self.conv_last = conv(features, features), conv(features, 3)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # a tenth of He's, as the authors do: it begins close to bilinear
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
                with torch.no_grad():
                    layer.weight *= 0.1

    def forward(self, x):
        y = self.body(F.leaky_relu(self.conv_first(x), SLOPE))
        for step, factor in enumerate(FACTORS[self.scale], 1):
            y = F.leaky_relu(F.pixel_shuffle(getattr(self, f"upconv{step}")(y), factor), SLOPE)
        y = self.conv_last(F.leaky_relu(self.conv_hr(y), SLOPE))
        return y + F.interpolate(x, scale_factor=self.scale, mode="bilinear")


def build(scale: int, blocks: int = 16, features: int = 64) -> MSRResNet:
    """The authors' network has 16 blocks of 64 features."""
    check_choice("msrresnet", "scale", scale, FACTORS)
    if min(blocks, features) < 1:
        raise ValueError(f"msrresnet: blocks and features are {blocks} and {features}, wanted at least 1 each")
    return MSRResNet(scale, blocks, features)
