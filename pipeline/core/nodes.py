"""The networks and labels that params.yaml makes, and what each is made from."""
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.core.model import Strict
from pipeline.core.params import DERIVED, Params, derived


@dataclass(frozen=True)
class Node:
    """A network."""
    name: str
    kind: str
    """As the group of dvc.yaml is called that makes it: stage1, stage2, gan, oracle, finetune, adabn, unsharpen, cyclegan,
    rbsr, srgan, zssr, chain, ensemble; or import."""
    start: str = ""  # the network it goes on from; empty for one trained from scratch
    teachers: tuple[str, ...] = ()  # networks that labelled what it is trained on, or whose features it is compared by
    inputs: str = ""
    targets: str = ""
    clean: str = ""  # the unpaired clean set of the adversary; empty without one. All three are folders below data/.
    settings: Strict | None = None  # of its training; None when nothing was trained
    task: str = ""
    system: str = ""
    """The entry of `systems` that it is of, or whose start an oracle goes on from; empty for others, as is their task."""
    parts: tuple[str, ...] = ()  # the two networks that a chain or an ensemble is made of
    synthetic: str = ""  # other inputs of the same targets
    architecture: dict = field(default_factory=dict)
    """`arch` and its options where params.yaml has them; of ZSSR all of its entry."""

    @property
    def stage(self) -> str:
        """The stage of dvc.yaml that makes it."""
        return f"{self.kind}@{self.system if self.kind in DERIVED else self.name}"

    @property
    def data(self) -> tuple[str, ...]:
        """The folders below data/ that it is made from."""
        return tuple(path for path in (self.inputs, self.synthetic, self.targets, self.clean) if path)

    @property
    def facts(self) -> dict:
        """Architecture and settings as params.yaml has them."""
        return self.architecture | (self.settings.model_dump(by_alias=True) if self.settings else {})


class LabelNode(NamedTuple):
    """An entry of data/labels."""
    teachers: tuple[str, ...]
    inputs: str


def labels_of(p: Params) -> dict[str, LabelNode]:
    """By name: entries of `labels`, and the surrogates of systems."""
    found = {key: LabelNode((entry.network,), entry.inputs) for key, entry in p.labels.items()}
    return found | {key: LabelNode((entry.teacher,), f"sets/{entry.captures}") for key, entry in p.systems.items()}


def nodes_of(p: Params) -> dict[str, Node]:
    """By name; the teachers that labels have are not among a node's yet."""
    found = [Node(name, "stage1", inputs=entry.inputs, targets=entry.targets, settings=p.stage1_of(name),
                  architecture={"arch": entry.arch, **entry.options}) for name, entry in p.networks.items()]
    found += [Node(name, "import", architecture={"arch": entry.arch, **entry.options}) for name, entry in p.imports.items()]
    for key in p.systems:
        found += _of_system(p, key)
    for name, entry in p.oracles.items():
        system = next((key for key, system in p.systems.items() if system.start == entry.start), "")
        found.append(Node(name, "oracle", entry.start, (), f"sets/{entry.captures}", f"sets/{entry.truth}",
                          settings=p.supervised_of(name), task=p.systems[system].task if system else "", system=system))
    for name, entry in p.finetunes.items():
        settings = p.finetune_of(name)
        clean = f"sets/{entry.clean}" if getattr(settings, "lambda_", 0) else ""
        found.append(Node(name, "finetune", entry.start, (), entry.inputs, entry.targets, clean, settings))
    found += [Node(name, "adabn", entry.start, inputs=f"sets/{entry.captures}") for name, entry in p.adabn.items()]
    for name, entry in p.unsharpens.items():
        camera = p.calibrations[entry.calibration]
        found.append(Node(name, "unsharpen", inputs=f"sets/{camera.captures}", clean=f"sets/{camera.clean}"))
    found += [Node(name, "cyclegan", inputs=f"sets/{entry.captures}", clean=f"sets/{entry.clean}", settings=entry.settings)
              for name, entry in p.cyclegans.items()]
    found += [Node(name, "rbsr", "", (entry.encoder,), entry.inputs, entry.targets, settings=entry.settings,
                   synthetic=entry.synthetic) for name, entry in p.rbsr.items()]
    found += [Node(name, "srgan", entry.start, (), entry.inputs, entry.targets,
                   f"sets/{entry.clean}" if entry.settings.lambda_ else "", entry.settings) for name, entry in p.srgan.items()]
    found += [Node(name, "zssr", inputs=f"tests/{entry.tests}", architecture=entry.model_dump())
              for name, entry in p.zssr.items()]
    found += [Node(name, "chain", parts=(entry.first, entry.then)) for name, entry in p.chains.items()]
    found += [Node(name, "ensemble", parts=(entry.first, entry.second)) for name, entry in p.ensembles.items()]
    return {node.name: node for node in found}


def _of_system(p: Params, key: str) -> list[Node]:
    entry, names, stage2, ours = p.systems[key], derived(key), p.stage2_of(key), {"task": p.systems[key].task, "system": key}
    pairs, clean = f"pairs/{entry.pairs}", f"sets/{entry.clean}" if stage2.lambda_ else ""
    return [Node(names["gan"], "gan", entry.start, (), f"{pairs}/inputs", f"{pairs}/targets", clean, stage2, **ours),
            Node(names["stage2"], "stage2", entry.start, (), f"sets/{entry.captures}", f"labels/{key}", clean, stage2, **ours)]
