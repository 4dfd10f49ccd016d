"""What `loss` in params.yaml may be: distances of outputs from targets, both NCHW in [0, 1]. Each gives a tensor of one number,
which is 0 or close to it where they are the same."""
import torch
from torch.nn import functional as F

EPSILON = 1e-3  # of full scale: differences below it count by their square


def charbonnier(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean of sqrt(d^2 + 0.001^2) over all differences d: an L1 that is smooth at 0 (Lai et al. 2017, arXiv 1704.03915)."""
    return ((outputs - targets).square() + EPSILON**2).sqrt().mean()


def fourier(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """L1, plus the mean modulus of the Fourier transform of the differences, over all frequencies of each colour.

    Such a loss in the frequency domain is that of Cho et al. 2021 (arXiv 2108.05054). The transform here is orthonormal, so its
    weight against the L1 does not depend on the size of a patch: white noise of any strength has about the same of both.
    """
    difference = outputs - targets
    return difference.abs().mean() + torch.fft.fft2(difference, norm="ortho").abs().mean()


DISTANCES = {"l1": F.l1_loss, "mse": F.mse_loss, "charbonnier": charbonnier, "fourier": fourier}
