"""SRGAN: stage 2 with a content loss in place of the distance to the targets, and a discriminator that slows down with the
network.

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR 2017 (arXiv
1609.04802), eq. 5: the mean squared difference of VGG19's features after some layer. VGG: Simonyan and Zisserman, 2015.
"""
import hashlib
import pickle
from pathlib import Path

import torch
from safetensors.torch import save
from torch.nn import functional as F

from pipeline.restore.manifest import AbsentNetwork
from pipeline.train.method import learning_rate
from pipeline.train.methods.stage2 import Stage2

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions before each pooling
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the images that torchvision's weights were trained on


class Content:
    """Callable: (outputs, targets, distance), NCHW in [0, 1] -> `weight` * distance of their features after `layer`.

    The weights are those of `folder`/<backbone>_features.pth or, of other files <backbone>_*.pth, the first that reaches the
    layer, in torchvision's names; which of them does not matter. Raises AbsentNetwork when there is none and ValueError for
    weights of another network.
    """

    def __init__(self, folder: Path | str, backbone: str, layer: str, weight: float):
        self.weight, self.rectified = weight, layer.startswith("relu")
        self.places = places(backbone, layer)
        self.weights = _read(Path(folder), backbone, layer, self.places)
        digest = hashlib.sha256(save(self.weights)).hexdigest()
        self.sources = {"backbone": backbone, "layer": layer, "weight": weight, "weights": digest}
        self.mean, self.deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))

    def to(self, device: torch.device) -> None:
        self.weights = {key: tensor.to(device) for key, tensor in self.weights.items()}
        self.mean, self.deviation = self.mean.to(device), self.deviation.to(device)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        x = (images - self.mean) / self.deviation
        for place in self.places:
            if place is None:
                x = F.max_pool2d(x, 2)
                continue
            x = F.conv2d(x, self.weights[f"features.{place}.weight"], self.weights[f"features.{place}.bias"], padding=1)
            if self.rectified or place != self.places[-1]:
                x = F.relu(x)
        return x

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor, distance) -> torch.Tensor:
        with torch.no_grad():
            wanted = self.features(targets)
        return self.weight * distance(self.features(outputs), wanted)


def places(backbone: str, layer: str) -> list[int | None]:
    """The convolutions up to `layer`, such as relu2_2, by their number in torchvision's `features`; None is a pooling."""
    found, place = [], 0
    for block, convolutions in enumerate(BLOCKS[backbone], 1):
        for number in range(1, convolutions + 1):
            found.append(place)
            if layer[-3:] == f"{block}_{number}":
                return found
            place += 2  # the convolution and its rectification
        found.append(None)
        place += 1
    raise ValueError(f"layer: {backbone} has no {layer}, its blocks have {', '.join(map(str, BLOCKS[backbone]))} convolutions")


def _read(folder: Path, backbone: str, layer: str, wanted: list[int | None]) -> dict[str, torch.Tensor]:
    whole = folder / f"{backbone}_features.pth"
    files = [path for path in dict.fromkeys([whole, *sorted(folder.glob(f"{backbone}_*.pth"))]) if path.is_file()]
    if not files:
        raise AbsentNetwork(f"{whole} is not there; `python -m pipeline fetch-trunks` gets it")
    keys = [f"features.{place}.{kind}" for place in wanted if place is not None for kind in ("bias", "weight")]
    for path in files:
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, LookupError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path}: not a file of weights ({error})") from error
        if all(key in weights for key in keys):
            _check_channels(weights, keys, path)
            return {key: weights[key].float().contiguous() for key in keys}
    raise AbsentNetwork(f"{', '.join(map(str, files))} ends before {layer}; `python -m pipeline fetch-trunks` gets the whole "
                        f"{backbone}")


def _check_channels(weights: dict, keys: list[str], path: Path) -> None:
    channels = 3
    for key in keys[1::2]:
        shape = tuple(weights[key].shape)
        if len(shape) != 4 or shape[1:] != (channels, 3, 3):
            raise ValueError(f"{path}: {key} is {shape}, wanted (channels, {channels}, 3, 3)")
        channels = shape[0]


class Srgan(Stage2):
    def __init__(self, *arguments, content: Content, **more):
        super().__init__(*arguments, **more)
        content.to(self.device)
        self.fidelity = content

    def step(self, step: int) -> dict:
        """As in stage 2, the discriminator's learning rate being the same multiple of the network's throughout."""
        if self.adversary:
            rate = learning_rate(self.settings, max(0, step - self.warmup)) / self.settings.lr
            for group in self.adversary.optimizer.param_groups:
                group["lr"] = rate * self.settings.d_lr
        return super().step(step)
