"""The learning rate as a function of the step."""
import math

from pipeline.core.settings import Training


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
