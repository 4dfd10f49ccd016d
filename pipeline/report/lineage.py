"""What made each network: from which sets, from which network, with which settings."""
from dataclasses import dataclass
from pathlib import PurePath

from pipeline.core.params import Params


@dataclass(frozen=True)
class Origin:
    kind: str
    start: str
    """The network it goes on from; empty for one trained from scratch."""
    inputs: str
    targets: str
    clean: str
    """The unpaired clean set of the adversary; empty without one."""
    settings: dict
    """Of its training; empty when nothing was trained."""


def origin(params: Params, network: str) -> Origin:
    """Raises KeyError for a network that params.yaml does not make."""
    if network in params.networks:
        entry = params.networks[network]
        settings = {"arch": entry.arch, **entry.options, **params.stage1_of(network).model_dump()}
        return Origin("stage 1, from scratch", "", entry.inputs, entry.targets, "", settings)
    if network in params.finetunes:
        entry, settings = params.finetunes[network], params.finetune_of(network).model_dump(by_alias=True)
        clean = f"sets/{entry.clean}" if settings.get("lambda") else ""
        return Origin("fine-tuning", entry.start, entry.inputs, entry.targets, clean, settings)
    if network in params.adabn:
        entry = params.adabn[network]
        return Origin("batch-norm statistics measured anew", entry.start, f"sets/{entry.captures}", "", "", {})
    if network in params.imports:
        entry = params.imports[network]
        return Origin(f"imported from {PurePath(entry.file).name}", "", "", "", "", {"arch": entry.arch, **entry.options})
    if network in params.zssr:
        entry = params.zssr[network]
        return Origin("ZSSR: learnt from each test image anew", "", f"tests/{entry.tests}", "", "", entry.model_dump())
    if network in params.cyclegans:
        entry = params.cyclegans[network]
        return Origin("CycleGAN: unpaired", "", f"sets/{entry.captures}", "", f"sets/{entry.clean}",
                      entry.settings.model_dump())
    if network in params.rbsr:
        entry = params.rbsr[network]
        return Origin("RBSR", "", entry.inputs, entry.targets, "", entry.settings.model_dump())
    if network in params.srgan:
        entry = params.srgan[network]
        return Origin("SRGAN", entry.start, entry.inputs, entry.targets, f"sets/{entry.clean}",
                      entry.settings.model_dump(by_alias=True))
    system, kind = network.rsplit("-", 1)
    entry = params.systems[system]
    if kind == "oracle":
        return Origin("oracle: supervised with the truth of captures", entry.start, f"sets/{entry.captures}",
                      f"sets/{entry.truth}", "", params.supervised_of(system).model_dump())
    settings = params.stage2_of(system).model_dump(by_alias=True)
    clean = f"sets/{entry.clean}" if settings["lambda"] else ""
    if kind == "gan":
        return Origin("GAN on synthetic pairs", entry.start, f"pairs/{entry.pairs}/inputs", f"pairs/{entry.pairs}/targets",
                      clean, settings)
    return Origin("stage 2: captures and their surrogates", entry.start, f"sets/{entry.captures}", f"labels/{system}", clean,
                  settings)


def ancestors(params: Params, networks: list[str]) -> list[str]:
    """Networks and all that they were trained from or with labels of, each once, what they come from behind them."""
    found, waiting = [], list(networks)
    while waiting:
        network = waiting.pop(0)
        if network in found:
            continue
        found.append(network)
        made = origin(params, network)
        waiting += [made.start] if made.start else []
        for path in (made.inputs, made.targets):
            section, _, key = path.partition("/")
            if section == "labels" and key in params.labels:
                waiting.append(params.labels[key].network)
            elif section == "labels":
                entry = params.systems[key]
                waiting += [name for name in (entry.start, entry.second_teacher, entry.third_teacher) if name != "none"]
    return found
