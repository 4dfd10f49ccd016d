"""From the weights of another project to one of our networks, and back.

Their numbers stay as they are. EDSR-PyTorch and RCAN can also be trained on images in 0..1; ours hand their weights 0..255, so
the frozen convolutions that shift the mean are scaled for such a file.
"""
import torch
from torch import Tensor, nn

from pipeline.nets.build import build
from pipeline.nets.layouts.names import LAYOUTS, OWN, Layout

LEVELS = 255  # the range of our EDSR and RCAN inside


def converted_network(state: dict[str, Tensor], project: str, arch: str, options: dict) -> nn.Module:
    """The network with the weights `state`, which are named as the project does.

    Raises ValueError, which names the key, when the weights are not exactly those of such a network.
    """
    network, layout = build(arch, options), layout_of(project, arch)
    ours = network.state_dict()
    theirs = _names(layout, ours)
    what = f"{project}'s {arch} of {', '.join(f'{key} {value}' for key, value in options.items())}"
    if missing := [name for name in theirs if name not in state]:
        raise ValueError(f"key {missing[0]} is missing ({len(missing)} of {len(theirs)} are): not {what}")
    if extra := [name for name in state if name not in theirs]:
        raise ValueError(f"key {extra[0]} has no place ({len(extra)} of {len(state)} have none): not {what}")
    for name, our_name in theirs.items():
        got, wanted = state[name], ours[our_name]
        if got.shape != wanted.shape:
            raise ValueError(f"key {name} has the shape {list(got.shape)}, wanted {list(wanted.shape)}: not {what}")
        if got.is_floating_point() != wanted.is_floating_point():
            raise ValueError(f"key {name} is of {got.dtype}, wanted {wanted.dtype}")
    network.load_state_dict(ours | {our_name: state[name] for name, our_name in theirs.items()})
    if "sub_mean.bias" in theirs and project != OWN:
        _bring_to_levels(network)
    return network.eval()


def exported(network: nn.Module, project: str, arch: str, options: dict) -> dict[str, Tensor]:
    """The weights of a network of ours under the names of a project. Raises ValueError for what its files cannot say."""
    layout, ours = layout_of(project, arch), network.state_dict()
    if options.get("unshuffle", 1) != 1:
        raise ValueError(f"unshuffle is {options['unshuffle']}: {project}'s {arch} has no such thing")
    theirs = _names(layout, ours)
    if "sub_mean.bias" in ours and "sub_mean.bias" not in theirs:
        _check_mean(ours, build(arch, options).state_dict(), project)
    return {name: ours[our_name].clone() for name, our_name in theirs.items()}


def layout_of(project: str, arch: str) -> Layout:
    """Raises ValueError when the project has no such network."""
    if project == OWN:
        return Layout((), lambda state: {})  # its own names; the options are in the header
    if (project, arch) not in LAYOUTS:
        projects = [other for other, one in LAYOUTS if one == arch]
        raise ValueError(f"layout {project!r}: none for arch {arch}; for that there is {', '.join(projects) or 'none'}")
    return LAYOUTS[project, arch]


def _names(layout: Layout, ours: dict[str, Tensor]) -> dict[str, str]:
    """Their names -> ours."""
    return {layout.name(name): name for name in ours if layout.name(name) is not None}


@torch.no_grad()
def _bring_to_levels(network: nn.Module) -> None:
    """Files of a network for images in 0..1: the range they speak of shows in the mean that is taken off."""
    gain = network.sub_mean.weight[:, :, 0, 0].diagonal()
    mean = -network.sub_mean.bias / gain
    if not torch.isfinite(mean).all() or mean.max() <= 0:
        raise ValueError(f"key sub_mean.bias is {network.sub_mean.bias.tolist()}: no mean colour, so the value range, 0..1 or "
                         "0..255, cannot be told")
    if mean.max() <= 1:
        network.sub_mean.weight /= LEVELS
        network.add_mean.weight *= LEVELS
        network.add_mean.bias *= LEVELS


def _check_mean(ours: dict[str, Tensor], standard: dict[str, Tensor], project: str) -> None:
    for name in ("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias"):
        if not torch.allclose(ours[name].cpu(), standard[name], rtol=1e-4):
            raise ValueError(f"{name} is not that of DIV2K's mean and the range 0..255: {project}'s files cannot hold another")
