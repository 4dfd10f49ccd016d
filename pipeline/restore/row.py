"""A row as one file that restores photos wherever Restage is: a .safetensors file with the weights of a chain.

Its header tells the rest, as JSON below the key `restage`: `row`, `chain`, the names of the networks in their order, and
`networks`, their manifests by name. The weights of a chain of one network have their own names; where there are more, the
network's name and a slash come before them. A network that is in the chain twice is in the file once.
"""
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import nn

from pipeline.core.files import replacing
from pipeline.nets.build import build
from pipeline.restore.network import check_format, read_manifest

KEY = "restage"
OF_OTHERS = (".onnx", ".pth", ".pt")


def is_file(name: str | Path) -> bool:
    """Whether the name of a row is that of a file."""
    return Path(name).suffix in (".safetensors", *OF_OTHERS)


def write_row(file: Path | str, row: str, chain: list[str], models: Path | str = "models") -> None:
    """Write the networks of `models` that `chain` names. Raises as `read_manifest` does."""
    manifests = {name: read_manifest(Path(models, name)) for name in dict.fromkeys(chain)}
    weights = {}
    for name in manifests:
        own = load(Path(models, name, "network.safetensors").read_bytes())
        weights |= {_prefix(name, manifests) + key: value for key, value in own.items()}
    header = json.dumps({"row": row, "chain": chain, "networks": manifests}, sort_keys=True)
    with replacing(file) as handle:
        handle.write(save(weights, {KEY: header}))


def read_row(file: Path | str, device: torch.device | str = "cpu") -> list[nn.Module]:
    """The networks of the chain in a file of `write_row`, frozen and in eval mode.

    Raises ValueError for any other file.
    """
    file = Path(file)
    if not file.is_file():
        raise ValueError(f"{file}: no such file")
    if file.suffix in OF_OTHERS:
        raise ValueError(f"{file}: made for other programs; wanted a row by name, or what `export --to safetensors` wrote")
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
        return [_network(name, about["networks"], weights).to(device) for name in about["chain"]]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{file}: its weights are not those of the row that its header tells of: {error}") from error


def _network(name: str, manifests: dict[str, dict], weights: dict[str, torch.Tensor]) -> nn.Module:
    check_format(manifests[name], name)
    network, prefix = build(manifests[name]["arch"], manifests[name]["options"]), _prefix(name, manifests)
    network.load_state_dict({key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)})
    return network.requires_grad_(False).eval()


def _prefix(name: str, manifests: dict[str, dict]) -> str:
    return f"{name}/" if len(manifests) > 1 else ""
