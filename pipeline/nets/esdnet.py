"""ESDNet: Yu, Dai, Li, Ma, Shen, Li, Qi, Towards Efficient and Scale-Robust Ultra-High-Definition Image Demoireing, 2022 (arXiv
2207.09935).

The names of the weights are those of the authors' release, so their files load as they are.
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.nets.blocks import check_choice

STEP = 32  # input pixels to a place of the coarsest tensor: 2 by the unshuffle, 4 by two strides, 4 inside a SAM
DENSE, SCALED = (1, 2, 1), (1, 2, 3, 2, 1)  # dilations of the convolutions in a residual block, and in a branch of a SAM
CELL = 12  # colours of 2x2 pixels


def resized(image: torch.Tensor, factor: float) -> torch.Tensor:
    """NCHW, bilinear without antialias, as the authors have it: a half is the mean of 2x2 pixels, a quarter that of the middle
    2x2 of each 4x4."""
    return F.interpolate(image, scale_factor=factor, mode="bilinear")


def whole_steps(image: torch.Tensor) -> torch.Tensor:
    """Height and width rounded up to multiples of 32; the last row and column are repeated."""
    return F.pad(image, (0, -image.shape[3] % STEP, 0, -image.shape[2] % STEP), mode="replicate")


class Conv(nn.Module):
    """A convolution that keeps the size, with a ReLU behind it if `rectified`."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, dilation: int = 1, rectified: bool = True):
        super().__init__()
        layer = nn.Conv2d(inputs, outputs, size, padding=size // 2 * dilation, dilation=dilation)
        self.conv = nn.Sequential(layer, nn.ReLU(inplace=True)) if rectified else layer

    def forward(self, x):
        return self.conv(x)


class Dense(nn.Module):
    """Dilated convolutions, each of which sees the input and the answers of those before it, latest first; a 1x1 convolution of
    all brings them back to the width of the input. With `residual` it is added to that."""

    def __init__(self, features: int, dilations: tuple[int, ...], inner: int, residual: bool = False):
        super().__init__()
        self.residual = residual
        self.conv_layers = nn.ModuleList(
            Conv(features + place * inner, inner, 3, dilation) for place, dilation in enumerate(dilations))
        self.conv_post = Conv(features + len(dilations) * inner, features, 1, rectified=False)

    def forward(self, x):
        seen = x
        for layer in self.conv_layers:
            seen = torch.cat([layer(seen), seen], 1)
        return x + self.conv_post(seen) if self.residual else self.conv_post(seen)


class Fusion(nn.Module):
    """The sum of three branches. Each of their channels is weighed by a number in (0, 1) that is made of the means of all
    channels over the whole image."""

    def __init__(self, features: int):
        super().__init__()
        narrow = 3 * features // 4
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.compress1, self.compress2 = nn.Conv2d(3 * features, narrow, 1), nn.Conv2d(narrow, narrow, 1)
        self.excitation = nn.Conv2d(narrow, 3 * features, 1)

    def forward(self, *branches):
        means = torch.cat([self.squeeze(branch) for branch in branches], 1)
        weights = torch.sigmoid(self.excitation(F.relu(self.compress2(F.relu(self.compress1(means))))))
        return sum(branch * weight for branch, weight in zip(branches, weights.chunk(3, 1)))


class SAM(nn.Module):
    """Semantic-aligned scale-aware module: dense blocks at the full, the half and a quarter of the size, fused, and added to
    the input."""

    def __init__(self, features: int, inner: int):
        super().__init__()
        self.basic_block, self.basic_block_2, self.basic_block_4 = (Dense(features, SCALED, inner) for _ in range(3))
        self.fusion = Fusion(features)

    def forward(self, x):
        half, quarter = self.basic_block_2(resized(x, 0.5)), self.basic_block_4(resized(x, 0.25))
        return x + self.fusion(self.basic_block(x), resized(half, 2), resized(quarter, 4))


class Level(nn.Module):
    """A residual dense block and SAMs. What is behind them differs: `down` in the encoder, `conv` in the decoder."""

    def __init__(self, features: int, inner: int, sams: int):
        super().__init__()
        self.rdb = Dense(features, DENSE, inner, residual=True)
        self.sam_blocks = nn.ModuleList(SAM(features, inner) for _ in range(sams))

    def forward(self, x):
        x = self.rdb(x)
        for sam in self.sam_blocks:
            x = sam(x)
        return x


class Encoder(nn.Module):
    def __init__(self, features: int, inner: int, sams: int):
        super().__init__()
        self.conv_first = nn.Sequential(nn.Conv2d(CELL, features, 5, padding=2), nn.ReLU(inplace=True))
        self.encoder_1, self.encoder_2, self.encoder_3 = (Level(width * features, inner, sams) for width in (1, 2, 4))
        for level, width in ((self.encoder_1, features), (self.encoder_2, 2 * features)):
            level.down = nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(inplace=True))

    def forward(self, x):
        first = self.encoder_1(self.conv_first(F.pixel_unshuffle(x, 2)))
        second = self.encoder_2(self.encoder_1.down(first))
        return first, second, self.encoder_3(self.encoder_2.down(second))


