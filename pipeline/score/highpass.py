"""What discriminators and critics look at: what tells restored from clean is fine texture of a few levels, and a small network
that sees the plain image stays at chance."""
import torch
from torch.nn import functional as F


def with_highpass(x: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 6, H, W): x - 0.5, and 10 times what x differs by from its 5x5 mean."""
    smooth = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
    return torch.cat([x - 0.5, 10 * (x - smooth)], 1)
