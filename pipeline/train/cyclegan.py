"""CycleGAN: Zhu, Park, Isola, Efros, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, 2017
(arXiv 1703.10593), in the form of the authors' PyTorch release: least-squares GAN, identity terms, histories of made images.

Captures y and clean images x show other things. Two generators, G: y -> x (the network that restores) and F: x -> y, minimise,
with a discriminator for each side (eq. 3; the identity terms are of section 5.2),

    (D_x(G(y)) - 1)^2 + (D_y(F(x)) - 1)^2 + cycle * (|F(G(y)) - y| + |G(F(x)) - x| + identity * (|G(x) - x| + |F(y) - y|))

All are means over values; those of |.| are of images in [-1, 1], as the authors have it, and so twice those of [0, 1].
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.baselines import CycleGanTraining
from pipeline.measure.auc import auc
from pipeline.train.crops import Crops
from pipeline.train.loop import restored
from pipeline.train.pool import Pool


def learning_rate(settings: CycleGanTraining, step: int) -> float:
    """Constant, then over the last `decay` steps linearly to zero, which the step after the last one would reach."""
    return settings.lr * min(1, (settings.steps - step) / (settings.decay + 1))


def squared_error(scores: torch.Tensor, wanted: float) -> torch.Tensor:
    """The least-squares GAN loss (Mao et al. 2017, arXiv 1611.04076)."""
    return (scores - wanted).square().mean()


def l1(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Of images in [0, 1], as if they were in [-1, 1]."""
    return 2 * F.l1_loss(a, b)


class CycleGan:
    """A method of train/steps.py. Generators are G and F, discriminators D_x and D_y, all on `device`; the pools are those that
    D_x and D_y are shown images from."""

    def __init__(self, settings: CycleGanTraining, generators: list[nn.Module], discriminators: list[nn.Module],
                 captures: Crops, clean: Crops, pools: list[Pool], device: torch.device):
        self.settings, self.captures, self.clean, self.device = settings, captures, clean, device
        self.network, self.back = generators
        self.of_clean, self.of_captures = discriminators
        self.pools = pools
        self.weights = [[weight for network in networks for weight in network.parameters() if weight.requires_grad]
                        for networks in (generators, discriminators)]
        self.optimizers = [torch.optim.Adam(weights, lr=settings.lr, betas=settings.betas, fused=True)
                           for weights in self.weights]

    def step(self, step: int) -> dict:
        """The generators' update, then that of the discriminators on what the pools give for what was made."""
        captures, clean = (crops(step)[0].to(self.device).contiguous() for crops in (self.captures, self.clean))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate(step)
        self._train_discriminators(False)
        terms, loss, made = self.generator_loss(captures, clean)
        record = {name: term.item() for name, term in terms.items()} | {"g_norm": self._update(0, loss)}

        self._train_discriminators(True)
        shown = [pool.exchange(step, images) for pool, images in zip(self.pools, made)]
        loss, real, fake = self.discriminator_loss(clean, captures, shown)
        return record | {"d_loss": loss.item(), "d_norm": self._update(1, loss), "real": real, "fake": fake}

    def generator_loss(self, captures: torch.Tensor, clean: torch.Tensor):
        """The terms by name, their weighted sum, and what was made: restored captures and degraded clean images."""
        make, back = (lambda x: restored(self.network(x))), (lambda x: restored(self.back(x)))
        better, worse = make(captures), back(clean)
        terms = {"adversarial": squared_error(self.of_clean(better), 1) + squared_error(self.of_captures(worse), 1),
                 "cycle": l1(back(better), captures) + l1(make(worse), clean)}
        loss = terms["adversarial"] + self.settings.cycle * terms["cycle"]
        if self.settings.identity:
            terms["identity"] = l1(make(clean), clean) + l1(back(captures), captures)
            loss = loss + self.settings.cycle * self.settings.identity * terms["identity"]
        return terms, loss, (better, worse)

    def discriminator_loss(self, clean: torch.Tensor, captures: torch.Tensor, shown: list[torch.Tensor]):
        """Half the squared errors on real and on made images, summed over both sides (the half is the authors', to slow the
        discriminators down); and D_x's mean score of each image, real and made."""
        loss, scores = 0, []
        for judge, real, fake in ((self.of_clean, clean, shown[0]), (self.of_captures, captures, shown[1])):
            scores += [judge(real), judge(fake)]
            loss = loss + (squared_error(scores[-2], 1) + squared_error(scores[-1], 0)) / 2
        return loss, *(each.detach().flatten(1).mean(1).cpu() for each in scores[:2])

    def _train_discriminators(self, on: bool) -> None:
        for weight in self.weights[1]:
            weight.requires_grad_(on)

    def _update(self, which: int, loss: torch.Tensor) -> float:
        """One step of Adam; returns the norm of the gradient."""
        self.optimizers[which].zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.weights[which], float("inf"))
        self.optimizers[which].step()
        return norm.item()

    def learning_rate(self, step: int) -> float:
        return learning_rate(self.settings, step)

    def summary(self, records: list[dict]) -> dict:
        """How well D_x tells clean images from restored captures."""
        return {"d_auc": auc(*(torch.cat([record[side] for record in records]) for side in ("real", "fake")))}

    def names(self, step: int) -> list[str]:
        return self.captures.names(step) + self.clean.names(step)

    def state_dict(self) -> dict:
        return {"networks": [network.state_dict() for network in self._networks()],
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "pools": [pool.images for pool in self.pools]}

    def load_state_dict(self, state: dict) -> None:
        for network, saved in zip(self._networks(), state["networks"]):
            network.load_state_dict(saved)
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        for pool, images in zip(self.pools, state["pools"]):
            pool.images = [image.to(self.device) for image in images]

    def _networks(self) -> list[nn.Module]:
        return [self.network, self.back, self.of_clean, self.of_captures]
