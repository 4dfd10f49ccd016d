"""How large a tile of a photo may be: what a model needs for a pixel, and what memory there is."""
import weakref
from collections import Counter

import torch
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.core import memory
from pipeline.restore.model import Model
from pipeline.restore.tiles import FEATHER, aligned, usual_tile
from pipeline.restore.trimmed import trimmed

PROBE = 384  # pixels on a side of the window that memory is counted for; about as on a CPU, as strips do not grow with it
# Bytes for a window's tensors: larger windows waste less on margins, but a photo is to take little memory, however large it is.
# Kernels and holes between tensors take some besides: on a CPU the process grew by 1.4 times what a window was counted to need.
BUDGET = {"cpu": 240 * 2**20}
BUDGET_OF_A_GPU = 4 * 2**30
FLOAT_RGB = 12  # bytes of a pixel


def tile_for(model: Model, free: int | None = None) -> int:
    """Pixels on a side of a tile without its margin, a multiple of the model's. `free`: bytes, by default what there is. Never
    more than half of the free memory is planned for, unless that leaves less than the smallest tile."""
    need = bytes_per_pixel(model)
    free = free_memory(model.device) if free is None else free
    most = (free / 2 / need) ** 0.5
    if not model.exact:
        return min(aligned(most - FEATHER - 2 * model.margin, model), usual_tile(model))
    budget = BUDGET.get(model.device.type, BUDGET_OF_A_GPU)
    # where margins are wide, windows of four of them: three quarters are margin, and less would be worse
    return aligned(min(max((budget / need) ** 0.5, 4 * model.margin), most) - 2 * model.margin, model)


def bytes_per_pixel(model: Model) -> float:
    """Bytes per pixel of the input: the most tensors that live at once in a network, two copies of the window as floats, and
    four of what is made of it, which quantising needs."""
    most = max(larger**2 * _most_alive(network) for network, larger in model.networks)
    return most / PROBE**2 + FLOAT_RGB * (2 + 4 * model.scale**2)


def _most_alive(network: torch.nn.Module) -> int:
    """Counted on the meta device, where tensors have shapes and no memory: nothing is computed."""
    state = {name: torch.empty_like(value, device="meta") for name, value in network.state_dict().items()}
    with torch.no_grad(), trimmed(network, (slice(0, PROBE), slice(0, PROBE))), _Alive() as alive:
        functional_call(network, state, torch.empty(1, 3, PROBE, PROBE, device="meta"))
    return alive.most


class _Alive(TorchDispatchMode):
    """Follows every tensor that an operation makes until it dies. Views share a storage, which counts once."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self.holders = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._follow(tensor)
        self.most = max(self.most, self.now)
        return result

    def _follow(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if not self.holders[key]:
            self.now += size
        self.holders[key] += 1
        weakref.finalize(tensor, self._drop, key, size).atexit = False

    def _drop(self, key: int, size: int) -> None:
        self.holders[key] -= 1
        if not self.holders[key]:
            self.now -= size


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on the device now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return memory.free()
