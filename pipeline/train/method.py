"""What the methods of training (train/methods) have in common."""
import math
from collections.abc import Iterable
from contextlib import suppress

import torch
from torch import nn

from pipeline.core.adam import Adam
from pipeline.core.settings import Training
from pipeline.score.auc import auc
from pipeline.train import ranks
from pipeline.train.crops import Crops, reader


class Method:
    """The arithmetic of a training, without its loop. A subclass has

        step(i) -> dict            trains step i, the warm-up counted. It gives scalars, means over this process's part of the
                                   batch, `loss` among them, and tensors of a value per image, all on the device
        summary(records) -> dict   further numbers for a row of the curve, from the records of several steps

    and names in `parts` what a checkpoint holds. `network` is trained in place and kept. `read(i)` gives a batch from `crops`.
    """
    warmup = 0  # steps before the first update of `network`

    def __init__(self, settings, network: nn.Module, read, crops: Iterable, device: torch.device):
        self.settings, self.crops, self.device = settings, crops, device
        self.layout = torch.channels_last if getattr(settings, "channels_last", False) else torch.contiguous_format
        self.network, self.read = network.to(device, memory_format=self.layout), reader(read, device)
        self.parts = {"network": network}

    def batch(self, step: int) -> list[torch.Tensor]:
        """On the device."""
        return [batch.to(self.device, memory_format=self.layout, non_blocking=self.device.type == "cuda")
                for batch in self.read(step)]

    def learning_rate(self, step: int) -> float:
        """Of `network`; `step` is counted without the warm-up."""
        return learning_rate(self.settings, step)

    def names(self, step: int) -> list[str]:
        """The images of a step."""
        return [name for crops in self.crops for name in crops.names(step)]

    @torch.no_grad()
    def validate(self, network: nn.Module, crops: Crops | None) -> dict:
        """PSNR in dB over one fixed batch of val crops, against their targets (surrogates in stage 2). Leaves eval mode on."""
        if crops is None or not ranks.first():
            return {}
        inputs, targets = (batch.to(self.device) for batch in crops(0))
        errors = (network.eval()(inputs).clamp(0, 1) - targets).square().mean((1, 2, 3))
        return {"val_psnr": (-10 * torch.log10(errors.clamp_min(1e-10))).mean().item()}

    def state_dict(self) -> dict:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state[name])

    def finish(self) -> nn.Module:
        """The network that is kept, after the last step."""
        return self.network


class _Reached(Exception):
    """Ends a forward pass at the layer whose input was wanted."""


def given_to(layer: nn.Module, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What `layer`, a part of `network`, is given for `images` (NCHW in [0, 1])."""
    found = []

    def take(_, inputs):
        found.extend(inputs)
        raise _Reached

    handle = layer.register_forward_pre_hook(take)
    try:
        with suppress(_Reached):
            network(images)
    finally:
        handle.remove()
    return found[0]


def restored(outputs) -> torch.Tensor:
    """The image in what a network gives in training: that alone, or a tuple that begins with it."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def adam(networks: Iterable[nn.Module], lr: float, betas: tuple[float, float]) -> Adam:
    """Adam for the weights of all `networks` that are not frozen."""
    weights = [weight for network in networks for weight in network.parameters() if weight.requires_grad]
    return Adam(weights, lr=lr, betas=betas, fused=True)


def update(optimizer: torch.optim.Optimizer, loss: torch.Tensor, lr: float, clip: float = 0) -> torch.Tensor:
    """One step down the gradient of `loss`, which is cut to the norm `clip` unless that is 0. Returns its norm before that."""
    (group,) = optimizer.param_groups
    group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.get_total_norm([weight.grad for weight in group["params"] if weight.grad is not None])
    if clip:
        nn.utils.clip_grads_with_norm_(group["params"], clip, norm)
    optimizer.step()
    return norm


def learning_rate(settings: Training, step: int) -> float:
    """`constant`; `cosine`: falls to zero over the run; `halve`: halved every `halve_every` steps; `tenth`: a tenth in the
    second half of the run."""
    if settings.schedule == "cosine":
        return settings.lr * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    if settings.schedule == "halve":
        return settings.lr * 0.5 ** (step // settings.halve_every)
    if settings.schedule == "tenth":
        return settings.lr * (1 if 2 * step < settings.steps else 0.1)
    return settings.lr


def mean_scores(scores: torch.Tensor) -> torch.Tensor:
    """The mean score of each image (N, ...) -> (N,), without a gradient."""
    return scores.detach().flatten(1).mean(1)


def d_auc(records: list[dict]) -> dict:
    """AUC of the mean scores `real` and `fake` of several steps: how well the discriminator tells clean from restored."""
    return {"d_auc": auc(*(torch.cat([record[side] for record in records]) for side in ("real", "fake")))}
