"""Supervised training on pairs: stage 1, the oracle, specialised networks."""
import copy

import torch
from torch import nn

from pipeline.core.settings import Training
from pipeline.train import ranks
from pipeline.train.crops import Crops
from pipeline.train.distances import DISTANCES
from pipeline.train.method import Method, adam, update


class Supervised(Method):
    """A distance between the network's outputs and the targets (train/distances.py), or the network's own way to apply it
    (`fidelity`; Liu et al., eq. 8). `crops` gives batches of (input, target), `val` the same of the val split, or is None when
    that is empty. `network` ends as its moving average if `settings.ema`."""

    def __init__(self, settings: Training, network: nn.Module, crops: Crops, val: Crops | None, device: torch.device):
        super().__init__(settings, network, crops, [crops], device)
        self.val, self.optimizer = val, adam([network], settings.lr, settings.betas)
        self.average = copy.deepcopy(network) if settings.ema else network
        self.averaged = [[value.data for value in kept.parameters()] for kept in (self.average, network)]
        self.parts |= {"average": self.average, "optimizer": self.optimizer}
        self.fidelity = getattr(network, "fidelity", None)
        self.distance = DISTANCES[getattr(settings, "loss", "mse")]  # stage 2 has MSE alone
        self.training_mode()
        self.forward = ranks.data_parallel(network)
        if settings.compile:
            self.forward = torch.compile(self.forward)

    def training_mode(self) -> None:
        """Batch norm that is frozen keeps the statistics of the network that training began from."""
        self.network.train()
        if getattr(self.settings, "batch_norm", "train") == "frozen":  # stage 1 has no such setting: it learns the statistics
            for layer in self.network.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()

    def step(self, step: int) -> dict:
        inputs, targets = self.batch(step)
        return self.improve(step, *self.loss(self.outputs(inputs), targets))

    def outputs(self, inputs: torch.Tensor):
        """What the network gives in training, in float32: the image, or a tuple that begins with it."""
        with torch.autocast(self.device.type, torch.bfloat16, self.settings.precision == "bf16"):
            outputs = self.forward(inputs)
        return tuple(output.float() for output in outputs) if isinstance(outputs, tuple) else outputs.float()

    def loss(self, outputs, targets: torch.Tensor) -> tuple[dict, torch.Tensor]:
        """The terms of the loss by name, and their weighted sum. Means over all values of images in [0, 1]."""
        loss = self.fidelity(outputs, targets, self.distance) if self.fidelity else self.distance(outputs, targets)
        return {"fidelity": loss}, loss

    def improve(self, step: int, terms: dict, loss: torch.Tensor) -> dict:
        """Update the network and its moving average; `step` is counted without the warm-up. Returns the record."""
        norm = update(self.optimizer, loss, self.learning_rate(step), self.settings.clip)
        if self.settings.ema:
            torch._foreach_lerp_(*self.averaged, 1 - self.settings.ema)
            for kept, buffer in zip(self.average.buffers(), self.network.buffers()):
                kept.lerp_(buffer, 1 - self.settings.ema) if buffer.is_floating_point() else kept.copy_(buffer)
        return {"loss": loss.detach(), "norm": norm} | {name: term.detach() for name, term in terms.items()}

    def summary(self, records: list[dict]) -> dict:
        values = self.validate(self.average, self.val)
        self.training_mode()
        return values

    def finish(self) -> nn.Module:
        self.network.load_state_dict(self.average.state_dict())
        return self.network
