"""The area under the ROC curve: how well one number tells two groups apart."""
import torch


def auc(real: torch.Tensor, fake: torch.Tensor) -> float:
    """Probability that a value of `real` (n,) exceeds one of `fake` (m,): in [0, 1], 0.5 is chance, ties count half.

    The Mann-Whitney statistic U / (n m); Hanley and McNeil, Radiology 1982.
    """
    ordered = fake.sort().values
    below, up_to = (torch.searchsorted(ordered, real, side=side).sum().item() for side in ("left", "right"))
    return (below + up_to) / (2 * len(real) * len(fake))