class Decoder(nn.Module):
    def __init__(self, encoded: int, features: int, inner: int, sams: int):
        super().__init__()
        for place, width in ((3, 4 * encoded), (2, 2 * encoded + features), (1, encoded + features)):
            self.add_module(f"preconv_{place}", Conv(width, features))
            level = Level(features, inner, sams)
            level.conv = Conv(features, CELL, rectified=False)
            self.add_module(f"decoder_{place}", level)

    def forward(self, first, second, third):
        """All three images while training, finest first; otherwise the finest alone."""
        coarse = self.decoder_3(self.preconv_3(third))
        middle = self.decoder_2(self.preconv_2(torch.cat([second, resized(coarse, 2)], 1)))
        fine = self.decoder_1(self.preconv_1(torch.cat([first, resized(middle, 2)], 1)))
        levels = [(self.decoder_1, fine), *([(self.decoder_2, middle), (self.decoder_3, coarse)] if self.training else [])]
        return tuple(F.pixel_shuffle(level.conv(features), 2) for level, features in levels)


class ESDNet(nn.Module):
    """NCHW in [0, 1] -> the same size; in training mode three images: that, and those of half and a quarter of its size, which
    is rounded up to multiples of 32.

    `radius` is that of the convolutions. The fusions go by means over the whole image, so tiles, which go by those of a tile
    with its margin, come out a little different from one pass; an image that fits into a tile and two margins is one pass.
    """

    def __init__(self, features: int, inner: int, decoder_features: int, decoder_inner: int, sams: int):
        super().__init__()
        self.scale, self.multiple = 1, STEP
        # Places of its own level that a level sees: its residual block, and the quarter-size branch of each SAM with what the
        # interpolations see. Twice that at two levels of cells of 2, 4 and 8 pixels; the rest are single convolutions, the
        # interpolations between levels, and where in its cell a pixel lies.
        level = sum(DENSE) + sams * (4 * sum(SCALED) + 4)
        reach = 2 * level * (2 + 4 + 8) + 64
        self.radius = reach + -reach % STEP
        self.encoder = Encoder(features, inner, sams)
        self.decoder = Decoder(features, decoder_features, decoder_inner, sams)

    def forward(self, x):
        full, *coarser = self.decoder(*self.encoder(whole_steps(x)))
        full = full[:, :, : x.shape[2], : x.shape[3]]
        return (full, *coarser) if self.training else full

    def fidelity(self, outputs, targets, distance):
        """The sum of `distance` (L1 in the paper) at the three scales. The paper adds at each a distance of VGG16's features,
        which needs weights that no stage downloads; it is left out."""
        full, half, quarter = outputs
        whole = whole_steps(targets)
        return distance(full, targets) + distance(half, resized(whole, 0.5)) + distance(quarter, resized(whole, 0.25))


def build(features: int = 48, inner: int = 32, decoder_features: int = 64, decoder_inner: int = 32, sams: int = 1,
          start: str = "random") -> ESDNet:
    """The paper's ESDNet; its ESDNet-L has 2 `sams` at each level. `features` are those of the encoder's finest level, `inner`
    is what each convolution adds in its dense blocks. The decoder has widths of its own.

    `start` is how training from scratch begins: `random` as the authors do, or `identity` (see `begin_as_identity`).
    """
    if min(features, inner, decoder_features, decoder_inner, sams) < 1:
        raise ValueError(f"esdnet: features, inner, decoder_features, decoder_inner and sams are {features}, {inner}, "
                         f"{decoder_features}, {decoder_inner} and {sams}, wanted at least 1 each")
    check_choice("esdnet", "start", start, ("random", "identity"))
    if start == "identity" and min(features, decoder_features) < CELL:
        raise ValueError(f"esdnet: start identity carries the image in {CELL} features, features and decoder_features are "
                         f"{features} and {decoder_features}")
    network = ESDNet(features, inner, decoder_features, decoder_inner, sams)
    if start == "identity":
        begin_as_identity(network)
    return network


@torch.no_grad()
def begin_as_identity(network: ESDNet) -> None:
    """Set the first weights so that the untrained network passes the image on at all three scales, the coarser ones as means of
    2x2 and 4x4 pixels.

    The first 12 features carry the colours of 2x2 pixels past all blocks. There is no skip from input to output, so a network
    that begins at random has to learn this first. The authors' 150 passes over their data do not notice; a short training
    does.
    """
    encoder, decoder = network.encoder, network.decoder
    _carry(encoder.conv_first[0])
    for level in (encoder.encoder_1, encoder.encoder_2, encoder.encoder_3, decoder.decoder_1, decoder.decoder_2,
                  decoder.decoder_3):
        blocks = [level.rdb, *(block for sam in level.sam_blocks
                               for block in (sam.basic_block, sam.basic_block_2, sam.basic_block_4))]
        for block in blocks:
            block.conv_post.conv.weight[:CELL], block.conv_post.conv.bias[:CELL] = 0, 0
    for level in (encoder.encoder_1, encoder.encoder_2):
        _halve(level.down[0])
    for place in (1, 2, 3):
        _carry(getattr(decoder, f"preconv_{place}").conv[0])
        _carry(getattr(decoder, f"decoder_{place}").conv.conv)


def _carry(layer: nn.Conv2d) -> None:
    """Let the first 12 outputs be the first 12 inputs."""
    centre = layer.kernel_size[0] // 2
    layer.weight[:CELL], layer.bias[:CELL] = 0, 0
    layer.weight[:CELL, :CELL, centre, centre] = torch.eye(CELL)


def _halve(layer: nn.Conv2d) -> None:
    """Let the first 12 outputs of a 3x3 convolution of stride 2 be the colours of 2x2 pixels again. Each is the mean of the
    four that one cell of the input holds."""
    layer.weight[:CELL], layer.bias[:CELL] = 0, 0
    for colour in range(3):
        for row in range(2):
            for column in range(2):
                layer.weight[4 * colour + 2 * row + column, 4 * colour : 4 * colour + 4, 1 + row, 1 + column] = 0.25
