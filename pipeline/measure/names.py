"""What the rows and test sets of the benchmark are called, and the order they are read in."""
from typing import NamedTuple

from pipeline.core.params import Params
from pipeline.core.settings import Bench, Tests

TEST_SETS = ("captures", "captures-far", "synthetic", "captures-val", "synthetic-val")
CONTROL_SETS = ("captures-val", "captures")
"""Where the controls are scored, and where the critic and the diagnostics speak."""
CHOICE_SET = "captures-val"
"""Where a network is chosen, by what needs no truth."""
SYSTEM_NETWORKS = ("gan", "stage2", "oracle")
"""What is trained from a system's start network, beside its later rounds."""


def input_row(key: str, task: str) -> str:
    """The degraded input itself: rows.sr-input is `input` in the table of task sr."""
    return key.removeprefix(f"{task}-")


class Control(NamedTuple):
    """What is done to a stage-1 output, or to the input, without any learning."""
    sharpen: float = 0
    """Amount of the unsharp mask."""
    noise: float = 0
    """Standard deviation of white noise in 8-bit levels."""
    input: float = 0
    """Share of the input, enlarged by bicubic, mixed into it."""
    blur: float = 0
    """Sigma of a Gaussian in pixels."""
    tone: bool = False
    """Whether mean and standard deviation of each channel become those of the clean reference."""

    def of(self, start: str) -> str:
        """The row's name; amounts and shares in percent."""
        return (f"{start}+sharpen{100 * self.sharpen:g}" if self.sharpen else start) + (
            f"+noise{self.noise:g}" if self.noise else "") + (f"+input{100 * self.input:g}" if self.input else "") + (
            f"+blur{self.blur:g}" if self.blur else "") + ("+tone" if self.tone else "")


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


def row_name(params: Params, key: str) -> str:
    """What the entry `rows.key` is called in its task's table."""
    row = params.rows[key]
    return input_row(key, row.task) if row.first == "none" else key


def entries(params: Params, task: str) -> dict[str, str]:
    """The entries of systems and rows that belong to a task -> the entry of `tests` they are scored on."""
    systems = {key: system.task for key, system in params.systems.items() if system.task == task}
    return systems | {key: row.tests for key, row in params.rows.items() if row.task == task}


def reading_order(params: Params, task: str) -> list[str]:
    """The rows of a task: inputs and their controls, then each system from stage 1 and its controls to its oracle, then the
    other chains."""
    rows = [key for key, row in params.rows.items() if row.task == task]
    order = []
    for key in rows:
        if params.rows[key].first == "none":
            name = row_name(params, key)
            order += [name, *input_control_rows(name, params.tests[params.rows[key].tests])]
    for key, system in params.systems.items():
        if system.task == task:
            order += [system.start, *control_rows(system.start, params.bench, params.tests[task])]
            order += [row for row in rows if _adapted_from(params, row) == system.start]
            order += [f"{key}-gan", f"{key}-stage2"]
            order += [row for row in rows if system_of(params, row) == key]
            order += [f"{key}-oracle"]
    order += [row_name(params, key) for key in rows]
    return list(dict.fromkeys(order))


def _network(params: Params, row: str) -> str:
    """The network of a single-network row, otherwise none."""
    entry = params.rows[row]
    return entry.first if entry.second == entry.third == "none" else "none"


def _adapted_from(params: Params, row: str) -> str | None:
    """The network whose statistics of batch norm were adapted to make that of a single-network row."""
    entry = params.adabn.get(_network(params, row))
    return entry.start if entry else None


def system_of(params: Params, row: str) -> str | None:
    """The system whose stage 2 the network of a single-network row goes back to."""
    network = _network(params, row)
    while network in params.finetunes:
        network = params.finetunes[network].start
    return network.removesuffix("-stage2") if network.endswith("-stage2") else None
