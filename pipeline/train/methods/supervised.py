"""Supervised training on pairs: stage 1, the oracle, specialised networks."""
import copy

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.settings import Training
from pipeline.train import ranks
from pipeline.train.crops import Crops, reader
from pipeline.train.forward import in_float, to_training_mode, validate
from pipeline.train.optimizer import adam, update
from pipeline.train.schedule import learning_rate


class Supervised:
    """L1 or MSE between the network's outputs and the targets, or the network's own way to apply them (`fidelity`; Liu et al.,
    eq. 8). `crops` gives batches of (input, target), `val` the same of the val split, or is None when that is empty.

    `network` is trained in place, and ends as its moving average if `settings.ema`.
    """
    warmup = 0

    def __init__(self, settings: Training, network: nn.Module, crops: Crops, val: Crops | None, device: torch.device):
        self.settings, self.network, self.crops, self.val, self.device = settings, network, crops, val, device
        self.layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.read = reader(crops, device)
        network.to(device, memory_format=self.layout)
        self.optimizer = adam([network], settings.lr, settings.betas)
        self.average = copy.deepcopy(network) if settings.ema else network
        self.averaged = [[value.data for value in kept.parameters()] for kept in (self.average, network)]
        self.fidelity = getattr(network, "fidelity", None)
        self.distance = {"l1": F.l1_loss, "mse": F.mse_loss}[getattr(settings, "loss", "mse")]  # stage 2 has MSE alone
        self.frozen_batch_norm = getattr(settings, "batch_norm", "train") == "frozen"  # stage 1 learns the statistics
        to_training_mode(network, self.frozen_batch_norm)
        self.forward = ranks.data_parallel(network)
        if settings.compile:
            self.forward = torch.compile(self.forward)

    def step(self, step: int) -> dict:
        inputs, targets = self.batch(step)
        return self.improve(step, *self.loss(self.outputs(inputs), targets))

    def batch(self, step: int) -> list[torch.Tensor]:
        """Inputs and targets, on the device."""
        return [batch.to(self.device, memory_format=self.layout, non_blocking=self.device.type == "cuda")
                for batch in self.read(step)]

    def outputs(self, inputs: torch.Tensor):
        with torch.autocast(self.device.type, torch.bfloat16, self.settings.precision == "bf16"):
            return in_float(self.forward(inputs))

    def loss(self, outputs, targets: torch.Tensor) -> tuple[dict, torch.Tensor]:
        """The terms of the loss by name, and their weighted sum. Means over all values of images in [0, 1]."""
        apply = self.fidelity or (lambda outputs, targets, distance: distance(outputs, targets))
        terms = {"fidelity": apply(outputs, targets, self.distance)}
        return terms, terms["fidelity"]

    def improve(self, step: int, terms: dict, loss: torch.Tensor) -> dict:
        """Update the network and its moving average; `step` is counted without the warm-up. Returns the record."""
        norm = update(self.optimizer, loss, self.learning_rate(step), self.settings.clip)
        if self.settings.ema:
            torch._foreach_lerp_(*self.averaged, 1 - self.settings.ema)
            for kept, buffer in zip(self.average.buffers(), self.network.buffers()):
                kept.lerp_(buffer, 1 - self.settings.ema) if buffer.is_floating_point() else kept.copy_(buffer)
        return {"loss": loss.detach(), "norm": norm} | {name: term.detach() for name, term in terms.items()}

    def learning_rate(self, step: int) -> float:
        return learning_rate(self.settings, step)

    def summary(self, records: list[dict]) -> dict:
        values = validate(self.average, self.val, self.device)
        to_training_mode(self.network, self.frozen_batch_norm)
        return values

    def names(self, step: int) -> list[str]:
        return self.crops.names(step)

    def state_dict(self) -> dict:
        return {"network": self.network.state_dict(), "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def finish(self) -> nn.Module:
        if self.average is not self.network:
            self.network.load_state_dict(self.average.state_dict())
        return self.network
