"""The generator of CycleGAN: Zhu, Park, Isola, Efros, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks, 2017 (arXiv 1703.10593); its residual blocks are those of Johnson, Alahi, Fei-Fei, 2016 (arXiv 1603.08155).

The names of the weights are those of the authors' PyTorch release (`resnet_9blocks`, `resnet_6blocks`), so their files load as
they are.
"""
from torch import nn
from torch.nn import functional as F

STEP = 4  # input pixels to a pixel of the residual blocks


def _normalised(conv: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    # Instance norm takes out the mean, so a bias before it has no gradient but noise and is not trained; the files hold it.
    conv.bias.requires_grad_(False)
    return [conv, nn.InstanceNorm2d(conv.out_channels)]


class ResidualBlock(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), *_normalised(nn.Conv2d(features, features, 3)), nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1), *_normalised(nn.Conv2d(features, features, 3)))

    def forward(self, x):
        return x + self.conv_block(x)


class ResNet(nn.Module):
    """Residual blocks at a quarter of the height and width, instance norm behind all convolutions but the last. NCHW in [0, 1]
    of at least 5 pixels a side -> the same size.

    As the authors have it the network works on [-1, 1] and ends in tanh. With `residual` it tells what is to be added to the
    image, and what comes out may leave [0, 1].

    `radius` is that of the convolutions. Instance norm goes by mean and variance over the whole image, so in tiles it goes by
    those of each tile with its margin, and what comes out differs from one pass over the image; an image that fits into a tile
    and two margins is one pass.
    """

    def __init__(self, blocks: int, features: int, residual: bool):
        super().__init__()
        self.scale, self.multiple, self.residual = 1, STEP, residual
        # The 7x7 at each end reaches 3 pixels, the two that halve 1 + 2, and from an output pixel to the far corner of the
        # blocks' pixels that it is made of are 3 more on either side.
        self.radius = 3 + 3 + 2 * 3 + STEP * 2 * blocks
        model = [nn.ReflectionPad2d(3), *_normalised(nn.Conv2d(3, features, 7)), nn.ReLU(inplace=True)]
        for width in (features, 2 * features):
            model += [*_normalised(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)), nn.ReLU(inplace=True)]
        model += [ResidualBlock(4 * features) for _ in range(blocks)]
        for width in (4 * features, 2 * features):
            up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
            model += [*_normalised(up), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*model, nn.ReflectionPad2d(3), nn.Conv2d(features, 3, 7), nn.Tanh())
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, 0, 0.02)
                nn.init.zeros_(layer.bias)
        if residual:
            nn.init.zeros_(self.model[-2].weight)

    def forward(self, x):
        height, width = x.shape[2:]
        image = F.pad(x, (0, -width % STEP, 0, -height % STEP), mode="replicate")
        made = self.model(2 * image - 1)
        made = image + made / 2 if self.residual else (1 + made) / 2
        return made[:, :, :height, :width]


def build(blocks: int = 9, features: int = 64, residual: bool = False) -> ResNet:
    """The authors' network has 9 blocks for images of 256 pixels and more, 6 below.

    Theirs has no skip from input to output and spends its first thousands of steps on learning to pass the image on; instance
    norm even hides brightness and contrast from it. A `residual` one begins as the identity; DeblurGAN (Kupyn et al. 2018,
    arXiv 1711.07064) has such a skip around this generator.
    """
    if min(blocks, features) < 1:
        raise ValueError(f"resnet: blocks and features are {blocks} and {features}, wanted at least 1")
    return ResNet(blocks, features, residual)
