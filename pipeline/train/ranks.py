"""Several processes that train together: torchrun starts them, each takes its part of every batch, and DDP averages the
gradients over them. Without torchrun there is one process, and nothing here changes what it does.

A process has a rank, from 0; all have the same weights, and rank 0 alone validates and writes. NCCL connects GPUs, gloo CPUs.
"""
import os
import sys

import torch
from torch import distributed
from torch.nn.modules.batchnorm import _BatchNorm

_left = []  # groups that this process has left


def process_count() -> int:
    """How many processes train together: as torchrun says, else GPUS, on this machine alone; 1 without either."""
    if distributed.is_torchelastic_launched():
        return int(os.environ["WORLD_SIZE"])
    text = os.environ.get("GPUS") or "1"
    if not text.isdecimal() or text == "0":
        raise ValueError(f"GPUS={text}: wanted a number of processes, at least 1")
    if _on_gpu() and int(text) > torch.cuda.device_count():
        raise ValueError(f"GPUS={text}, but there are {torch.cuda.device_count()} GPUs here")
    return int(text)


def launch(threads: int) -> bool:
    """Where several processes are to train that nobody has started, run the stage that runs here again as processes of torchrun
    and wait for them. Whether it did. Raises SystemExit if they fail."""
    if process_count() == 1 or distributed.is_torchelastic_launched():
        return False
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    stage = sys.modules["__main__"].__spec__.name
    try:
        run.run(run.parse_args(["--standalone", f"--nproc-per-node={process_count()}", "-m", stage, *sys.argv[1:]]))
    except SignalException as stopped:  # it has passed the signal on, and waited for their checkpoint
        raise SystemExit(128 + stopped.sigval) from None
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        raise SystemExit(code if code > 0 else 128 - code) from None
    return True


def join() -> None:
    """Meet the other processes, before anything touches a GPU: each then has its own. Rank 0 alone prints from here on."""
    if process_count() > 1 and not distributed.is_initialized():
        if _on_gpu():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if _on_gpu() else "gloo")
        if not first():
            sys.stdout = open(os.devnull, "w", encoding="utf-8")


def leave() -> None:
    """The group stays in memory: what holds it last ends it and waits for its threads. DistributedDataParallel, which holds it
    too, would wait without letting go of Python's lock, and a thread of gloo may need that lock to end: both wait for ever."""
    if distributed.is_initialized():
        _left.append(distributed.group.WORLD)
        distributed.destroy_process_group()


def part() -> tuple[int, int]:
    """This process's rank, and the number of processes."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def first() -> bool:
    return part()[0] == 0


def data_parallel(network: torch.nn.Module) -> torch.nn.Module:
    """`network` to be called in training: its gradients become the means over all processes, its batch norm sees whole batches.
    Raises ValueError for batch norm in training mode on CPUs, where torch does not have it for several processes."""
    if part()[1] == 1:
        return network
    if any(isinstance(layer, _BatchNorm) and layer.training for layer in network.modules()):
        if not _on_gpu():
            raise ValueError("batch norm in training mode takes GPUs where several processes train: leave GPUS out, or take a "
                             "network or a discriminator without it, or batch_norm: frozen")
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return torch.nn.parallel.DistributedDataParallel(network, forward_sync_buffers=False)


def gather(value) -> list:
    """The value that each process has, by rank; what runs here waits for all to come here."""
    values = [value] * part()[1]
    if len(values) > 1:
        distributed.all_gather_object(values, value)
    return values


def broadcast(value):
    """What rank 0 has."""
    values = [value]
    if part()[1] > 1:
        distributed.broadcast_object_list(values)
    return values[0]


def gather_batch(own: torch.Tensor) -> torch.Tensor:
    """The batch whose parts (N, ...) the processes have, on all of them and without a gradient."""
    own = own.detach().contiguous()
    parts = [torch.empty_like(own) for _ in range(part()[1])]
    if len(parts) > 1:
        distributed.all_gather(parts, own)
    return torch.cat(parts) if len(parts) > 1 else own


def gather_records(records: list[dict[str, torch.Tensor]]) -> list[dict]:
    """Records of batches from those of the parts that each process had: of scalars the mean, as a float; other tensors one
    after another, on the CPU."""
    read = [{name: value.item() if value.ndim == 0 else value.cpu() for name, value in record.items()} for record in records]
    return [_joined(parts) for parts in zip(*gather(read))]


def _joined(parts: tuple[dict, ...]) -> dict:
    if len(parts) == 1:
        return parts[0]
    columns = {name: [record[name] for record in parts] for name in parts[0]}
    return {name: torch.cat(values) if isinstance(values[0], torch.Tensor) else sum(values) / len(values)
            for name, values in columns.items()}


def _on_gpu() -> bool:
    return (os.environ.get("RESTAGE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")).startswith("cuda")
