"""What the networks behind each row of a table cost: weights, steps and arithmetic of their trainings.

A chain is given some networks: those it takes as they are behind another, trained from scratch and for other inputs
(off-the-shelf), and those that its own start from. Their trainings are counted apart, as there are two fair ways to see it: the
given networks are there anyway, or somebody had to train them.
"""
from dataclasses import dataclass

import pandas as pd

from pipeline.core.params import Params
from pipeline.core.settings import Training
from pipeline.report.tables import Scores, item, pipes

HEADING = ["networks", "weights", "steps", "TFLOP", "steps, all", "TFLOP, all"]
MEANING = ("Steps and TFLOP (10^12 floating-point operations of convolutions, forward and backward, without discriminators and "
           "networks that only compare features; of a CycleGAN, those of both generators) count the trainings of a row's own "
           "networks. `all` counts those of the given ones too: networks trained from scratch that stand behind another "
           "(off-the-shelf), and those that its own were fine-tuned from. A network that is there twice counts once.")
IMPORTED = " Trainings of imported networks are not known and not counted."
EACH_ANEW = ("`per image` is the mean of what learning from a test image took, for a network that is learnt from each of them "
             "anew and from nothing else.")


@dataclass
class Cost:
    steps: int = 0
    flop: float = 0

    def add(self, settings: Training, per_pixel: int) -> None:
        self.steps += settings.steps
        self.flop += settings.steps * settings.batch * settings.patch**2 * getattr(settings, "passes", 1) * per_pixel


def trainings(params: Params, network: str) -> dict[str, Training]:
    """The trainings behind a network by name, its own first; teachers and what their labels took are left out."""
    if network in params.imports:
        return {}
    if network in params.networks:
        return {network: params.stage1_of(network)}
    if network in params.finetunes:
        return {network: params.finetune_of(network)} | trainings(params, params.finetunes[network].start)
    if network in params.srgan:
        return {network: params.srgan[network].settings} | trainings(params, params.srgan[network].start)
    if network in params.adabn:
        return trainings(params, params.adabn[network].start)
    for references in (params.cyclegans, params.rbsr):
        if network in references:
            return {network: references[network].settings}
    system, kind = network.rsplit("-", 1)
    settings = params.supervised_of(system) if kind == "oracle" else params.stage2_of(system)
    return {network: settings} | trainings(params, params.systems[system].start)


def costs(params: Params, chain: list[str], flop: dict[str, int]) -> tuple[Cost, Cost]:
    """What a chain's own trainings cost, and those with the ones it was given; `flop` is a training step's per input pixel."""
    own, given = {}, {}
    for place, network in enumerate(chain):
        off_the_shelf = place > 0 and network in params.networks
        for depth, (name, settings) in enumerate(trainings(params, network).items()):
            (given if off_the_shelf or depth else own)[name] = settings, flop[network]
    cost, everything = Cost(), Cost()
    for training in own.values():
        cost.add(*training)
    for training in (given | own).values():
        everything.add(*training)
    return cost, everything


def table(params: Params, scores: dict[str, Scores]) -> pd.DataFrame:
    """For each row that has networks, once, what HEADING says, as texts."""
    lines = {}
    for group in scores.values():
        for row, chain in group.networks.items():
            if (learnt := group.per_image.get(chain[0])) is not None:
                each = [f"{learnt['steps']:,} per image", f"{learnt['pixels'] * group.flop[chain[0]] / 1e12:,.2f} per image"]
                lines[row] = [chain[0], f"{group.parameters[row]:,}", *each, *each]
                continue
            cost, everything = costs(params, chain, group.flop)
            lines[row] = [" → ".join(chain), f"{group.parameters[row]:,}", *(
                text for each in (cost, everything) for text in (f"{each.steps:,}", f"{each.flop / 1e12:,.1f}"))]
    return pd.DataFrame([*lines.values()], index=[*lines], columns=HEADING)


def meaning(params: Params, scores: dict[str, Scores]) -> list[str]:
    """What the columns of the table count."""
    anew = [EACH_ANEW] if any(group.per_image for group in scores.values()) else []
    return [MEANING + (IMPORTED if params.imports else ""), *anew]


def section(params: Params, scores: dict[str, Scores]) -> list[str]:
    """Lines of Markdown: a table of the rows that have networks, each once; none without any."""
    lines = table(params, scores)
    said = [line for text in meaning(params, scores) for line in item(text)]
    return ["## Weights and training", "", *said, "", *pipes("row", lines), ""] if len(lines) else []
