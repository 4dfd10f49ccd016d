"""What recipes have in common: ranges that a value is drawn from, [low, high], both reachable."""
from pydantic_core import core_schema

from pipeline.core.model import NonNegative, Strict


class Degradation(Strict):
    """What every recipe has."""
    fitted_with_truth: bool = False
    """Whether its ranges were fitted with the truth of captures of this project: what is trained on its pairs saw it then."""


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the first of the two must not be the larger")
    return pair


class Range(tuple):
    """[low, high], both reachable, low <= high, never negative."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return core_schema.no_info_after_validator_function(_ordered, handler(tuple[NonNegative, NonNegative]))


def within(section, **bounds):
    for field, (low, high) in bounds.items():
        least, most = getattr(section, field)
        if least < low or most > high:
            raise ValueError(f"{field}: got [{least:g}, {most:g}], wanted both in [{low:g}, {high:g}]")
    return section
