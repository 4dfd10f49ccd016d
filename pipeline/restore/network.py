"""A trained network on disk: `models/<name>/network.safetensors` and `manifest.json`, what it is and what made it."""
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from pipeline.core.files import read_json, replacing, sha256, write_json
from pipeline.nets.build import build, source

FORMAT = 1
"""Of a manifest and its weights. One without this field is of format 1."""


class AbsentNetwork(Exception):
    """This network could not be trained; the text says what was missing."""


def save_network(folder: Path | str, network: nn.Module, arch: str, options: dict, made: dict) -> None:
    """Write a network. `made` goes into the manifest: inputs, settings and seed it came from.

    Raises ValueError when a weight is not finite: such a network is never written.
    """
    folder = Path(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{folder}: weight {name} is not finite; nothing was written")
    with replacing(folder / "network.safetensors") as handle:
        handle.write(save(weights))
    write_json(folder / "manifest.json", {
        "format": FORMAT, "arch": arch, "options": options, "scale": network.scale, "radius": network.radius,
        "parameters": sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        "code": sha256(source(arch)),  # an edit of the architecture travels to all that was made with it
        "weights": sha256(folder / "network.safetensors"), "made": made})


def save_absent(folder: Path | str, reason: str) -> None:
    """Write the stand-in of a network that could not be trained."""
    write_json(Path(folder) / "manifest.json", {"absent": reason})


def read_manifest(folder: Path | str) -> dict:
    """A network's manifest. Raises FileNotFoundError, AbsentNetwork for a stand-in, or ValueError for one of a newer format."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no manifest.json here; is that a trained network?")
    manifest = read_json(path)
    if "absent" in manifest:
        raise AbsentNetwork(manifest["absent"])
    check_format(manifest, path)
    return manifest


def check_format(manifest: dict, where: Path | str) -> None:
    """Raise ValueError for a network of a newer format than this code knows."""
    if manifest.get("format", 1) > FORMAT:
        raise ValueError(f"{where}: a network of format {manifest['format']}, this code knows formats up to {FORMAT}: update "
                         "the code, or train the network with this one")


def load_network(folder: Path | str, device: torch.device | str = "cpu", trainable: bool = False) -> nn.Module:
    """The network in eval mode, with `.scale` and `.radius`. All weights are frozen; if `trainable`, only those that its
    architecture itself keeps frozen, such as EDSR's mean shift.

    Raises as `read_manifest` does, and ValueError for weights of another network.
    """
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
