"""The model behind a name, for all that restores: stages, pictures, exports and photos.

A name is that of a network below models/, of a row of params.yaml, or a file of `export --to safetensors`.
"""
from pathlib import Path

import torch

from pipeline.core.files import sha256
from pipeline.core.params import PARAMS_FILE, load
from pipeline.restore.model import Model, chain, model_of
from pipeline.restore.network import load_network, read_manifest
from pipeline.restore.row import is_file, read_row


def named(*names: str | Path, models: Path | str = "models", device: torch.device | str = "cpu") -> Model:
    """Each takes what the one before it made.

    Raises ValueError, FileNotFoundError or AbsentNetwork for what cannot be loaded.
    """
    parts, loaded = [], {}
    for name in names:
        if is_file(name):
            parts.append(model_of(*read_row(name, device)))
            continue
        for network in networks_of(name, models):
            if network not in loaded:  # one that is there twice has its weights once
                loaded[network] = model_of(load_network(Path(models, network), device))
            parts.append(loaded[network])
    return chain(parts)


def hashes_of(*names: str | Path, models: Path | str = "models") -> list[str]:
    """Of all weights behind the names, in their order."""
    hashes = []
    for name in names:
        folders = [] if is_file(name) else [Path(models, network) for network in networks_of(name, models)]
        hashes += [read_manifest(folder)["weights"] for folder in folders] or [sha256(name)]
    return hashes


def networks_of(name: str, models: Path | str = "models") -> list[str]:
    """The networks behind a name: itself, or those of a row in params.yaml. Raises ValueError for a row without any."""
    if Path(models, name, "manifest.json").is_file() or not PARAMS_FILE.is_file():
        return [name]
    row = load().rows.get(name)
    if row is None:
        return [name]
    networks = [network for network in (row.first, row.second, row.third) if network != "none"]
    if not networks:
        raise ValueError(f"{name}: this row is the input itself, it has no network")
    return networks
