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
from pipeline.train.crops import Crops, reader
from pipeline.train.forward import validate
from pipeline.train.optimizer import adam, update
from pipeline.train.schedule import learning_rate
from pipeline.train.scores import d_auc


class Reached(Exception):
    """Ends a forward pass at the layer whose input was wanted."""


def deep_features(encoder: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What the part `tail` of a network is given for `images` (NCHW in [0, 1])."""
    found = []

    def take(_, inputs):
        found.extend(inputs)
        raise Reached

    handle = encoder.tail.register_forward_pre_hook(take)
    try:
        encoder(images)
    except Reached:
        pass
    finally:
        handle.remove()
    return found[0]


def relative_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """sum |a - b| / sum |b|: a number that the scale of the features does not change.

    Where several processes have a part of a batch each, the mean of what they give is that of the whole batch.
    """
    return (a - b).abs().sum() / ranks.mean(b.abs().sum())


class Rbsr:
    """`crops` gives batches of (real input, synthetic input, bicubic image), all of one size, `val` of (real input, bicubic
    image); `encoder` is frozen, in eval mode, and has a part `tail`."""
    warmup = 0

    def __init__(self, settings: RbsrTraining, network: nn.Module, encoder: nn.Module, crops: Crops, val: Crops | None,
                 device: torch.device):
        self.settings, self.encoder, self.crops, self.val, self.device = settings, encoder.to(device), crops, val, device
        self.layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.network = network.to(device, memory_format=self.layout)
        self.forward, self.read = ranks.data_parallel(self.network), reader(self.batch, device)
        self.optimizer = adam([network], settings.lr, settings.betas)
        self.adversary = Adversary(settings, lambda step: crops(step)[-1:], device)

    def step(self, step: int) -> dict:
        inputs, targets = (batch.to(self.device, memory_format=self.layout, non_blocking=self.device.type == "cuda")
                           for batch in self.read(step))
        self.network.train()
        outputs = self.forward(inputs)
        record = self.adversary.update(step, outputs)
        terms, loss = self.loss(outputs, targets)
        norm = update(self.optimizer, loss, self.learning_rate(step), self.settings.clip)
        return record | {"loss": loss.detach(), "g_norm": norm} | {name: term.detach() for name, term in terms.items()}

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs, every second one of the whole batch synthetic, and the bicubic images they belong to."""
        inputs, synthetic, targets = self.crops(step)
        second = slice(1 - self.crops.samples.start % 2, None, 2)
        inputs[second] = synthetic[second]
        return inputs, targets

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[dict, torch.Tensor]:
        """The terms by name and their weighted sum."""
        with torch.no_grad():
            features = deep_features(self.encoder, targets)
        terms = {"fidelity": F.l1_loss(outputs, targets),
                 "features": relative_distance(deep_features(self.encoder, outputs), features),
                 "adversarial": self.adversary.loss(outputs)}
        return terms, (terms["fidelity"] + self.settings.features * terms["features"]
                       + self.settings.adversarial * terms["adversarial"])

    def learning_rate(self, step: int) -> float:
        return learning_rate(self.settings, step)

    def summary(self, records: list[dict]) -> dict:
        return d_auc(records) | validate(self.network, self.val, self.device)

    def names(self, step: int) -> list[str]:
        return self.crops.names(step)

    def state_dict(self) -> dict:
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(),
                "adversary": self.adversary.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.adversary.load_state_dict(state["adversary"])

    def finish(self) -> nn.Module:
        return self.network
