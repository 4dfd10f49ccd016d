"""Where tensors live: CUDA when there is one, else Apple's MPS, else the CPU. RESTAGE_DEVICE, or an option, names another."""
import os

import torch

from pipeline.core.memory import keep_memory


def device_name() -> str:
    """The device that RESTAGE_DEVICE names, else the first that there is of cuda, mps and cpu."""
    if name := os.environ.get("RESTAGE_DEVICE"):
        return name
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def pick(threads: int | None = None, name: str | None = None) -> torch.device:
    """The device to compute on, with the process set up for it: thread count, memory kept, deterministic kernels. Raises
    ValueError when `name`, and SystemExit when RESTAGE_DEVICE, is a device that cannot be used."""
    keep_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32
    asked = name or device_name()
    try:
        device = torch.zeros(1, device=asked).device
    except (RuntimeError, AssertionError) as error:
        if name:
            raise ValueError(f"device {name}: this device cannot be used ({error})") from error
        raise SystemExit(f"RESTAGE_DEVICE={asked}: this device cannot be used ({error})") from error
    if device.type == "cuda":
        # Read when the first matrices are multiplied: with other workspaces cuBLAS may add up in another order each time.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)  # torch warns of an operation that has no such kernel
        torch.utils.deterministic.fill_uninitialized_memory = False  # it costs time, and nothing here reads such memory
    return device
