"""How well a fresh classifier tells all outputs from the reference."""
from pipeline.score.metric import Metric


def _critic(scoring):
    from pipeline.score.critic import critic_auc, sample_patches

    settings = scoring.settings
    reference = sample_patches(scoring.reference, settings.critic_patch, settings.seed)

    def measure(outputs):
        return critic_auc(sample_patches(outputs, settings.critic_patch, settings.seed), reference, settings, settings.seed)

    return measure


CRITIC_AUC = Metric("critic_auc", "Critic AUC", "down", 3, ("reference", "set", "captures"), _critic)
