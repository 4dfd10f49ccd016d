"""Files of weights: read without running anything that is in them, and written."""
import pickle
import re
import warnings
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from pipeline.core.files import replacing

# Where the weights stand in a file that holds more, the first that is there; BasicSR and KAIR test with the moving average.
WRAPPERS = ("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net", "net_g", "netG")
# What stands before all names: of DataParallel and of averages, of torch.compile, of trainers that hold a discriminator too.
PREFIXES = ("module.", "_orig_mod.", "net_g.", "netG.")
COUNTER = "n_averaged"  # of torch's AveragedModel, beside the weights


def read_weights(file: Path | str) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors file, or of what torch.save wrote, by their names in it.

    They may stand below one of WRAPPERS, and their names may begin with some of PREFIXES. Raises ValueError for a file that is
    damaged or holds anything but tensors. A pickle can hold code: such a file is refused, and nothing of it run.
    """
    file = Path(file)
    if not file.is_file():
        raise ValueError(f"{file}: no such file of weights")
    refuse_text(file)
    weights = _safetensors(file) if file.suffix == ".safetensors" else _pickle(file)
    if not isinstance(weights, dict):
        raise ValueError(f"{file}: holds a {type(weights).__name__}, wanted a dict of tensors (a state_dict)")
    while wrapper := next((key for key in WRAPPERS if isinstance(weights.get(key), dict) and weights[key]), None):
        weights = weights[wrapper]
    for key, value in weights.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{file}: key {key} holds a {type(value).__name__}, wanted a tensor")
    if not weights:
        raise ValueError(f"{file}: holds no tensors")
    return _plain_names(weights)


def _plain_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the prefixes that all names have, one inside the other, and without what is no weight beside them."""
    names = [key for key in weights if key != COUNTER]
    prefix = next((prefix for prefix in PREFIXES if names and all(key.startswith(prefix) for key in names)), None)
    return _plain_names({key.removeprefix(prefix): weights[key] for key in names}) if prefix else dict(weights)


def refuse_text(file: Path) -> None:
    """Raise ValueError for what a download leaves in the place of weights: it is told by its first line."""
    with open(file, "rb") as handle:
        head = handle.read(512).lstrip()
    if head.startswith(b"version https://git-lfs"):
        raise ValueError(f"{file}: a pointer of Git LFS, not the weights: `git lfs pull` gets them")
    if head.lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError(f"{file}: a web page (HTML or XML), not weights: the download was answered with a page, such as one "
                         "that asks to log in; open the address in a browser")


def _safetensors(file: Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load(file.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{file}: not a whole safetensors file: {error}") from error


def _pickle(file: Path):
    try:
        with warnings.catch_warnings(action="ignore"):  # that it is TorchScript: the error says so
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in every way there is
        named = re.search(r"GLOBAL (\S+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and named:
            raise ValueError(f"{file}: refused: this pickle wants to call {named[1]}, and only tensors are read; save the "
                             "network's state_dict() with torch.save, or as safetensors") from error
        if "TorchScript" in str(error):
            raise ValueError(f"{file}: refused: a TorchScript archive holds code, and only tensors are read") from error
        raise ValueError(f"{file}: neither safetensors nor a file of tensors that torch.save wrote: "
                         f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'it ends early'}") from error


def write_weights(file: Path | str, weights: dict[str, torch.Tensor], wrapper: str | None = None) -> None:
    """Write tensors as safetensors (.safetensors), or as torch.save does (.pth, .pt), there below the key `wrapper` if given.

    Raises ValueError for another ending.
    """
    file = Path(file)
    if file.suffix not in (".safetensors", ".pth", ".pt"):
        raise ValueError(f"{file}: wanted a file that ends in .pth, .pt or .safetensors")
    weights = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    with replacing(file) as handle:
        if file.suffix == ".safetensors":
            handle.write(safetensors.torch.save(weights))
        else:
            torch.save({wrapper: weights} if wrapper else weights, handle)
