"""A trained network on disk: `models/<name>/network.safetensors` and `manifest.json`, what it is and what made it."""
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from pipeline.core.files import sha256, write, write_json
from pipeline.nets.build import build, code_of
from pipeline.restore.manifest import FORMAT, read_manifest


def save_network(folder: Path | str, network: nn.Module, arch: str, options: dict, made: dict) -> None:
    """Write a network. `made` goes into the manifest: inputs, settings and seed it came from. Raises ValueError when a weight
    is not finite: such a network is never written."""
    folder = Path(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{folder}: weight {name} is not finite; nothing was written")
    write(folder / "network.safetensors", save(weights))
    write_json(folder / "manifest.json", {
        "format": FORMAT, "arch": arch, "options": options, "scale": network.scale, "radius": network.radius,
        "parameters": sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        "code": code_of(arch),  # an edit of the architecture travels to all that was made with it
        "weights": sha256(folder / "network.safetensors"), "made": made})


def load_network(folder: Path | str, device: torch.device | str = "cpu", trainable: bool = False) -> nn.Module:
    """The network in eval mode, with `.scale` and `.radius`. All weights are frozen; if `trainable`, only those that its
    architecture itself keeps frozen, such as EDSR's mean shift. Raises as `read_manifest` does, and ValueError for weights of
    another network."""
    manifest = read_manifest(folder)
    network = build(manifest["arch"], manifest["options"])
    path = Path(folder) / "network.safetensors"
    try:
        network.load_state_dict(load(path.read_bytes()))
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path}: not the weights of {manifest['arch']} {manifest['options']}: {error}") from error
    if not trainable:
        network.requires_grad_(False)
    return network.eval().to(device)
