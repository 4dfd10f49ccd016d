"""Get the backbones that LPIPS and SRGAN compare features of, and NIQE's published model. Called by hand, never by a stage."""
import pickle
import tempfile
from pathlib import Path

import torch

from pipeline.core.files import replacing, sha256, write
from pipeline.score import niqe

SERVER = "https://download.pytorch.org/models"
PUBLISHED = {"alexnet": "alexnet-owt-7be5be79.pth", "vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth",
             "squeezenet1_1": "squeezenet1_1-b8a52dc0.pth"}
"""torchvision's ImageNet weights; the eight digits are the start of the file's sha256."""


def fetch(folder: Path | str, source: Path | str | None = None) -> list[Path]:
    """Write <name>_features.pth into `folder` for each backbone; returns what was written.

    From the folder `source` those that are there, as published or as <name>_features.pth, the first layers of VGG
    (vgg16_conv*.pth, vgg19_conv*.pth) and niqe_pris_params.npz if they are there too; without one all backbones, from
    download.pytorch.org (1.3 GB, of which 150 MB are kept). Raises
    FileNotFoundError when `source` holds none and ValueError for a damaged file.
    """
    if source is None:
        with tempfile.TemporaryDirectory() as downloads:
            for file in PUBLISHED.values():
                torch.hub.download_url_to_file(f"{SERVER}/{file}", str(Path(downloads, file)))
            return fetch(folder, downloads)
    written = []
    for name, published in PUBLISHED.items():
        target = Path(folder, f"{name}_features.pth")
        found = [path for path in (Path(source, target.name), Path(source, published)) if path.is_file()]
        if found:
            keep_features(found[0], target)
            written.append(target)
    for part in sorted(Path(source).glob("vgg1[69]_conv*.pth")):
        written.append(Path(folder, part.name))
        keep_features(part, written[-1])
    if Path(source, niqe.PUBLISHED).is_file():
        niqe.published(source)  # raises for another file of that name
        written.append(Path(folder, niqe.PUBLISHED))
        write(written[-1], Path(source, niqe.PUBLISHED).read_bytes())
    if not written:
        wanted = [f"{name}_features.pth or {published}" for name, published in PUBLISHED.items()]
        raise FileNotFoundError(f"{source} holds no backbone: wanted {', '.join([*wanted, niqe.PUBLISHED])}")
    return written


def keep_features(source: Path, target: Path) -> None:
    """Write the `features.*` entries of a file of weights; under its published name it must have the published hash."""
    if source.name in PUBLISHED.values():
        wanted, got = source.stem.rpartition("-")[2], sha256(source)
        if not got.startswith(wanted):
            raise ValueError(f"{source}: damaged: its sha256 starts with {got[:8]}, wanted {wanted}")
    try:
        weights = torch.load(source, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{source}: not a file of weights ({error})") from error
    features = {key: tensor for key, tensor in weights.items() if key.startswith("features.")}
    if not features:
        raise ValueError(f"{source}: holds no features.* weights")
    with replacing(target) as handle:
        torch.save(features, handle)
