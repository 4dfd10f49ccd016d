"""The network of ZSSR: Shocher, Cohen, Irani, "Zero-Shot" Super-Resolution using Deep Internal Learning, CVPR 2018 (arXiv
1712.06087), which restore/zssr.py trains on each test image anew.
"""
from torch import nn

GAIN = 0.1  # variance of a layer's output over that of its input at the start; the authors' code has this number


class Zssr(nn.Module):
    """`layers` 3x3 convolutions without bias whose output is added to the input: an image already enlarged. NCHW in [0, 1]."""
    scale = 1

    def __init__(self, layers: int, features: int):
        super().__init__()
        self.radius = layers
        widths = [3, *[features] * (layers - 1), 3]
        body = []
        for i in range(layers):
            body += [nn.Conv2d(widths[i], widths[i + 1], 3, padding=1, bias=False), nn.ReLU(inplace=True)]
            nn.init.normal_(body[-2].weight, std=(GAIN / (9 * widths[i])) ** 0.5)
        self.body = nn.Sequential(*body[:-1])

    def forward(self, x):
        return x + self.body(x)


def build(layers: int = 8, features: int = 64) -> Zssr:
    """The paper's network has 8 layers of 64 features."""
    if layers < 2:
        raise ValueError(f"zssr: layers is {layers}, wanted at least 2")
    return Zssr(layers, features)
