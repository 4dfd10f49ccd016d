"""What made what, from params.yaml alone: the networks, what each was made from, whether truth reached it, and the rows.

Truth is a set that systems or tests name as the truth of captures, and a set that may hold a file of it. It reaches a network
by its sets, by pairs (their clean images, the sets and the recipe behind them), by labels (the images and the networks that
labelled them) and by the network it starts from, at any depth.
"""
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import NamedTuple

from pipeline.core.model import Strict
from pipeline.core.nodes import LabelNode, Node, labels_of, nodes_of
from pipeline.core.overlap import common_file, resolved
from pipeline.core.params import Params, derived
from pipeline.core.sources import TRUTH


class TableRow(NamedTuple):
    """A row of a task's tables, without those of controls."""
    name: str
    key: str  # the entry of systems or rows that it is scored with
    task: str
    tests: str
    network: str  # none for the input itself
    chain: tuple[str, ...]  # the networks of which it is made, one behind the other; empty for the input itself


class Candidate(NamedTuple):
    """A network that may be chosen for a system."""
    network: str
    start: str | None  # the network whose training it goes on from; None for stage 1
    row: str | None  # the row of the benchmark that scores it alone on the system's tests; None when there is none


@dataclass(frozen=True)
class Graph:
    params: Params
    nodes: dict[str, Node]
    labels: dict[str, LabelNode]
    truths: dict[str, str]  # set that counts as truth -> why, in words that begin with its name

    def with_contents(self, contents: dict[str, dict[str, list[str]]]) -> "Graph":
        """With the sets that hold an image of truth counted as truth too; `contents` is set -> split -> digests of its images.
        Splits as in core/overlap.py: trainings see train and val, and the holdout of truth is of captures that nothing sees."""
        def images(key: str, *splits: str) -> set[str]:
            return {digest for split in splits for digest in contents.get(key, {}).get(split, ())}

        found = {}
        for truth, key in product(self.truths, (key for key in self.params.sets if key not in self.truths)):
            if shared := images(key, "train", "val") & images(truth, "train", "val", "test"):
                found[key] = f"sets.{key}, which holds {len(shared)} of the images of sets.{truth}"
        return replace(self, truths=found | self.truths)

    def ancestors(self, names: Iterable[str]) -> list[str]:
        """Networks and all that they were trained from or with labels of, each once, what they come from behind them."""
        found, waiting = [], [*names]
        while waiting:
            name = waiting.pop(0)
            if name not in found:
                found.append(name)
                node = self.nodes[name]
                waiting += [*([node.start] if node.start else []), *node.parts, *node.teachers]
        return found

    def truth(self, name: str) -> str:
        """How truth reached a network, in words; empty when it did not."""
        for network in self.ancestors([name]):
            node = self.nodes[network]
            if reason := next(filter(None, map(self._truth_in, node.data)), ""):
                return f"{network}: {reason}"
            if node.kind == "import" and self.params.imports[network].saw_truth:
                return f"{network}: imports.{network}.saw_truth is true"
            if node.kind == "oracle":
                return f"{network}: an oracle"
        return ""

    def _truth_in(self, path: str) -> str:
        """Why a folder below data/ holds truth, in words; empty when it does not."""
        section, _, key = path.partition("/")
        if section == "sets":
            return self.truths.get(key, "")
        if section == "labels":
            return self._truth_in(self.labels[key].inputs)
        if section != "pairs":
            return ""
        entry = self.params.pairs[key.partition("/")[0]]
        if self.params.recipes[entry.recipe].fitted_with_truth:
            return f"recipes.{entry.recipe}, whose ranges were fitted with truth"
        sets = [entry.clean]
        if entry.calibration != "none":
            calibration = (self.params.calibrations | self.params.fits)[entry.calibration]
            sets += [calibration.captures, calibration.clean]
        return next((self.truths[name] for name in sets if name in self.truths), "")

    def trainings(self, name: str) -> dict[str, Strict]:
        """The settings of the trainings behind a network that is trained, by name, its own first; without those of teachers."""
        node = self.nodes[name]
        own = {name: node.settings} if node.settings else {}
        return own | (self.trainings(node.start) if node.start else {})

    def links(self, name: str) -> tuple[str, ...]:
        """The networks of a chain, one behind the other, chains in it taken apart; of any other network itself."""
        node = self.nodes[name]
        return tuple(link for part in node.parts for link in self.links(part)) if node.kind == "chain" else (name,)

    def members(self, name: str) -> tuple[str, ...]:
        """The networks with weights of their own that a network is made of, each once: itself, but for chains and ensembles."""
        parts = self.nodes[name].parts
        return tuple(dict.fromkeys(each for part in parts for each in self.members(part))) if parts else (name,)

    def system_of(self, name: str) -> str:
        """The system that a network is of, or to whose stage 2 it goes back by fine-tuning; empty when there is none."""
        node = self.nodes[name]
        if node.kind != "finetune":
            return node.system
        while node.kind == "finetune":
            node = self.nodes[node.start]
        return node.system if node.kind == "stage2" else ""

    def rows(self, task: str | None = None) -> list[TableRow]:
        """The rows of a task, or of all, as params.yaml has them: those of systems, then the others."""
        found = [TableRow(name, key, system.task, system.task, name, (name,)) for key, system in self.params.systems.items()
                 for name in (system.start, *derived(key).values())]
        for key, row in self.params.rows.items():
            chain = () if row.network == "none" else self.links(row.network)
            name = key if chain else key.removeprefix(f"{row.task}-")
            found.append(TableRow(name, key, row.task, row.tests, row.network, chain))
        return [row for row in found if task in (None, row.task)]

    def entries(self, task: str) -> dict[str, str]:
        """The entries of systems and rows that belong to a task -> the entry of `tests` they are scored on."""
        return {row.key: row.tests for row in self.rows(task)}

    def first_stages(self, task: str) -> dict[str, str]:
        """Row -> its stage 1, for what was trained from one."""
        systems = {row.name: self.system_of(row.chain[0]) for row in self.rows(task) if len(row.chain) == 1}
        return {row: self.params.systems[system].start for row, system in systems.items() if system}

    def order(self, task: str) -> list[str]:
        """The rows as they are read: inputs, then each system from stage 1 to its oracle, then the others."""
        rows = self.rows(task)
        single = {row.name: self.nodes[row.chain[0]] for row in rows if len(row.chain) == 1}
        found = [row.name for row in rows if not row.chain]
        for key, system in self.params.systems.items():
            if system.task == task:
                names = derived(key)
                adapted = [row for row, node in single.items() if node.kind == "adabn" and node.start == system.start]
                ours = [(row, node.kind) for row, node in single.items() if self.system_of(node.name) == key]
                later = [row for row, kind in ours if kind in ("stage2", "finetune")]
                oracles = [row for row, kind in ours if kind == "oracle"]
                found += [system.start, *adapted, names["gan"], names["stage2"], *later, *oracles]
        return [*dict.fromkeys([*found, *(row.name for row in rows)])]

    def candidates(self, system: str) -> list[Candidate]:
        """What may be chosen for a system: stage 1, stage 2 and its later rounds, each after its start, but for those that
        truth reached."""
        entry = self.params.systems[system]
        alone = {row.chain[0]: row.name for row in reversed(self.rows(entry.task))
                 if len(row.chain) == 1 and row.tests == entry.task}
        found, latest = [Candidate(entry.start, None, alone[entry.start])], [derived(system)["stage2"]]
        while latest:
            found += [Candidate(name, self.nodes[name].start, alone.get(name)) for name in latest]
            latest = [name for name, node in self.nodes.items() if node.kind == "finetune" and node.start in latest]
        return [candidate for candidate in found if not self.truth(candidate.network)]


