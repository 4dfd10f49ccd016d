"""RBSR's mapping: Rad, Yu, Musat, Ekenel, Bozorgtabar, Thiran, Benefiting from Bicubically Down-Sampled Images for Learning
Real-World Image Super-Resolution, 2021 (arXiv 2007.03053). A GAN makes inputs of an unknown degradation look like bicubic ones
of the same size; any network for bicubic inputs enlarges them.

What we know of the paper is that its mapping is trained on real and synthetic pairs at once, that it is a GAN, and that a
"bicubic perceptual loss" is to keep unwanted textures away. No layer, weight or rate is known to us, nor is there code. So the
rest is our reading:

    |G(y) - b| + features * perceptual(G(y), b) - adversarial * log D(G(y))

Here b is the bicubic image that y belongs to. Half of each batch are real inputs y, half synthetic ones. D tells b from G(y) by
binary cross-entropy. `perceptual` is the distance between what the last layers of a network trained on bicubic inputs are given
for G(y) and for b: its deep features, relative to those of b.
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.baselines import RbsrTraining
from pipeline.train import ranks
from pipeline.train.adversary import Adversary
from pipeline.train.crops import Crops
from pipeline.train.method import Method, adam, d_auc, given_to, update


def relative_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """sum |a - b| / sum |b|: a number that the scale of the features does not change. Where several processes have a part of a
    batch each, the mean of what they give is that of the whole batch."""
    return (a - b).abs().sum() / ranks.gather_batch(b.abs().sum()[None]).mean()


def mixed(crops: Crops, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs, every second one of the whole batch synthetic, and the bicubic images they belong to."""
    inputs, synthetic, targets = crops(step)
    second = slice(1 - crops.samples.start % 2, None, 2)
    inputs[second] = synthetic[second]
    return inputs, targets


class Rbsr(Method):
    """`crops` gives batches of (real input, synthetic input, bicubic image), all of one size, `val` of (real input, bicubic
    image); `encoder` is frozen, in eval mode, and has a part `tail`."""

    def __init__(self, settings: RbsrTraining, network: nn.Module, encoder: nn.Module, crops: Crops, val: Crops | None,
                 device: torch.device):
        super().__init__(settings, network, lambda step: mixed(crops, step), [crops], device)
        self.encoder, self.val, self.forward = encoder.to(device), val, ranks.data_parallel(network)
        self.optimizer = adam([network], settings.lr, settings.betas)
        self.adversary = Adversary(settings, lambda step: crops(step)[-1:], device)
        self.parts |= {"optimizer": self.optimizer} | self.adversary.parts

    def step(self, step: int) -> dict:
        inputs, targets = self.batch(step)
        self.network.train()
        outputs = self.forward(inputs)
        record = self.adversary.update(step, outputs)
        terms, loss = self.loss(outputs, targets)
        norm = update(self.optimizer, loss, self.learning_rate(step), self.settings.clip)
        return record | {"loss": loss.detach(), "g_norm": norm} | {name: term.detach() for name, term in terms.items()}

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[dict, torch.Tensor]:
        """The terms by name and their weighted sum."""
        with torch.no_grad():
            features = given_to(self.encoder.tail, self.encoder, targets)
        terms = {"fidelity": F.l1_loss(outputs, targets),
                 "features": relative_distance(given_to(self.encoder.tail, self.encoder, outputs), features),
                 "adversarial": self.adversary.loss(outputs)}
        return terms, (terms["fidelity"] + self.settings.features * terms["features"]
                       + self.settings.adversarial * terms["adversarial"])

    def summary(self, records: list[dict]) -> dict:
        return d_auc(records) | self.validate(self.network, self.val)
