"""NIQE under a model of the reference, and under the authors' own."""
from functools import partial

from pipeline.score.metric import Metric


def _fitted(scoring):
    from pipeline.score.niqe import fit, score

    return partial(score, model=fit(scoring.reference, scoring.settings.niqe_patch))


def _published(scoring):
    from pipeline.score.niqe import published, score

    return partial(score, model=published(scoring.trunks))


NIQE = Metric("niqe", "NIQE", "down", 2, ("reference",), _fitted, family="blind")
NIQE_PUBLISHED = Metric("niqe_published", "NIQE-published", "down", 2, (), _published, family="blind", stands_for="niqe")
