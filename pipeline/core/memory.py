"""The machine's memory: how much there is, and glibc kept from handing large tensors back to the system after each use.

A training step allocates and frees the same large tensors over and over. By default glibc maps each one afresh, and the
page faults cost as much as the arithmetic; keeping the memory halves a step on CPU. No number in it changes.
`RESTAGE_KEEP_MEMORY=0` switches it off.
"""
import ctypes
import os
import platform
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h


def keep_memory() -> bool:
    """Tell glibc to serve large blocks from the heap and never to trim it. Returns whether it was done."""
    if os.environ.get("RESTAGE_KEEP_MEMORY") == "0" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, 2**31 - 1), mallopt(M_TOP_PAD, 64 * 2**20)])


def free() -> int:
    """Bytes of main memory that can be had now."""
    return min([psutil.virtual_memory().available, *_left_to_container()])


def _left_to_container() -> list[int]:
    """What a container's own limit leaves; psutil speaks of the whole machine."""
    try:
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return [] if limit == "max" else [max(int(limit) - int(used), 0)]
    except (OSError, ValueError):
        return []
