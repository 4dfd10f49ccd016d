"""Any network that spandrel can tell from its weights (https://github.com/chaiNNer-org/spandrel), an optional package.

What it reads architecture and widths from, the names and shapes of the weights, is what `build` is given. Some numbers it reads
from small tensors, so those come with their values.
"""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.vision import mend_torchvision

SMALL = 16  # elements of a tensor that is described by its values
RADIUS = 64  # input pixels; nobody tells how far such a network sees, so in tiles it is not exact


def options_of(state: dict[str, torch.Tensor]) -> dict:
    """What `build` makes such a network from; can be written as JSON."""
    small = {key for key, value in state.items() if value.numel() <= SMALL}
    return {"shapes": {key: list(value.shape) for key, value in state.items() if key not in small},
            "values": {key: state[key].tolist() for key in sorted(small)}}


class Foreign(nn.Module):
    """One of spandrel's networks. NCHW in [0, 1] of any size -> `scale` times larger."""

    def __init__(self, descriptor):
        super().__init__()
        wanted = descriptor.size_requirements
        if (descriptor.input_channels, descriptor.output_channels) != (3, 3) or descriptor.purpose == "Inpainting":
            raise ValueError(f"{descriptor.architecture.name}: takes {descriptor.input_channels} channels to "
                             f"{descriptor.output_channels} ({descriptor.purpose}), wanted a network from RGB to RGB")
        if wanted.square:
            raise ValueError(f"{descriptor.architecture.name}: takes square images alone")
        self.scale, self.multiple, self.minimum, self.radius = descriptor.scale, wanted.multiple_of, wanted.minimum, RADIUS
        self.radius += -RADIUS % self.multiple
        self.model = descriptor.model

    def forward(self, x):
        height, width = x.shape[2:]
        rows, columns = (max(self.minimum, size + -size % self.multiple) - size for size in (height, width))
        y = self.model(F.pad(x, (0, columns, 0, rows), mode="replicate"))
        return y[:, :, : height * self.scale, : width * self.scale]


def spandrel_network(state: dict[str, torch.Tensor]) -> Foreign:
    """The network with these weights, checked against spandrel's own way to call it.

    Raises ValueError when the package is not installed or does not know such weights.
    """
    descriptor = _describe(state)
    network = Foreign(descriptor).eval()
    side = max(32, network.minimum) + -max(32, network.minimum) % network.multiple
    probe = torch.linspace(0, 1, 3 * side**2).reshape(1, 3, side, side)
    with torch.no_grad():
        ours, theirs = network(probe).clamp(0, 1), descriptor(probe)
    if theirs.shape[2:] != (side * network.scale,) * 2 or not torch.allclose(ours, theirs, atol=1e-5):
        raise ValueError(f"{descriptor.architecture.name}: spandrel does more than call this network, so training cannot go on")
    return network


def build(shapes: dict[str, list[int]], values: dict) -> Foreign:
    """As `options_of` describes it; its weights are to be loaded."""
    device = torch.get_default_device()
    with torch.device("cpu"):  # where spandrel reads the values, also for a network that is only counted
        state = {key: torch.zeros(shape) for key, shape in shapes.items()}
        network = Foreign(_describe(state | {key: torch.tensor(value) for key, value in values.items()}))
    return network.to(device)


def _describe(state: dict[str, torch.Tensor]):
    try:
        mend_torchvision()  # spandrel imports it
        from spandrel import ModelLoader
    except ImportError as error:
        raise ValueError("none of the layouts that can be read without the optional package spandrel, which knows more: "
                         "`pip install spandrel`, then again") from error
    try:
        return ModelLoader(device="cpu").load_from_state_dict(dict(state))
    except Exception as error:  # each of its architectures fails in its own way
        raise ValueError(f"spandrel cannot make a network of these weights: {type(error).__name__}: {error}") from error
