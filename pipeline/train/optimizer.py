"""What the methods share of an update: Adam, its learning rate, the norm of the gradient."""
from collections.abc import Iterable

import torch
from torch import nn


def adam(networks: Iterable[nn.Module], lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam for the weights of all `networks` that are not frozen."""
    weights = [weight for network in networks for weight in network.parameters() if weight.requires_grad]
    return torch.optim.Adam(weights, lr=lr, betas=betas, fused=True)


def update(optimizer: torch.optim.Optimizer, loss: torch.Tensor, lr: float, clip: float = 0) -> torch.Tensor:
    """One step down the gradient of `loss`, which is cut to the norm `clip` unless that is 0. Returns its norm before that."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    if clip:
        nn.utils.clip_grads_with_norm_(weights, clip, norm)
    optimizer.step()
    return norm
