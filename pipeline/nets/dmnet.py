"""DM-Net: Liu, Shu, Wu, Deep Learning with Inaccurate Training Data for Image Restoration, 2018 (arXiv 1811.07268), Fig. 5.

The paper tells that the image is downsampled by 4, goes through 16 residual blocks, is upsampled again and goes through 20 more
convolutions, and that both scales are supervised (eq. 8). Of the authors' earlier network (arXiv 1804.03809) others report that
the coarse result is joined to the input and what follows is residual. The rest is our reading: two convolutions of stride 2
downsample, a sub-pixel convolution upsamples to three channels, and each scale adds to what it was given.
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.nets.blocks import ResidualBlock, check_choice

STEP = 4  # input pixels to a pixel of the coarse scale


def _conv(inputs: int, outputs: int, batch_norm: bool) -> list[nn.Module]:
    # Batch norm takes out the mean, so a bias before it would have no gradient but noise, which Adam blows up to full steps.
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch_norm), *norm]


def _block(features: int, batch_norm: bool) -> ResidualBlock:
    """Without an activation after the sum, as Gross and Wilber found best (Training and investigating residual nets, 2016)."""
    return ResidualBlock(*_conv(features, features, batch_norm), nn.ReLU(inplace=True), *_conv(features, features, batch_norm))


def quarter(image: torch.Tensor) -> torch.Tensor:
    """NCHW of sides that are multiples of 4 -> a quarter of the height and width, by antialiased bicubic."""
    return F.interpolate(image, scale_factor=1 / STEP, mode="bicubic", antialias=True)


def whole_steps(image: torch.Tensor) -> torch.Tensor:
    """Height and width rounded up to multiples of 4; the last row and column are repeated."""
    return F.pad(image, (0, -image.shape[3] % STEP, 0, -image.shape[2] % STEP), mode="replicate")


class DMNet(nn.Module):
    """NCHW in [0, 1] -> the same size; in training mode (full image, coarse image), the coarse one a quarter of the size."""

    def __init__(self, blocks: int, features: int, layers: int, fine_features: int, batch_norm: bool, mu: float):
        super().__init__()
        self.scale, self.multiple, self.mu = 1, STEP, mu
        # The last conv of the body and the upsampler reach one coarse pixel each; a coarse pixel is made of its four and three
        # to each side. Up to three more are those between an output pixel and the corner of its coarse one.
        reach = layers + STEP * (2 * blocks + 2) + 3 + 3
        self.radius = reach + -reach % STEP
        self.head = nn.Sequential(nn.Conv2d(3, features, 3, stride=2, padding=1), nn.ReLU(inplace=True),
                                  nn.Conv2d(features, features, 3, stride=2, padding=1), nn.ReLU(inplace=True))
        self.body = nn.Sequential(*[_block(features, batch_norm) for _ in range(blocks)],
                                  *_conv(features, features, batch_norm))
        self.coarse = nn.Conv2d(features, 3, 3, padding=1)
        self.up = nn.Sequential(nn.Conv2d(features, 3 * STEP**2, 3, padding=1), nn.PixelShuffle(STEP))
        widths, fine = [6] + [fine_features] * (layers - 1), []
        for inputs, outputs in zip(widths, widths[1:]):
            fine += [*_conv(inputs, outputs, batch_norm and inputs == outputs), nn.ReLU(inplace=True)]
        self.fine = nn.Sequential(*fine, nn.Conv2d(fine_features, 3, 3, padding=1))
        for layer in self.fine[:-1]:  # torch's own start lets a signal die away in so many layers without a skip
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x):
        image = whole_steps(x)
        features = self.head(image)
        features = features + self.body(features)
        full = image + self.fine(torch.cat([self.up(features), image], 1))
        full = full[:, :, : x.shape[2], : x.shape[3]]
        return (full, quarter(image) + self.coarse(features)) if self.training else full

    def fidelity(self, outputs, targets, distance):
        """Eq. 8, with `distance` (MSE in the paper): of the full images + mu * of the coarse image and the reduced target."""
        full, coarse = outputs
        return distance(full, targets) + self.mu * distance(coarse, quarter(whole_steps(targets)))


def build(blocks: int = 16, features: int = 64, layers: int = 20, fine_features: int = 64, batch_norm: bool = True,
          mu: float = 1.0, start: str = "random") -> DMNet:
    """`blocks` of `features` at the coarse scale, `layers` convolutions of `fine_features` at the fine one. Of the paper's
    network, the widths, whether it has batch norm, and the coarse scale's weight `mu` in the loss are not known.

    `start` is how training from scratch begins: `random`, or `identity`, where the last convolution of each scale is zero.
    """
    if blocks < 1 or layers < 2 or min(features, fine_features) < 1:
        raise ValueError(f"dmnet: blocks, features, layers and fine_features are {blocks}, {features}, {layers} and "
                         f"{fine_features}, wanted at least 1, 1, 2 and 1")
    if mu < 0:
        raise ValueError(f"dmnet: mu is {mu!r}, wanted at least 0")
    check_choice("dmnet", "start", start, ("random", "identity"))
    network = DMNet(blocks, features, layers, fine_features, batch_norm, mu)
    if start == "identity":
        for layer in (network.fine[-1], network.coarse):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network
