"""What a training costs, apart from the machine it runs on."""
from math import lcm

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.nets.build import build

SIDE = 48  # pixels of the patch it is counted on; only channel attention, a thousandth of a network, depends on it


def training_flop(arch: str, options: dict) -> int:
    """Floating-point operations of one training step per input pixel: those of convolutions, forward and backward, without the
    loss and the optimizer. A multiplication and its addition are two.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # shapes alone, nothing is computed
        network = build(arch, options).eval()
        side = lcm(SIDE, getattr(network, "multiple", 1))  # on others the network would pad the patch
        network(torch.empty(1, 3, side, side)).sum().backward()
    return round(counter.get_total_flops() / side**2)
