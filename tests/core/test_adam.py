"""Our Adam beside torch's."""
import torch

from pipeline.core.adam import Adam


def trained(kind: type, fused: bool) -> tuple[list[torch.Tensor], dict]:
    """Weights and the optimizer's state after 12 steps, of which the last 6 follow a checkpoint."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.ReLU(), torch.nn.Conv2d(5, 3, 3))
    optimizer = kind(network.parameters(), lr=1e-3, betas=(0.8, 0.99), fused=fused)
    for step in range(12):
        if step == 6:
            state = optimizer.state_dict()
            optimizer = kind(network.parameters(), lr=1e-2, fused=fused)
            optimizer.load_state_dict(state)
        optimizer.zero_grad(set_to_none=True)
        network(torch.rand(2, 3, 9, 11)).square().mean().backward()
        optimizer.step()
    return [weight.detach() for weight in network.parameters()], optimizer.state_dict()


def test_the_same_bits_as_torch():
    for fused in (True, False):
        (ours, state), (theirs, other) = trained(Adam, fused), trained(torch.optim.Adam, fused)
        assert all(map(torch.equal, ours, theirs))
        assert state["param_groups"] == other["param_groups"]
        for index, values in other["state"].items():
            assert all(torch.equal(state["state"][index][name], value) for name, value in values.items())
