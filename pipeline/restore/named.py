"""The model behind a name, for all that restores: stages, pictures, exports and photos.

A name is that of a network below models/, chains and ensembles among them, of a row of params.yaml, or a file of
`export --to safetensors`.
"""
from pathlib import Path

import torch

from pipeline.core.files import sha256
from pipeline.core.params import PARAMS_FILE, load
from pipeline.restore.manifest import leaves, read_manifest, tree_of
from pipeline.restore.model import Model, assembled, chain, model_of
from pipeline.restore.network import load_network
from pipeline.restore.row import is_file, read_row


def named(*names: str | Path, models: Path | str = "models", device: torch.device | str = "cpu") -> Model:
    """Each takes what the one before it made. Raises ValueError, FileNotFoundError or AbsentNetwork for what cannot be
    loaded."""
    trees = [name if is_file(name) else tree_of(network_of(name, models), models) for name in names]
    loaded: dict[str, Model] = {}
    return chain([read_row(tree, device) if is_file(str(tree)) else built(tree, models, device, loaded) for tree in trees])


def built(tree: str | dict, models: Path | str, device: torch.device | str, loaded: dict[str, Model]) -> Model:
    """The model of a tree of networks below `models`. `loaded` keeps them by name: one that is there twice is loaded once."""
    for name in leaves(tree):
        if name not in loaded:
            loaded[name] = model_of(load_network(Path(models, name), device))
    return assembled(tree, loaded)


def hashes_of(*names: str | Path, models: Path | str = "models") -> list:
    """Of all weights behind the names, in their order: a tree of hashes for each of what is one behind the other. They are
    those of the weights that are there now, which a chain that was made before them does not know."""
    found = []
    for name in names:
        tree = sha256(name) if is_file(name) else _hashed(tree_of(network_of(name, models), models), models)
        found += tree["chain"] if isinstance(tree, dict) and "chain" in tree else [tree]
    return found


def _hashed(tree: str | dict, models: Path | str) -> str | dict:
    if isinstance(tree, str):
        return read_manifest(Path(models, tree))["weights"]
    (kind, parts), = tree.items()
    return {kind: [_hashed(part, models) for part in parts]}


def network_of(name: str, models: Path | str = "models") -> str:
    """The network behind a name: itself, or that of a row in params.yaml. Raises ValueError for a row without one."""
    if Path(models, name, "manifest.json").is_file() or not PARAMS_FILE.is_file():
        return name
    row = load().rows.get(name)
    if row is None:
        return name
    if row.network == "none":
        raise ValueError(f"{name}: this row is the input itself, it has no network")
    return row.network
