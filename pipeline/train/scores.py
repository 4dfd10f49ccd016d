"""What a record keeps of a discriminator's opinion."""
import torch

from pipeline.score.auc import auc


def mean_scores(scores: torch.Tensor) -> torch.Tensor:
    """The mean score of each image (N, ...) -> (N,), without a gradient."""
    return scores.detach().flatten(1).mean(1)


def d_auc(records: list[dict]) -> dict:
    """AUC of the mean scores `real` and `fake` of several steps: how well the discriminator tells clean from restored."""
    return {"d_auc": auc(*(torch.cat([record[side] for record in records]) for side in ("real", "fake")))}
