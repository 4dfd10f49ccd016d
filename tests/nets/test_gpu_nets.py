"""Each architecture on a GPU beside the CPU."""
import copy

import pytest
import torch
from devices import NETS
from networks import seasoned

from pipeline.core.settings import Stage1Settings
from pipeline.nets.build import architectures
from pipeline.train.methods.supervised import Supervised

pytestmark = pytest.mark.gpu
ARCHITECTURES = sorted(set(architectures()) - {"spandrel"})
CPU = torch.device("cpu")


def apart(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return ((found.cpu() - wanted).abs().max() / wanted.abs().max()).item()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_outputs_are_those_of_the_cpu(gpu, record_property, arch):
    network = seasoned(arch, NETS[arch]).requires_grad_(False)
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    wanted, on_gpu = network(x), copy.deepcopy(network).to(gpu, memory_format=torch.channels_last)
    record_property("difference", most := apart(on_gpu(x.to(gpu, memory_format=torch.channels_last)), wanted))
    assert wanted.std() > 0.01 and most < 2e-5


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_training_step_is_that_of_the_cpu(gpu, record_property, arch):
    draw, gradients = torch.Generator().manual_seed(1), []
    network = seasoned(arch, NETS[arch])
    x, targets = (torch.rand(2, 3, 32 * scale, 64 * scale, generator=draw) for scale in (1, network.scale))
    for device in (CPU, gpu):
        method = Supervised(Stage1Settings(clip=0, loss="mse"), copy.deepcopy(network), None, None, device)
        method.improve(0, *method.loss(method.outputs(x.to(device)), targets.to(device)))
        gradients.append([weight.grad.cpu() for weight in method.network.parameters() if weight.requires_grad])
    largest = max(wanted.abs().max() for wanted in gradients[0])
    most = max((found - wanted).abs().max() for wanted, found in zip(*gradients)) / largest
    record_property("difference", most.item())
    assert largest > 1e-5 and most < 1e-3


@pytest.mark.parametrize("arch", ["edsr", "dmnet"])
def test_in_bf16_outputs_are_near_those_of_fp32(gpu, record_property, arch):
    network = seasoned(arch, NETS[arch]).to(gpu).requires_grad_(False)
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)).to(gpu)
    wanted = network(x).cpu()
    with torch.autocast(gpu.type, torch.bfloat16):
        most = apart(network(x).float(), wanted)
    record_property("difference", most)
    assert 0 < most < 0.05
