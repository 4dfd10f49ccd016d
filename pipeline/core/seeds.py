"""Independent random streams: every draw comes from (seed, purpose, index), never from global state."""
import hashlib

import numpy as np


def derive(seed: int, purpose: str, index: int = 0) -> int:
    """A 128-bit integer that depends on all three arguments and on nothing else."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little")


def rng(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The generator of stream (seed, purpose, index): the same numbers in any order of calls, in any process."""
    return np.random.Generator(np.random.Philox(key=derive(seed, purpose, index)))


def torch_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for `torch.manual_seed`, from the same derivation."""
    return derive(seed, purpose) & (2**63 - 1)
