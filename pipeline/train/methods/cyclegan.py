"""CycleGAN: Zhu, Park, Isola, Efros, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, 2017
(arXiv 1703.10593), in the form of the authors' PyTorch release: least-squares GAN, identity terms, histories of made images.

Captures y and clean images x show other things. Two generators, G: y -> x (the network that restores) and F: x -> y, minimise,
with a discriminator for each side (eq. 3; the identity terms are of section 5.2),

    (D_x(G(y)) - 1)^2 + (D_y(F(x)) - 1)^2 + cycle * (|F(G(y)) - y| + |G(F(x)) - x| + identity * (|G(x) - x| + |F(y) - y|))

All are means over values; those of |.| are of images in [-1, 1], as the authors have it, and so twice those of [0, 1].
"""
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.baselines import CycleGanTraining
from pipeline.core.seeds import rng
from pipeline.train import ranks
from pipeline.train.crops import Crops
from pipeline.train.method import Method, adam, d_auc, mean_scores, restored, update


def squared_error(scores: torch.Tensor, target: float) -> torch.Tensor:
    """The least-squares GAN loss (Mao et al. 2017, arXiv 1611.04076)."""
    return (scores - target).square().mean()


def l1(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Of images in [0, 1], as if they were in [-1, 1]."""
    return 2 * F.l1_loss(a, b)


class PatchGan(nn.Module):
    """A discriminator that judges every patch of an image by itself (Isola et al., 2017, arXiv 1611.07004): NCHW in [0, 1] -> a
    score for each patch (N, 1, h, w), trained towards 1 for real and 0 for made. The weights have the release's names. With 3
    `layers` a patch is 70x70 pixels. An image has at least 3 * 2^layers pixels a side."""

    def __init__(self, layers: int, features: int):
        super().__init__()
        widths = [features * min(2**i, 8) for i in range(layers + 1)]
        model = [nn.Conv2d(3, features, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            conv = nn.Conv2d(inputs, outputs, 4, stride=2 if i < layers - 1 else 1, padding=1)
            model += [conv, nn.InstanceNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
        self.model = nn.Sequential(*model, nn.Conv2d(widths[-1], 1, 4, padding=1))
        for layer in self.model:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0, 0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        return self.model(2 * x - 1)


class Pool:
    """A history of up to `size` made images for a discriminator, so that it does not forget what the generator no longer makes
    (Shrivastava et al., 2017, arXiv 1612.07828, section 2.3). What it draws is a function of (seed, purpose, step), what it
    holds is part of a checkpoint. Several processes hold the same images, as each gives it the whole batch."""

    def __init__(self, size: int, seed: int, purpose: str):
        self.size, self.seed, self.purpose, self.images = size, seed, purpose, []

    def exchange(self, step: int, images: torch.Tensor) -> torch.Tensor:
        """A batch to show instead of `images` (NCHW): while the pool has room, each is kept and shown; from then on, each is
        shown itself or, as often, takes the place of one in the pool, which is shown. A pool of size 0 shows what it is given.
        """
        shown = []
        for sample, image in enumerate(images.detach()):
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif self.size:
                draw = rng(self.seed, self.purpose, step * len(images) + sample)
                if draw.random() < 0.5:
                    place = int(draw.integers(self.size))
                    image, self.images[place] = self.images[place], image.clone()
            shown.append(image)
        return torch.stack(shown)


class CycleGan(Method):
    """Generators are G and F, discriminators D_x and D_y; the pools are those that D_x and D_y are shown images from. The pool
    holds images of whole batches, so that several processes train as one does."""

    def __init__(self, settings: CycleGanTraining, generators: list[nn.Module], discriminators: list[nn.Module],
                 captures: Crops, clean: Crops, pools: list[Pool], device: torch.device):
        sides = captures, clean
        super().__init__(settings, generators[0], lambda step: [crops(step)[0] for crops in sides], sides, device)
        networks = [network.to(device) for network in (*generators, *discriminators)]
        _, self.back, self.of_clean, self.of_captures = networks
        self.discriminators = nn.ModuleList(discriminators)
        self.make, self.unmake, *self.judges = map(ranks.data_parallel, networks)
        self.optimizers = [adam(each, settings.lr, settings.betas) for each in (generators, discriminators)]
        self.parts = dict(enumerate([*networks, *self.optimizers]))
        self.pools = pools

    def step(self, step: int) -> dict:
        """The generators' update, then that of the discriminators on what the pools give for what was made."""
        captures, clean = self.batch(step)
        rate = self.learning_rate(step)
        self.discriminators.requires_grad_(False)
        terms, loss, images = self.generator_loss(captures, clean)
        record = {"loss": loss.detach(), "g_norm": update(self.optimizers[0], loss, rate)}

        self.discriminators.requires_grad_(True)
        d_loss, real, fake = self.discriminator_loss(clean, captures, self.shown(step, images))
        return record | {name: term.detach() for name, term in terms.items()} | {
            "d_loss": d_loss.detach(), "d_norm": update(self.optimizers[1], d_loss, rate), "real": real, "fake": fake}

    def shown(self, step: int, images: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
        """What the pools give for a batch of made images, or for this process's part of it."""
        rank, count = ranks.part()
        return [pool.exchange(step, ranks.gather_batch(made)).chunk(count)[rank] for pool, made in zip(self.pools, images)]

    def generator_loss(self, captures: torch.Tensor, clean: torch.Tensor):
        """The terms by name, their weighted sum, and what was made: restored captures and degraded clean images."""
        make, back = (lambda x: restored(self.make(x))), (lambda x: restored(self.unmake(x)))
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
        for judge, real, fake in zip(self.judges, (clean, captures), shown):
            scores += [judge(real), judge(fake)]
            loss = loss + (squared_error(scores[-2], 1) + squared_error(scores[-1], 0)) / 2
        return loss, *map(mean_scores, scores[:2])

    def learning_rate(self, step: int) -> float:
        """Constant, then over the last `decay` steps linearly to zero, which the step after the last one would reach."""
        return self.settings.lr * min(1, (self.settings.steps - step) / (self.settings.decay + 1))

    def summary(self, records: list[dict]) -> dict:
        """How well D_x tells clean images from restored captures."""
        return d_auc(records)

    def state_dict(self) -> dict:
        return super().state_dict() | {"pools": [pool.images for pool in self.pools]}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        for pool, images in zip(self.pools, state["pools"]):
            pool.images = [image.to(self.device) for image in images]
