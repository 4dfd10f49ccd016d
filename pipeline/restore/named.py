"""The model behind a name, for all that restores: stages, pictures, exports and photos.

A name is that of a network below models/, chains and ensembles among them, of a row of params.yaml, or a file of `export --to
safetensors`, which restores photos wherever Restage is: the weights of a chain, and a header that tells the rest, as JSON below
the key `restage`: `row`, `chain`, the networks in their order, each a tree of restore/manifest.py, mostly just a name;
`networks`, their manifests by name, and `saw_truth`, whether the truth of captures reached any of them. The weights of a single
network have their own names; where there are more, the network's name and a slash come before them. A network that is in the
chain twice is in the file once.
"""
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_weights
from safetensors.torch import save
from torch import nn

from pipeline.core.files import sha256, write
from pipeline.core.params import PARAMS_FILE, load
from pipeline.nets.build import build
from pipeline.nets.layouts.files import refuse_text
from pipeline.restore.manifest import check_format, leaves, read_manifest, tree_of
from pipeline.restore.model import Model, assembled, chain, model_of
from pipeline.restore.network import load_network

KEY = "restage"
OF_OTHERS = (".onnx", ".pth", ".pt")


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


def is_file(name: str | Path) -> bool:
    """Whether the name of a row is that of a file."""
    return Path(name).suffix in (".safetensors", *OF_OTHERS)


def write_row(file: Path | str, row: str, tree: str | dict, models: Path | str = "models", saw_truth: bool = False) -> None:
    """Write the networks of `models` that `tree` names. Raises as `read_manifest` does."""
    chain = tree["chain"] if isinstance(tree, dict) and "chain" in tree else [tree]
    manifests = {name: read_manifest(Path(models, name)) for name in dict.fromkeys(leaves(tree))}
    weights = {}
    for name in manifests:
        own = load_weights(Path(models, name, "network.safetensors").read_bytes())
        weights |= {_prefix(name, manifests) + key: value for key, value in own.items()}
    header = json.dumps({"row": row, "chain": chain, "networks": manifests, "saw_truth": saw_truth}, sort_keys=True)
    write(file, save(weights, {KEY: header}))


def read_row(file: Path | str, device: torch.device | str = "cpu") -> Model:
    """What a file of `write_row` holds, frozen and in eval mode. Raises ValueError for any other file."""
    file = Path(file)
    if not file.is_file():
        raise ValueError(f"{file}: no such file")
    if file.suffix in OF_OTHERS:
        raise ValueError(f"{file}: made for other programs; wanted a row by name, or what `export --to safetensors` wrote")
    refuse_text(file)
    try:
        with safe_open(file, framework="pt") as handle:
            header = (handle.metadata() or {}).get(KEY)
            weights = {key: handle.get_tensor(key) for key in handle.keys()}
    except SafetensorError as error:
        raise ValueError(f"{file}: not a whole safetensors file: {error}") from error
    if header is None:
        raise ValueError(f"{file}: weights alone, no row that `export --to safetensors` wrote; `import` takes other projects'")
    try:
        about = json.loads(header)
        models = {name: model_of(_network(name, about["networks"], weights).to(device)) for name in about["networks"]}
        return assembled({"chain": about["chain"]}, models)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{file}: its weights are not those of the row that its header tells of: {error}") from error


def saw_truth(file: Path | str) -> bool:
    """Whether a file of weights says that truth reached them; only one of `write_row` can."""
    return bool(_header(file).get("saw_truth"))


def alone_in(file: Path | str) -> dict | None:
    """The manifest of the one network in a file of `write_row`; None for any other file. Raises ValueError where the file holds
    several."""
    networks = _header(file).get("networks", {})
    if len(networks) > 1:
        raise ValueError(f"{file}: holds {len(networks)} networks ({', '.join(networks)}), wanted one")
    return next(iter(networks.values()), None)


def _header(file: Path | str) -> dict:
    """What `write_row` tells of a file; empty for a file of something else, or a damaged one: who reads its weights says so."""
    if Path(file).suffix != ".safetensors" or not Path(file).is_file():
        return {}
    try:
        with safe_open(file, framework="pt") as handle:
            header = json.loads((handle.metadata() or {}).get(KEY, "{}"))
    except (SafetensorError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}


def _network(name: str, manifests: dict[str, dict], weights: dict[str, torch.Tensor]) -> nn.Module:
    check_format(manifests[name], name)
    network, prefix = build(manifests[name]["arch"], manifests[name]["options"]), _prefix(name, manifests)
    network.load_state_dict({key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)})
    return network.requires_grad_(False).eval()


def _prefix(name: str, manifests: dict[str, dict]) -> str:
    return f"{name}/" if len(manifests) > 1 else ""
