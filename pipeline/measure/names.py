"""What the rows, test sets and metrics of the benchmark are called, and the order they are read in."""
from pipeline.core.params import Params

TEST_SETS = ("captures", "captures-far", "synthetic", "captures-val", "synthetic-val")
CONTROL_SETS = ("captures-val", "captures")
"""Where the sharpen control is scored, and where the critic and the diagnostics speak."""
CHOICE_SET = "captures-val"
"""Where a network is chosen, by what needs no truth."""
METRICS = {
    "psnr": "up",
    "ssim": "up",
    "psnr_y": "up",
    "ssim_y": "up",
    "lpips_alex": "down",
    "lpips_vgg": "down",
    "lpips_squeeze": "down",
    "swd": "down",
    "niqe": "down",
    "niqe_published": "down",
    "critic_auc": "down",
}
"""Metric -> where better lies, in reading order. The levels of SWD (swd_0, swd_1, ..., swd_low) stand in JSON and CSV only."""
DIAGNOSTICS = ("drift", "residual", "sharpness")
"""What is measured besides and is no contest."""
SYSTEM_NETWORKS = ("gan", "stage2", "oracle")
"""What is trained from a system's start network, beside its later rounds."""


def input_row(key: str, task: str) -> str:
    """The degraded input itself: rows.sr-input is `input` in the table of task sr."""
    return key.removeprefix(f"{task}-")


def control_row(start: str, amount: float, noise: float) -> str:
    """The stage-1 output, sharpened by `amount` (in percent in the name), with white noise of `noise` 8-bit levels."""
    return f"{start}+sharpen{100 * amount:g}" + (f"+noise{noise:g}" if noise else "")


def control_rows(start: str, amounts, noises) -> dict[str, tuple[float, float]]:
    """Row -> (amount, noise) of the control curve; the point that changes nothing is left out."""
    return {control_row(start, a, n): (a, n) for a in amounts for n in noises if a or n}


def row_name(params: Params, key: str) -> str:
    """What the entry `rows.key` is called in its task's table."""
    row = params.rows[key]
    return input_row(key, row.task) if row.first == "none" else key


def entries(params: Params, task: str) -> dict[str, str]:
    """The entries of systems and rows that belong to a task -> the entry of `tests` they are scored on."""
    systems = {key: system.task for key, system in params.systems.items() if system.task == task}
    return systems | {key: row.tests for key, row in params.rows.items() if row.task == task}


def reading_order(params: Params, task: str) -> list[str]:
    """The rows of a task: inputs, then each system from stage 1 and its controls to its oracle, then the other chains."""
    rows = [key for key, row in params.rows.items() if row.task == task]
    order = [row_name(params, key) for key in rows if params.rows[key].first == "none"]
    for key, system in params.systems.items():
        if system.task == task:
            order += [system.start, *control_rows(system.start, params.bench.sharpen, params.bench.noise)]
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
