"""How large a tile may be: what a chain needs for a pixel, and what memory there is."""
import weakref
from collections import Counter
from pathlib import Path

import psutil
import torch
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.restore.chain import Chain
from pipeline.restore.lean import lean

SMALLEST = 16  # input pixels on a side of a tile
PROBE = 384  # pixels on a side of the window that memory is counted for; about as on a CPU, as strips do not grow with it
# Bytes for a window's tensors: larger windows waste less on margins, but a photo is to take little memory, however large it is.
# Kernels and holes between tensors take some besides: on a CPU the process grew by 1.4 times what a window was counted to need.
BUDGET = {"cpu": 240 * 2**20}
BUDGET_OF_A_GPU = 4 * 2**30
FLOAT_RGB = 12  # bytes of a pixel
CGROUP = Path("/sys/fs/cgroup")


def tile_for(chain: Chain, free: int | None = None) -> int:
    """Pixels on a side of a tile without its margin, a multiple of the chain's. `free`: bytes, by default what there is.

    Never more than half of the free memory is planned for, unless that leaves less than the smallest tile.
    """
    need = bytes_per_pixel(chain)
    free = free_memory(chain.device) if free is None else free
    budget = BUDGET.get(chain.device.type, BUDGET_OF_A_GPU)
    # where margins are wide, windows of four of them: three quarters are margin, and less would be worse
    window = min(max((budget / need) ** 0.5, 4 * chain.margin), (free / 2 / need) ** 0.5)
    return aligned(window - 2 * chain.margin, chain)


def aligned(tile: float, chain: Chain) -> int:
    """The tile as one that the chain can take: a multiple of its own, and not below the smallest."""
    smallest = -(-SMALLEST // chain.multiple) * chain.multiple
    return max(int(tile) // chain.multiple * chain.multiple, smallest)


def bytes_per_pixel(chain: Chain) -> float:
    """Bytes per pixel of the input: the most tensors that live at once in a network, two copies of the window as floats, and
    four of what is made of it, which quantising needs."""
    most, scale = 0.0, 1
    for network in chain.networks:
        most = max(most, scale**2 * _most_alive(network) / PROBE**2)
        scale *= network.scale
    return most + FLOAT_RGB * (2 + 4 * scale**2)


def _most_alive(network: torch.nn.Module) -> int:
    """Counted on the meta device, where tensors have shapes and no memory: nothing is computed."""
    state = {name: torch.empty_like(value, device="meta") for name, value in network.state_dict().items()}
    with torch.no_grad(), lean(network, (slice(0, PROBE), slice(0, PROBE))), _Alive() as alive:
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
    return min([psutil.virtual_memory().available, *_left_to_container()])


def _left_to_container() -> list[int]:
    """What a container's own limit leaves; psutil speaks of the whole machine."""
    try:
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return [] if limit == "max" else [max(int(limit) - int(used), 0)]
    except (OSError, ValueError):
        return []


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less work at once could have helped; CPU and MPS have no exception of their own for it."""
    text = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (isinstance(error, RuntimeError) and any(
        words in text for words in ("out of memory", "not enough memory", "can't allocate memory")))
