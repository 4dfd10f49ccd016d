"""What is asked of the ONNX graph of any network."""
import numpy as np
import onnxruntime
from conftest import ROOT, smooth_image
from networks import in_one_pass
from torch import nn

from pipeline.export.onnx_graph import onnx_difference
from pipeline.restore.model import model_of
from pipeline.restore.pixels import to_tensor


def check_that_a_graph_computes_what_the_network_does(graph: bytes, network: nn.Module) -> None:
    """At any size, in batches; and that the graph holds no path of this machine."""
    assert onnx_difference(graph, model_of(network)) < 1e-5
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for height, width in ((29, 50), (20, 7)):
        images = [smooth_image(np.random.default_rng(i), height, width) for i in range(3)]
        got = session.run(None, {"image": np.concatenate([to_tensor(image) for image in images])})[0]
        wanted = np.stack([in_one_pass([network], image) for image in images])
        np.testing.assert_allclose(got.transpose(0, 2, 3, 1), wanted, atol=1e-5)
    assert str(ROOT).encode() not in graph and b"site-packages" not in graph
