"""Where tensors live: CUDA when there is one, else the CPU; RESTAGE_DEVICE overrides."""
import os

import torch

from pipeline.core.memory import keep_memory


def pick(threads: int | None = None) -> torch.device:
    """The device to compute on, with the process set up for it: thread count, memory kept, deterministic kernels."""
    keep_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32
    name = os.environ.get("RESTAGE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise SystemExit(f"RESTAGE_DEVICE={name}: this device cannot be used ({error})") from error
