"""What a training costs, apart from the machine it runs on."""
from math import lcm

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pipeline.nets.build import build

SIDE = 48  # pixels of the patch it is counted on; only channel attention, a thousandth of a network, depends on it


class Counted(TorchDispatchMode):
    """Adds up `flop` by torch's formulas. Its FlopCounterMode tells modules apart, too, and takes twice as long."""
    flop = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        if formula := flop_registry.get(operation.overloadpacket):
            self.flop += formula(*args, **(kwargs or {}), out_val=result)
        return result


def training_flop(arch: str, options: dict) -> int:
    """Floating-point operations of one training step per input pixel: those of convolutions, forward and backward, without the
    loss and the optimizer. A multiplication and its addition are two.
    """
    with torch.device("meta"):  # shapes alone, nothing is computed
        network = build(arch, options).eval()
        side = lcm(SIDE, getattr(network, "multiple", 1))  # on others the network would pad the patch
        patch = torch.empty(1, 3, side, side)
    with Counted() as counted:
        network(patch).sum().backward()
    return round(counted.flop / side**2)
