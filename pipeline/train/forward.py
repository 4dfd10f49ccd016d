"""How networks are called while they are trained and validated."""
import torch
from torch import nn

from pipeline.train import ranks
from pipeline.train.crops import Crops


def to_training_mode(network: nn.Module, frozen_batch_norm: bool) -> None:
    """Training mode. Frozen batch norm keeps the statistics of the network that training began from."""
    network.train()
    if frozen_batch_norm:
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()


def in_float(outputs):
    """What a network gives in training, in float32: the image, or a tuple that begins with it."""
    return tuple(output.float() for output in outputs) if isinstance(outputs, tuple) else outputs.float()


def restored(outputs) -> torch.Tensor:
    """The image in what a network gives in training."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


@torch.no_grad()
def validate(network: nn.Module, crops: Crops | None, device: torch.device) -> dict:
    """PSNR in dB over one fixed batch of val crops, against their targets: the surrogates, in stage 2. Leaves eval mode on."""
    if crops is None or not ranks.first():
        return {}
    inputs, targets = (batch.to(device) for batch in crops(0))
    network.eval()
    errors = (network(inputs).clamp(0, 1) - targets).square().mean((1, 2, 3))
    return {"val_psnr": (-10 * torch.log10(errors.clamp_min(1e-10))).mean().item()}
