"""What the rows and test sets of the benchmark are called, and the order they are read in."""
from typing import NamedTuple

from pipeline.core.entries import Tests
from pipeline.core.graph import Graph
from pipeline.core.settings import Bench

TEST_SETS = ("captures", "captures-far", "synthetic", "captures-val", "synthetic-val")
CONTROL_SETS = ("captures-val", "captures")  # where the controls are scored, and where the critic and the diagnostics speak
STRENGTHS = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)  # of a restoration, as `restore --strength` has them, that rows are scored at
STRENGTH_IMAGES = 8  # of a test set at most; each is scored as often as there are strengths, so all would take hours
CHOICE_SET = "captures-val"  # where a network is chosen, by what needs no truth


class Control(NamedTuple):
    """What is done to a stage-1 output, or to the input, without any learning."""
    sharpen: float = 0  # amount of the unsharp mask
    noise: float = 0  # standard deviation of white noise in 8-bit levels
    input: float = 0  # share of the input, enlarged by bicubic, mixed into it
    blur: float = 0  # sigma of a Gaussian in pixels
    tone: bool = False  # whether mean and standard deviation of each channel become those of the clean reference

    def of(self, start: str) -> str:
        """The row's name; amounts and shares in percent."""
        parts = {f"+sharpen{100 * self.sharpen:g}": self.sharpen, f"+noise{self.noise:g}": self.noise,
                 f"+input{100 * self.input:g}": self.input, f"+blur{self.blur:g}": self.blur, "+tone": self.tone}
        return start + "".join(name for name, there in parts.items() if there)


def control_rows(start: str, bench: Bench, tests: Tests) -> dict[str, Control]:
    """Row -> control of stage 1, from the one nearest the input to the sharpest; the point that changes nothing is left out."""
    found = [Control(input=share) for share in sorted(bench.mix_input, reverse=True)]
    found += _toned_and_blurred(tests)
    found += [Control(amount, noise) for amount in bench.sharpen for noise in bench.noise if amount or noise]
    return {control.of(start): control for control in found}


def input_control_rows(row: str, tests: Tests) -> dict[str, Control]:
    """Row -> control of the input: those of `tests` alone, as those of bench are changes of a stage 1."""
    return {control.of(row): control for control in _toned_and_blurred(tests)}


def _toned_and_blurred(tests: Tests) -> list[Control]:
    found = [Control(tone=True)] if tests.match_tone else []
    return found + [Control(blur=sigma) for sigma in sorted(tests.blur, reverse=True)]


def reading_order(graph: Graph, task: str) -> list[str]:
    """The rows of a task as they are read, each input and each stage 1 with its controls behind it."""
    params, order = graph.params, []
    inputs = {row.name: params.tests[row.tests] for row in graph.rows(task) if not row.chain}
    starts = {system.start for system in params.systems.values() if system.task == task}
    for row in graph.order(task):
        order.append(row)
        order += input_control_rows(row, inputs[row]) if row in inputs else []
        order += control_rows(row, params.bench, params.tests[task]) if row in starts else []
    return [*dict.fromkeys(order)]
