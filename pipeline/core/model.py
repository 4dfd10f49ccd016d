"""What all sections of params.yaml share: frozen, strict classes, the kinds of their values, and errors that name the key."""
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

NAME = r"^[A-Za-z0-9][A-Za-z0-9_+.-]*$"  # DVC addresses stages as group@name, so no slash and no @

Name = Annotated[str, Field(pattern=NAME)]
Count = Annotated[int, Field(ge=1)]
WholeNumber = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"got [{pair[0]:g}, {pair[1]:g}], wanted [low, high] with low <= high")
    return pair


Range = Annotated[tuple[NonNegative, NonNegative], AfterValidator(_ordered)]
"""[low, high], both reachable, never negative: a value is drawn uniformly between the two."""


def span(least: float, most: float):
    """A Range whose ends lie in [least, most]; these may be negative."""
    end = Annotated[float, Field(ge=least, le=most)]
    return Annotated[tuple[end, end], AfterValidator(_ordered)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True,
                              use_attribute_docstrings=True)  # they are what docs/params.md says of a key

    def resolved(self) -> dict:
        """Every key with its value, defaults included, under the names of params.yaml; can be written as JSON."""
        return self.model_dump(mode="json", by_alias=True)


def override(settings: Strict, changes: dict, where: str):
    """`settings` with `changes` on top, checked again; errors (ValueError) speak of `where`."""
    known = {field.alias or name for name, field in type(settings).model_fields.items()}
    if unknown := sorted(set(changes) - known):
        raise ValueError(f"{where}.{unknown[0]}: no such key; allowed are {', '.join(settings.model_dump(by_alias=True))}")
    if "lambda" in changes:
        raise ValueError(f"{where}.lambda: stage2.lambda always acts; set lambda_scale to weigh this entry differently")
    try:
        return type(settings).model_validate(settings.model_dump(by_alias=True) | changes)
    except ValidationError as error:
        raise ValueError(explain(error, where)) from error


def explain(error: ValidationError, where: str = "") -> str:
    """What is wrong, in one line: the key, what was got, what is allowed."""
    lines = []
    for item in error.errors():
        key = ".".join([*([where] if where else []), *(str(part) for part in item["loc"])])
        if item["type"] == "value_error":
            lines.append(f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"]))
        elif item["type"] == "missing":
            lines.append(f"{key}: is missing")
        elif item["type"] == "extra_forbidden":
            lines.append(f"{key}: no such key (its value is {item['input']!r})")
        else:
            lines.append(f"{key}: got {item['input']!r}; {item['msg']}")
    return "; ".join(lines)