def graph(params: Params) -> Graph:
    """Of params that were checked, so nothing is made of itself."""
    labels, nodes = labels_of(params), nodes_of(params)

    def taught(path: str) -> tuple[str, ...]:
        section, _, key = path.partition("/")
        return (*labels[key].teachers, *taught(labels[key].inputs)) if section == "labels" else ()

    for name, node in nodes.items():
        teachers = [*node.teachers, *(teacher for path in node.data for teacher in taught(path))]
        nodes[name] = replace(node, teachers=tuple(dict.fromkeys(teachers)))
    return Graph(params, nodes, labels, _truths(params))


def _truths(params: Params) -> dict[str, str]:
    """The sets that are named as truth, and those that may hold a file of them."""
    named = {entry.truth: f"{section}.{key}" for section in ("oracles", "far", "tests")
             for key, entry in getattr(params, section).items()}
    named = {name: f"sets.{name}, the truth of {user}" for name, user in named.items() if name != "none"}
    named |= {f"{key}/{TRUTH}": f"sets.{key}/{TRUTH}, the truth of sets.{key}" for key in params.sets
              if f"{key}/{TRUTH}" not in named}
    sets = params.sets | {f"{key}/{TRUTH}": entry.model_copy(update={"folder": f"{entry.folder}/{TRUTH}"})
                          for key, entry in params.sets.items()}
    found, once = dict(named), cache(resolved)  # for this call, as links change
    for key, truth in product((key for key in params.sets if key not in named), named):
        if file := common_file(sets[key], sets[truth], once):
            found[key] = f"sets.{key}, which has files of sets.{truth}, such as {file}"
    return found
