"""What a metric is: its name, how it is shown, what it is computed from, and how."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Need = Literal["truth", "input", "reference", "set", "captures", "asked"]  # docs/extend.md has what each means


@dataclass(frozen=True)
class Metric:
    """One score of the benchmark.

    `measure(scoring)` (a `score.Scoring`) is called once before the first image. It gives the function that scores, or None
    where params do not ask for the metric. That function is given the output, then the truth and the input as far as `needs`
    names them: uint8 RGB HWC images, or Shards of them for a metric of a set. It returns a number, for a set perhaps a dict:
    the number by the metric's name, and levels of it as NAME_LEVEL. It raises ValueError, with the reason, where there is none.
    """
    name: str  # in JSON, CSV and params.yaml
    title: str  # the heading of its column
    better: Literal["up", "down", ""]  # empty for a diagnostic, which no row can win
    digits: int  # after the point, in tables
    needs: tuple[Need, ...]
    measure: Callable
    about: str = ""  # what is said of it below a table; empty where `report.tables.conventions` explains it with others
    family: Literal["", "perceptual", "fidelity", "blind"] = ""
    """What the page takes it for when it names the row to use: perceptual before fidelity, both with truth; blind without."""
    stands_for: str = ""  # the metric that tables show in its place where both were computed

    def text(self, value: float | None, sign: str = "") -> str:
        """A score as tables show it, nothing where there is none; sign "+" is for differences."""
        return "" if value is None else f"{value:{sign}.{self.digits}f}"
