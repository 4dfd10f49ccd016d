"""A model, such as a chain of networks, as one ONNX graph, for programs that know nothing of torch.

Its input `image` and its output `restored` are float32 NCHW RGB in [0, 1], of any batch, height and width; the output is
`scale` times larger. All that a model computes is in the graph: one network behind the other, unrounded, each with its image
padded to what it asks for and cut again. What comes before and after is not: decoding, tiles, the ensemble, clipping, rounding.
"""
import io
import logging
import warnings
from contextlib import contextmanager, redirect_stderr
from importlib import import_module

import numpy as np
import torch

from pipeline.core.seeds import rng
from pipeline.restore.model import Model
from pipeline.restore.pixels import to_tensor
from pipeline.restore.tiles import restore

OPSET = 18
TOLERANCE = 1e-4  # of full scale, for the largest difference of any value: a fortieth of an 8-bit level
PROBES = ((1, 24, 24), (2, 37, 54), (1, 43, 31), (1, 30, 45))
"""Batches, heights and widths that a graph is tried with; both sides leave every remainder by 4."""
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def graph_of(model: Model, about: dict[str, str]) -> bytes:
    """The graph as the content of an .onnx file; `about` goes into its metadata. Raises ValueError when the optional packages
    are not installed, and for a network that torch cannot write."""
    onnx = _packages()[0]
    batch, height, width = PROBES[1]  # no 1 among them, as what is 1 while tracing is taken to be 1 always
    example = torch.zeros(batch, 3, height, width)
    try:
        with _quiet():
            program = torch.onnx.export(
                model, (example,), dynamo=True, opset_version=OPSET, verbose=False,
                input_names=["image"], output_names=["restored"], dynamic_shapes=({0: "batch", 2: "height", 3: "width"},))
            graph = program.model_proto
    except Exception as error:  # the exporter fails in ways of its own, and wraps what was wrong in advice
        cause = error
        while cause.__cause__:
            cause = cause.__cause__
        reason = next(iter(str(cause).strip().splitlines()), "")
        raise ValueError(f"torch cannot write it as an ONNX graph: {type(cause).__name__}: {reason}") from error
    _forget_the_source(graph)
    for axis, name in ((2, "height"), (3, "width")):
        size = f"{model.scale}*{name}" if model.scale > 1 else name
        graph.graph.output[0].type.tensor_type.shape.dim[axis].dim_param = size
    onnx.helper.set_model_props(graph, about)
    return graph.SerializeToString(deterministic=True)


def onnx_difference(graph: bytes, model: Model) -> float:
    """By how much onnxruntime's answers for the graph differ at most from the model's own, for images of the sizes PROBES.
    Raises ValueError when that is more than TOLERANCE, or the sizes are others."""
    runtime = _packages()[2]
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    largest = 0.0
    for i, (batch, height, width) in enumerate(PROBES):
        images = rng(0, "export/probe", i).integers(0, 256, (batch, height, width, 3), np.uint8)
        wanted = np.stack([restore(model, image, "float32") for image in images])
        got = session.run(None, {"image": np.concatenate([to_tensor(image) for image in images])})[0].transpose(0, 2, 3, 1)
        if got.shape != wanted.shape:
            raise ValueError(f"{height} x {width} pixels become {got.shape[1]} x {got.shape[2]} in onnxruntime, wanted "
                             f"{wanted.shape[1]} x {wanted.shape[2]}; nothing was written")
        largest = max(largest, float(np.abs(got - wanted).max()))
    if not largest <= TOLERANCE:
        raise ValueError(f"onnxruntime's answers differ by up to {largest:.2g} of full scale, allowed are {TOLERANCE:g}; "
                         "nothing was written")
    return largest


def versions() -> str:
    """What was compared."""
    return f"onnxruntime {_packages()[2].__version__} and PyTorch {torch.__version__.split('+')[0]}"


@contextmanager
def _quiet():
    """Without the exporter's warnings, and the pages of code that it logs and prints when it fails."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _packages() -> list:
    try:
        return [import_module(name) for name in PACKAGES]
    except ImportError as error:
        raise ValueError(f"ONNX needs optional packages, {error.name} is missing: pip install {' '.join(PACKAGES)}") from None


def _forget_the_source(model) -> None:
    """Where each part came from, with the paths of this machine, and the shapes between, which are worked out anew."""
    graph = model.graph
    del graph.value_info[:]
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
