"""The adversarial part of stage 2: a discriminator trained beside the network (Liu et al., eqs. 3-5)."""
import torch
from torch.nn import functional as F

from pipeline.core.settings import Stage2Settings
from pipeline.train import ranks
from pipeline.train.crops import Crops, reader
from pipeline.train.discriminator import DISCRIMINATORS
from pipeline.train.scores import mean_scores


class Adversary:
    """Discriminates restored patches from unpaired clean ones, and lends the network its opinion as a loss."""

    def __init__(self, settings: Stage2Settings, clean: Crops, device: torch.device):
        self.settings, self.clean, self.device = settings, reader(clean, device), device
        self.network = DISCRIMINATORS[settings.discriminator](settings.d_features).to(device)
        if settings.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.judge = ranks.data_parallel(self.network)  # for its own update alone
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.d_lr, betas=settings.betas, fused=True)
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
