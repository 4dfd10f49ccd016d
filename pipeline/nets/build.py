"""Networks by name: `pipeline/nets/<arch>.py` holds one architecture and its function `build`.

They are imported by name rather than listed in one file, so that adding an architecture changes no file that another
network's training depends on.
"""
import importlib
import inspect

from torch import nn

from pipeline.nets.catalogue import architectures


def build(arch: str, options: dict) -> nn.Module:
    """A freshly initialised network; its attributes `scale` and `radius` (receptive radius in input pixels) are integers.

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
