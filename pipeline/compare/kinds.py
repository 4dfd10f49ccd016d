"""What the rows of a task are: input, control, stage 1 and what was trained from it, oracle, or another method."""
from pathlib import Path, PurePath

from pipeline.compare.scores import Scores
from pipeline.core.files import read_json
from pipeline.core.graph import Graph
from pipeline.core.nodes import Node
from pipeline.score.names import control_rows, input_control_rows

KINDS = {"stage1": "stage 1", "stage2": "stage 2", "gan": "GAN", "oracle": "oracle", "finetune": "fine-tuned", "adabn": "AdaBN",
         "unsharpen": "unsharpen", "import": "imported", "cyclegan": "CycleGAN", "rbsr": "RBSR", "srgan": "SRGAN",
         "zssr": "ZSSR", "chain": "chain", "ensemble": "ensemble"}  # kind of a network -> what a row is that has it alone
MADE_BY = {"stage1": "stage 1, from scratch", "stage2": "stage 2: captures and their surrogates",
           "gan": "GAN on synthetic pairs", "oracle": "oracle: supervised with the truth of captures",
           "finetune": "fine-tuning", "adabn": "batch-norm statistics measured anew",
           "unsharpen": "the inverse of the camera's own sharpening, a fixed filter",
           "chain": "two networks, one behind the other", "ensemble": "mean or bands of several networks",
           "cyclegan": "CycleGAN: unpaired", "zssr": "ZSSR: learnt from each test image anew"}


def with_images(graph: Graph, folder: Path = Path("data/contents")) -> Graph:
    """The graph that knows truth by its images too, as far as ingest has seen the sets.

    `select` does without: a choice that depended on the images of truth would change when they are gone.
    """
    files = [file for key in graph.params.sets if (file := folder / f"{key}.json").is_file()]
    return graph.with_contents({name: splits for file in files for name, splits in read_json(file).items()})


def kinds(graph: Graph, task: str, tests: str, group: Scores) -> dict[str, str]:
    """Row -> what it is: input, control, stage 1, stage 2, further round, oracle, chain, or the name of a reference method."""
    params, names = graph.params, {row.name: row for row in graph.rows(task)}
    entry, found, changed = params.tests[tests], {}, set()
    for row in group.rows:
        if row in names and not names[row].chain:
            found[row] = "input"
            changed |= input_control_rows(row, entry).keys()
        elif row in names or row in group.networks:
            found[row] = _kind(graph, row in group.oracles, group.networks.get(row, []))
        changed |= control_rows(row, params.bench, entry).keys()
    return {row: found.get(row, "control" if row in changed else "chain") for row in group.rows}


def _kind(graph: Graph, oracle: bool, chain: list[str]) -> str:
    if oracle:
        return "oracle"
    if len(chain) != 1:
        return "chain"
    node = graph.nodes[chain[0]]
    if node.name in {system.start for system in graph.params.systems.values()}:
        return "stage 1"
    return "further round" if node.kind == "finetune" and graph.system_of(node.name) else KINDS[node.kind]


def made_by(graph: Graph, node: Node) -> str:
    """What made a network, in words."""
    if node.kind == "import":
        return f"imported from {PurePath(graph.params.imports[node.name].file).name}"
    return MADE_BY.get(node.kind, KINDS[node.kind])


def oracles(graph: Graph, group: Scores) -> dict[str, str]:
    """Row that truth reached, and its controls -> how, in words; nothing for the oracle of a system."""
    found = {}
    for row, chain in group.networks.items():
        if reasons := [*filter(None, map(graph.truth, chain))]:
            found[row] = reasons[0] if [graph.nodes[name].kind for name in chain] != ["oracle"] else ""
    for tests in graph.params.tests.values():
        for row in [*found]:
            found |= {name: found[row] for name in control_rows(row, graph.params.bench, tests) if name in group.rows}
    return found


def first_stages(graph: Graph, task: str, group: Scores) -> dict[str, str]:
    """Row -> its stage 1, for what was trained from one or measures the statistics of one anew."""
    alone = {row: graph.nodes[chain[0]] for row, chain in group.networks.items() if len(chain) == 1}
    return graph.first_stages(task) | {row: node.start for row, node in alone.items() if node.kind == "adabn"}


def input_of(graph: Graph, task: str, tests: str, group: Scores, test_set: str) -> str | None:
    """The row of the input itself."""
    names = [row.name for row in graph.rows(task) if row.tests == tests and not row.chain]
    return next((name for name in names if test_set in group.rows.get(name, {})), None)
