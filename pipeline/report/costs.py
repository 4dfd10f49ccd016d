"""What the networks behind each row of a table cost: weights, steps and arithmetic of their trainings.

Networks that a chain was given (MEANING) are counted apart, as there are two fair ways to see it: they are there anyway, or
somebody had to train them.
"""
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from pipeline.compare.scores import Scores
from pipeline.compare.text import item, pipes
from pipeline.core.graph import Graph
from pipeline.core.settings import Training

HEADING = ["networks", "weights", "steps", "TFLOP", "steps, all", "TFLOP, all"]
MEANING = ("Steps and TFLOP count the trainings of a row's own networks. TFLOP are 10^12 floating-point operations of "
           "convolutions, forward and backward. Discriminators and networks that only compare features are left out; of a "
           "CycleGAN, both generators count. `all` also counts the networks that were given: those trained from scratch that "
           "stand behind another one (off-the-shelf), and those that the row's own networks were fine-tuned from. A network "
           "that occurs twice counts once.")
IMPORTED = " Trainings of imported networks are not known and not counted."
EACH_ANEW = ("`per image` is the mean of what learning from a test image took, for a network that is learnt from each of them "
             "anew and from nothing else.")


class Cost(NamedTuple):
    steps: int
    flop: float


def costs(graph: Graph, chain: list[str], flop: dict[str, int]) -> tuple[Cost, Cost]:
    """What a chain's own trainings cost, and those with the ones it was given; `flop` is a training step's per input pixel."""
    own, given = {}, {}
    for member, behind in (found for place, network in enumerate(chain) for found in _placed(graph, network, place > 0)):
        off_the_shelf = behind and graph.nodes[member].kind == "stage1"
        for depth, (name, settings) in enumerate(graph.trainings(member).items()):
            (given if off_the_shelf or depth else own)[name] = settings, flop[member]
    return _total(own), _total(given | own)


def _total(trainings: dict[str, tuple[Training, int]]) -> Cost:
    steps = [settings.steps for settings, _ in trainings.values()]
    flop = [settings.steps * settings.batch * settings.patch**2 * getattr(settings, "passes", 1) * per_pixel
            for settings, per_pixel in trainings.values()]
    return Cost(sum(steps), sum(flop))


def _placed(graph: Graph, network: str, behind: bool) -> Iterator[tuple[str, bool]]:
    """The networks with weights of their own that a network is made of, and whether each stands behind another."""
    node = graph.nodes[network]
    for place, part in enumerate(node.parts):
        yield from _placed(graph, part, behind or (node.kind == "chain" and place > 0))
    if not node.parts:
        yield network, behind


def cost_table(graph: Graph, scores: dict[str, Scores]) -> pd.DataFrame:
    """For each row that has networks, once, what HEADING says, as texts."""
    lines = {}
    for group in scores.values():
        for row, chain in group.networks.items():
            if (learnt := group.per_image.get(chain[0])) is not None:
                each = [f"{learnt['steps']:,} per image", f"{learnt['pixels'] * group.flop[chain[0]] / 1e12:,.2f} per image"]
                lines[row] = [chain[0], f"{group.parameters[row]:,}", *each, *each]
                continue
            cost, everything = costs(graph, chain, group.flop)
            lines[row] = [" → ".join(chain), f"{group.parameters[row]:,}", *(
                text for each in (cost, everything) for text in (f"{each.steps:,}", f"{each.flop / 1e12:,.1f}"))]
    return pd.DataFrame([*lines.values()], index=[*lines], columns=HEADING)


def meaning(graph: Graph, scores: dict[str, Scores]) -> list[str]:
    """What the columns of the table count."""
    anew = [EACH_ANEW] if any(group.per_image for group in scores.values()) else []
    return [MEANING + (IMPORTED if graph.params.imports else ""), *anew]


def section(graph: Graph, scores: dict[str, Scores]) -> list[str]:
    """Lines of Markdown: a table of the rows that have networks, each once; none without any."""
    lines = cost_table(graph, scores)
    said = [line for text in meaning(graph, scores) for line in item(text)]
    return ["## Weights and training", "", *said, "", *pipes("row", lines), ""] if len(lines) else []
