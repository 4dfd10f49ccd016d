"""NAFNet: Chen, Chu, Zhang, Sun, Simple Baselines for Image Restoration, 2022 (arXiv 2204.04676).

The means of the attention can be local: Chu, Chen, Chen, Lu, Improving Image Restoration by Revisiting Global Information
Aggregation, 2022 (arXiv 2112.04491). The names of the weights are those of the authors' release, so their files load as they
are.
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.nets.blocks import check_choice, conv


class LayerNorm(nn.Module):
    """Takes mean and standard deviation out of the channels of each pixel by itself. NCHW."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6).permute(0, 3, 1, 2)


class SimpleGate(nn.Module):
    """The product of the two halves of the channels."""

    def forward(self, x):
        first, second = x.chunk(2, 1)
        return first * second


class LocalMean(nn.AdaptiveAvgPool2d):
    """The mean of each channel: over the whole image while training, otherwise over the square of `window` pixels around each
    pixel, which the image's borders push inwards. With a window of 0 always over the whole image. NCHW -> (N, C, 1, 1), or
    NCHW.

    It is of a kind that restore/model.py knows to see a whole image.
    """

    def __init__(self, window: int):
        super().__init__(1)
        self.window = window

    def forward(self, x):
        # a graph that is exported takes images of any size, so what it does cannot depend on the size
        fits = not torch.compiler.is_exporting() and self.window >= max(x.shape[2:])
        if self.training or not self.window or fits:
            return x.mean((2, 3), keepdim=True)
        return _means(_means(x, 2, self.window), 3, self.window)


def _means(x: torch.Tensor, axis: int, window: int) -> torch.Tensor:
    """Along one axis. By sums of one line at a time: those of a whole image would be too large for 32 bits."""
    size = x.shape[axis]
    sums = x.float().cumsum(axis)
    sums = torch.cat([torch.zeros_like(sums.narrow(axis, 0, 1)), sums], axis)
    first = (torch.arange(size, device=x.device) - (window - 1) // 2).clamp(min=0)
    first = torch.minimum(first, torch.full_like(first, size - window).clamp(min=0))
    last = (first + window).clamp(max=size)
    counts = (last - first).view(-1, *[1] * (3 - axis))
    return ((sums.index_select(axis, last) - sums.index_select(axis, first)) / counts).to(x.dtype)


class Block(nn.Module):
    """Two residual parts, each behind a layer norm, with gates as the only activation: a depthwise convolution with simplified
    channel attention, and a pair of 1x1 convolutions. `beta` and `gamma` are 0 at first, so a block begins as the identity."""

    def __init__(self, channels: int, window: int):
        super().__init__()
        wide = 2 * channels
        self.norm1, self.norm2, self.sg = LayerNorm(channels), LayerNorm(channels), SimpleGate()
        self.conv1 = nn.Conv2d(channels, wide, 1)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.sca = nn.Sequential(LocalMean(window), nn.Conv2d(channels, channels, 1))
        self.conv3, self.conv4, self.conv5 = (nn.Conv2d(channels, outputs, 1) for outputs in (channels, wide, channels))
        self.beta, self.gamma = (nn.Parameter(torch.zeros(1, channels, 1, 1)) for _ in range(2))

    def forward(self, x):
        y = self.sg(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.beta * self.conv3(y * self.sca(y))
        return x + self.gamma * self.conv5(self.sg(self.conv4(self.norm2(x))))


class NAFNet(nn.Module):
    """A U-Net of such blocks, which halves height and width and doubles the channels from level to level; it tells what is to
    be added to the image. NCHW in [0, 1] -> the same size.

    `radius` is that of the convolutions. The attention goes by means over windows, or over the whole image. A tile has the
    means of what it and its margin show, so what comes out differs a little from one pass over the image; an image that fits
    into a tile and two margins is one pass.
    """

    def __init__(self, features: int, encoder: list[int], middle: int, decoder: list[int], window: int):
        super().__init__()
        self.scale, self.multiple = 1, 2 ** len(encoder)
        self.radius = middle
        for blocks in zip(encoder[::-1], decoder):  # a place of a level stands for two of the one above
            self.radius = 2 * self.radius + 1 + sum(blocks)
        self.radius += 2
        widths = [features * 2**level for level in range(len(encoder) + 1)]

        def level(place: int, blocks: int) -> nn.Sequential:
            inside = max(window // 2**place, 1) if window else 0
            return nn.Sequential(*[Block(widths[place], inside) for _ in range(blocks)])

        self.intro, self.ending = conv(3, features), conv(features, 3)
        self.encoders = nn.ModuleList(level(place, blocks) for place, blocks in enumerate(encoder))
        self.downs = nn.ModuleList(nn.Conv2d(width, 2 * width, 2, stride=2) for width in widths[:-1])
        self.middle_blks = level(len(encoder), middle)
        self.ups = nn.ModuleList(nn.Sequential(nn.Conv2d(width, 2 * width, 1, bias=False), nn.PixelShuffle(2))
                                 for width in widths[:0:-1])
        self.decoders = nn.ModuleList(level(place, blocks) for place, blocks in zip(range(len(encoder))[::-1], decoder))

    def forward(self, x):
        height, width = x.shape[2:]
        image = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        y, skips = self.intro(image), []
        for encoder, down in zip(self.encoders, self.downs):
            skips.append(encoder(y))
            y = down(skips[-1])
        y = self.middle_blks(y)
        for up, decoder in zip(self.ups, self.decoders):
            y = decoder(up(y) + skips.pop())
        return (image + self.ending(y))[:, :, :height, :width]


def build(features: int = 32, encoder: list = (1, 1, 1, 28), middle: int = 1, decoder: list = (1, 1, 1, 1), window: int = 384,
          start: str = "random") -> NAFNet:
    """`encoder` and `decoder` say how many blocks each level has, in the order in which an image meets them; `middle` is how
    many are between. The authors' networks have 32 or 64 features. Those that deblur have [1, 1, 1, 28], 1 and [1, 1, 1, 1]
    blocks, those that denoise [2, 2, 4, 8], 12 and [2, 2, 2, 2].

    `window` is the side, in input pixels, of the squares that the means of the attention are over when the network restores.
    The authors take one and a half times their training patch of 256. With 0 the means are over the whole image.

    `start` is how training from scratch begins: `random` as the authors do, or `identity`, where the last convolution is zero.
    """
    for name, blocks in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(blocks, list | tuple) or not all(type(count) is int and count >= 0 for count in blocks):
            raise ValueError(f"nafnet: {name} is {blocks!r}, wanted a list of each level's blocks, such as [1, 1, 1, 28]")
    if len(encoder) != len(decoder):
        raise ValueError(f"nafnet: encoder has {len(encoder)} levels and decoder {len(decoder)}, wanted as many")
    if min(features, middle) < 1 or window < 0:
        raise ValueError(f"nafnet: features, middle and window are {features}, {middle} and {window}, wanted at least 1, 1 "
                         "and 0")
    check_choice("nafnet", "start", start, ("random", "identity"))
    network = NAFNet(features, list(encoder), middle, list(decoder), window)
    if start == "identity":
        nn.init.zeros_(network.ending.weight)
        nn.init.zeros_(network.ending.bias)
    return network
