"""What the tests of several networks ask of them."""
import numpy as np
import torch
from conftest import smooth_image
from torch import nn
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.pixels import to_tensor
from pipeline.restore.tiles import restore


def seasoned(arch: str, options: dict, seed: int = 0) -> nn.Module:
    """A network in eval mode with random biases and statistics too: as if trained."""
    torch.manual_seed(seed)
    network = build(arch, options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight.data, module.running_var):
                value.uniform_(0.5, 1.5)
            module.running_mean.normal_(0, 0.2)
        if isinstance(module, nn.PReLU):
            module.weight.data.uniform_(0.1, 0.4)
        elif getattr(module, "bias", None) is not None:
            module.bias.data.normal_(0, 0.2)
    return network.eval()


@torch.no_grad()
def in_one_pass(networks: list[nn.Module], image: np.ndarray) -> np.ndarray:
    """The reference of what restores: each network called once, on the whole image that the one before it made. float32 HWC."""
    x = to_tensor(image).clone(memory_format=torch.contiguous_format)
    for network in networks:
        height, width = x.shape[2:]
        multiple = getattr(network, "multiple", 1)
        x = F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        x = network(x.contiguous(memory_format=torch.channels_last))  # the layout rounds in its own way
        x = x[:, :, : height * network.scale, : width * network.scale]
    return x[0].permute(1, 2, 0).numpy()


def check_that_the_radius_is_the_receptive_field(network: nn.Module) -> None:
    """For networks without a stride and of a radius of at most 11 pixels."""
    network = network.double()
    x = torch.rand(8, 3, 25, 25, dtype=torch.double, requires_grad=True)
    network(x)[:, :, 12, 12].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    assert network.radius == 12 - rows.min() == rows.max() - 12


def check_that_tiles_give_what_the_whole_image_gives(network: nn.Module) -> None:
    image = smooth_image(np.random.default_rng(0), 157, 143)
    whole = in_one_pass([network], image)
    assert whole.shape == image.shape
    np.testing.assert_allclose(restore(model_of(network), image, "float32", tile=17), whole, atol=1e-5)


def check_that_it_learns_a_tiny_batch(network: nn.Module, lr: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 3, 16, 15)
    targets = (0.8 * x + 0.1).flip(1)
    optimizer, losses = torch.optim.Adam((weight for weight in network.parameters() if weight.requires_grad), lr=lr), []
    for _ in range(60):
        losses.append(F.mse_loss(network(x), targets))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.15 * losses[0]


def check_that_it_learns_a_tiny_batch_from_the_identity(network: nn.Module, lr: float) -> None:
    image = torch.rand(2, 3, 16, 15, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(image), image)
    check_that_it_learns_a_tiny_batch(network, lr)
    assert all(weight.grad.abs().max() > 0 for weight in network.parameters() if weight.requires_grad)
