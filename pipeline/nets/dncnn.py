"""DnCNN: Zhang et al., Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising, 2017 (arXiv 1608.03981).

The names of the weights are those of KAIR, the first author's PyTorch release: with batch norm its training files, without it
its released ones, where batch norm is merged into the convolutions.
"""
from torch import nn


class DnCNN(nn.Module):
    """3x3 convolutions in a row; they tell what is to be taken off the image. NCHW in [0, 1] -> the same size.

    With one channel it is a network for grey images, and sees each colour by itself.
    """

    def __init__(self, layers: int, features: int, batch_norm: bool, channels: int):
        super().__init__()
        self.scale, self.radius, self.channels = 1, layers, channels
        model = [nn.Conv2d(channels, features, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(layers - 2):
            model.append(nn.Conv2d(features, features, 3, padding=1))
            if batch_norm:
                # Without a gradient but noise, so not trained (as by the authors); the files hold it.
                model[-1].bias.requires_grad_(False)
                model.append(nn.BatchNorm2d(features, eps=1e-4))  # the authors' eps, with which the files belong
            model.append(nn.ReLU(inplace=True))
        self.model = nn.Sequential(*model, nn.Conv2d(features, channels, 3, padding=1))
        for layer in self.model:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        return x - self.model(x.reshape(-1, self.channels, *x.shape[2:])).reshape(x.shape)


def build(layers: int = 17, features: int = 64, batch_norm: bool = True, start: str = "random", channels: int = 3) -> DnCNN:
    """The paper's networks have 17 layers of 64 features for one noise level, 20 for several degradations. KAIR's for one noise
    level are for grey images (`channels` 1).

    `start` is how training from scratch begins: `random` as the authors do, or `identity`, where the last convolution is zero.
    """
    if layers < 2 or features < 1:
        raise ValueError(f"dncnn: layers and features are {layers} and {features}, wanted at least 2 and 1")
    if start not in ("random", "identity"):
        raise ValueError(f"dncnn: start is {start!r}, allowed are random, identity")
    if channels not in (1, 3):
        raise ValueError(f"dncnn: channels is {channels!r}, allowed are 1, 3")
    network = DnCNN(layers, features, batch_norm, channels)
    if start == "identity":
        nn.init.zeros_(network.model[-1].weight)
    return network
