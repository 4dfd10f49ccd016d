"""What the rows of a task are: input, control, stage 1 and what was trained from it, oracle, or another method."""
from collections.abc import Iterable

from pipeline.core.params import Params
from pipeline.measure.names import control_rows, input_control_rows, row_name, system_of
from pipeline.report.seeds import starts
from pipeline.report.tables import Scores


def kinds(params: Params, task: str, tests: str, group: Scores) -> dict[str, str]:
    """Row -> what it is: input, control, stage 1, stage 2, further round, oracle, chain, or the name of a reference method."""
    found = {}
    names = {row_name(params, key): key for key, row in params.rows.items() if row.task == task}
    entry, changed = params.tests[tests], set()
    for row in group.rows:
        first = params.rows[names[row]].first if row in names else ""
        if first == "none":
            found[row] = "input"
            changed |= input_control_rows(row, entry).keys()
        elif first or row in group.networks:
            found[row] = _kind(params, row, group.networks.get(row, []), names.get(row))
        changed |= control_rows(row, params.bench, entry).keys()
    return {row: found.get(row, "control" if row in changed else "chain") for row in group.rows}


def _kind(params: Params, row: str, chain: list[str], key: str | None) -> str:
    if saw_truth(params, chain):
        return "oracle"
    if len(chain) != 1:
        return "chain"
    if chain[0] in params.networks or chain[0] in {system.start for system in params.systems.values()}:
        return "stage 1"
    if chain[0] in params.imports:
        return "imported"
    others = {"CycleGAN": params.cyclegans, "RBSR": params.rbsr, "SRGAN": params.srgan, "ZSSR": params.zssr}
    for name, section in others.items():
        if chain[0] in section:
            return name
    if chain[0] in params.adabn:
        return "AdaBN"
    if key is not None and chain[0] in params.finetunes:
        return "further round" if system_of(params, key) else "fine-tuned"
    return "GAN" if chain[0].endswith("-gan") else "stage 2"


def first_stages(params: Params, task: str, group: Scores) -> dict[str, str]:
    """Row -> its stage 1, for what was trained from one or measures the statistics of one anew."""
    adapted = {row: params.adabn[chain[0]].start for row, chain in group.networks.items()
               if len(chain) == 1 and chain[0] in params.adabn}
    return starts(params, task) | adapted


def saw_truth(params: Params, chain: Iterable[str]) -> bool:
    """Whether a network of a chain was trained with the truth of captures: an oracle, or what goes on from one."""
    truths = {f"sets/{entry.truth}" for entry in [*params.systems.values(), *params.tests.values()]} - {"sets/none"}
    oracles = {f"{key}-oracle" for key in params.systems}
    truths |= {f"labels/{name}" for name, entry in params.labels.items() if entry.network in oracles}
    entries = {**params.networks, **params.rbsr, **params.srgan, **params.finetunes, **params.adabn}
    for network in chain:
        while entry := entries.get(network):
            if truths & {getattr(entry, "inputs", ""), getattr(entry, "targets", "")}:
                return True
            network = getattr(entry, "start", "")
        if network in oracles:
            return True
    return False


def input_of(params: Params, task: str, tests: str, group: Scores, test_set: str) -> str | None:
    """The row of the input itself."""
    names = [row_name(params, key) for key, row in params.rows.items()
             if row.task == task and row.tests == tests and row.first == "none"]
    return next((name for name in names if test_set in group.rows.get(name, {})), None)
