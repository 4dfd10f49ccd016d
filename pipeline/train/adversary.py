"""The adversarial part of stage 2: a discriminator trained beside the network (Liu et al., eqs. 3-5).

Discriminators turn NCHW images in [0, 1] of any size, at least 16 pixels, into logits, positive for clean. The paper does not
describe its own; `srgan` is that of Ledig et al. 2017 (arXiv 1609.04802) with a global mean before the dense layers, so that it
takes patches of any size.
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.adam import Adam
from pipeline.core.settings import Stage2Settings
from pipeline.score.highpass import with_highpass
from pipeline.train import ranks
from pipeline.train.crops import Crops, reader
from pipeline.train.method import mean_scores


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


class Adversary:
    """Discriminates restored patches from unpaired clean ones, and lends the network its opinion as a loss."""

    def __init__(self, settings: Stage2Settings, clean: Crops, device: torch.device):
        self.settings, self.clean, self.device = settings, reader(clean, device), device
        self.network = DISCRIMINATORS[settings.discriminator](settings.d_features).to(device)
        if settings.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.judge = ranks.data_parallel(self.network)  # for its own update alone
        self.optimizer = Adam(self.network.parameters(), lr=settings.d_lr, betas=settings.betas, fused=True)
        self.parts = {"discriminator": self.network, "discriminator's optimizer": self.optimizer}

    def update(self, step: int, fake: torch.Tensor) -> dict[str, torch.Tensor]:
        """k updates by binary cross-entropy (eq. 5). Returns the last one's loss (d_loss) and mean logits of each patch."""
        self.network.requires_grad_(True)
        for turn in range(self.settings.d_steps):
            (clean,) = self.clean(step * self.settings.d_steps + turn)
            clean = clean.to(self.device, non_blocking=self.device.type == "cuda")
            real, fakes = self.judge(clean), self.judge(fake.detach())
            loss = _cross_entropy(real, self.settings.d_real) + _cross_entropy(fakes, 0.0)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return {"d_loss": loss.detach(), "real": mean_scores(real), "fake": mean_scores(fakes)}

    def loss(self, fake: torch.Tensor) -> torch.Tensor:
        """The generator's term in its non-saturating form, -log D(G(y)) (Liu et al., eq. 4; the form is our reading)."""
        self.network.requires_grad_(False)
        return _cross_entropy(self.network(fake), 1.0)


def _cross_entropy(logits: torch.Tensor, target: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
