"""Networks by name: `pipeline/nets/<arch>.py` holds one architecture and its function `build`.

They are imported by name rather than listed in one file, so that adding an architecture changes no file that another
network's training depends on; and without torch, which takes seconds to import, until one is built.
"""
import importlib
import inspect
from pathlib import Path

from pipeline.core.files import sha256, sha256_of
from pipeline.core.imports import imported

SHARED = ("__init__", "blocks", "build")  # the files of this folder that hold no architecture


def architectures() -> list[str]:
    """The names `arch` may have: each is a file of this folder."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in SHARED)


def code_of(arch: str) -> str:
    """A hash of the code of an architecture, its file and the modules of the pipeline that this imports."""
    root = Path(__file__).parents[2]
    module = f"pipeline.nets.{arch}"
    return sha256_of({path.as_posix(): sha256(root / path) for path in imported([module], root)[module]})


def build(arch: str, options: dict):
    """A freshly initialised nn.Module; its attributes `scale` and `radius` (receptive radius in input pixels) are integers.

    It maps float32 NCHW RGB in [0, 1] to the same with `scale` times the height and width. In training mode it may give a
    tuple that begins with this image; it then has a method `fidelity(outputs, targets, distance)`, the loss of that tuple.

    Raises ValueError for an unknown architecture, an unknown or missing option, or an option with an impossible value.
    """
    if arch not in architectures():
        raise ValueError(f"arch: got {arch!r}, there are {', '.join(architectures())}")
    module = importlib.import_module(f"pipeline.nets.{arch}")
    allowed = inspect.signature(module.build)
    try:
        allowed.bind(**options)
    except TypeError as error:
        raise ValueError(f"{arch}: options {options}: {error}; allowed are {allowed}") from error
    return module.build(**options)
