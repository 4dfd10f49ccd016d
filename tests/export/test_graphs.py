"""Networks as ONNX graphs, which onnxruntime computes as torch does."""
from pathlib import Path

import onnxruntime
import pytest
import torch
from networks import seasoned
from onnx_graphs import check_that_a_graph_computes_what_the_network_does
from torch import nn

from pipeline.export.onnx_graph import graph_of, onnx_difference
from pipeline.restore.model import mean_of, model_of

SMALL = {
    "unsharpen": {"size": 7}, "resnet": {"blocks": 1, "features": 4},
    "dmnet": {"blocks": 1, "features": 6, "layers": 2, "fine_features": 4},
    "rcan": {"scale": 1, "groups": 1, "blocks": 1, "features": 12, "reduction": 2, "unshuffle": 2},
    "srresnet": {"scale": 4, "blocks": 1, "features": 4}, "dncnn": {"layers": 3, "features": 6, "channels": 1},
    "nafnet": {"features": 4, "encoder": [1], "middle": 1, "decoder": [0], "window": 13}}
"""Compact and ESDNet are in test_published.py, where the command writes their graphs."""
COMPACT = {"scale": 4, "layers": 2, "features": 6}
MAP = {"scale": 1, "blocks": 1, "features": 12, "unshuffle": 2}
LARGER = {"scale": 2, "blocks": 1, "features": 4}
TWICE = {"scale": 2, "layers": 0, "features": 4}


def onnx(graph: bytes | Path):
    return onnxruntime.InferenceSession(graph if isinstance(graph, bytes) else str(graph), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("arch", SMALL)
def test_a_graph_computes_what_the_network_does_at_any_size(arch):
    network = seasoned(arch, SMALL[arch])
    if arch == "unsharpen":  # which does nothing as it is
        torch.nn.init.normal_(network.filter.weight, std=0.1)
    check_that_a_graph_computes_what_the_network_does(graph_of(model_of(network), {"row": "x"}), network)


def test_a_mean_is_one_graph():
    model = mean_of([model_of(seasoned("compact", COMPACT)), model_of(*[seasoned("compact", TWICE, 1)] * 2)])
    assert onnx_difference(graph_of(model, {}), model) < 1e-5


class Undecided(nn.Module):
    """Does one thing or another by what it is given, which no graph says."""
    scale = radius = 1

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.weight if float(x.detach().mean()) > 0.5 else x


def test_a_network_that_torch_cannot_write_is_refused_in_one_line(capfd):
    with pytest.raises(ValueError, match="^torch cannot write it as an ONNX graph: .*data-dependent[^\n]*$"):
        graph_of(model_of(Undecided()), {})
    assert not any(capfd.readouterr())
