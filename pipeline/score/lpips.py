"""LPIPS v0.1 (Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018)."""
import warnings
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from pipeline.core.vision import mend_torchvision
from pipeline.score.kept import Kept

TRUNKS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}  # sides below these leave nothing for the deepest layer


class MissingTrunk(FileNotFoundError):
    """The backbone's weights are not there, so the metric cannot be computed."""


class Lpips:
    """Callable: two uint8 RGB HWC images of one shape, output and truth -> their distance, at least 0, lower is closer.

    Sum over layers of the spatial mean of weighted squared differences of unit-normalised features. The linear heads
    are the package's own; the backbone comes from `trunk_folder`/<name>_features.pth in torchvision's key names. Raises
    MissingTrunk when that file is not there and ValueError when it holds other weights.
    """

    def __init__(self, trunk_folder: Path | str, net: str = "alex", device: torch.device | str = "cpu"):
        path = Path(trunk_folder) / f"{TRUNKS[net]}_features.pth"
        if not path.is_file():
            raise MissingTrunk(f"{path} is not there; `python -m pipeline fetch-trunks` gets it")
        with torch.random.fork_rng(devices=[]), Unfilled(), warnings.catch_warnings():
            # The package makes the backbone before we load it, by an interface that torchvision deprecates.
            warnings.simplefilter("ignore", UserWarning)
            self.network = import_lpips().LPIPS(pnet_rand=True, net=net, verbose=False)
        self.smallest = SMALLEST[net]
        _load_trunk(self.network.net, torch.load(path, map_location="cpu", weights_only=True), path)
        self.network.to(device, memory_format=torch.channels_last)  # a fifth faster on a CPU
        self.device, self.alone = device, Lock()  # torch has the cores for itself
        self.of_truth = Kept(self._features)

    def __call__(self, a: np.ndarray, b: np.ndarray) -> float:
        if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8:
            raise ValueError(f"the images are {a.dtype} {a.shape} and {b.dtype} {b.shape}, wanted uint8 and one shape")
        if min(a.shape[:2]) < self.smallest:
            raise ValueError(f"LPIPS needs sides of {self.smallest} pixels, the images are {a.shape[1]}x{a.shape[0]}")
        with self.alone, torch.inference_mode():
            features = zip(self.network.lins, self._features(a), self.of_truth(b), strict=True)
            return float(sum(head((x - y) ** 2).mean((2, 3)) for head, x, y in features))

    def _features(self, image: np.ndarray) -> list[torch.Tensor]:
        """Those of each layer, of norm 1 at each place."""
        image = torch.from_numpy(image.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None].contiguous().to(self.device)
        return [import_lpips().normalize_tensor(layer) for layer in self.network.net(self.network.scaling_layer(image))]


class Unfilled(TorchFunctionMode):
    """Leaves weights as they lie in memory that would be drawn at random and then be replaced: 60 million of AlexNet take a
    second."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function.__name__ in ("uniform_", "normal_", "kaiming_uniform_"):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


def _load_trunk(trunk: torch.nn.Module, weights: dict, path: Path) -> None:
    """The package names its layers slice<i>.<layer>.*, torchvision features.<layer>.*."""
    names = {name: "features." + name.split(".", 1)[1] for name in trunk.state_dict()}
    wanted, got = set(names.values()), set(weights)
    if wanted - got:
        raise ValueError(f"{path} lacks key {min(wanted - got)}")
    if got - wanted:
        raise ValueError(f"{path} has the unknown key {min(got - wanted)}")
    for name, tensor in trunk.state_dict().items():
        if tensor.shape != weights[names[name]].shape:
            shape = tuple(weights[names[name]].shape)
            raise ValueError(f"{path}: {names[name]} is {shape}, wanted {tuple(tensor.shape)}")
    trunk.load_state_dict({name: weights[key] for name, key in names.items()})


def import_lpips():
    """The package `lpips`, which needs torchvision for the layout of its backbones only."""
    mend_torchvision()
    import lpips
    return lpips
