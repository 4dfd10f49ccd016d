"""ZSSR as what restores photos: no network is stored, each photo's own is learnt from it (restore/zssr.py), as the stage does
for test images. Nothing goes in tiles: the photo and what is made of it are held whole.
"""
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pipeline.core.files import read_json, sha256, sha256_of
from pipeline.core.params import PARAMS_FILE, Params, load
from pipeline.core.seeds import derive
from pipeline.nets import zssr as nets
from pipeline.restore import zssr
from pipeline.restore.memory import FLOAT_RGB, free_memory
from pipeline.restore.named import is_file
from pipeline.restore.pixels import quantise

ANSWERS = 8  # of the ensemble
FRAMES = 12  # of the enlarged size, as floats, besides: what an answer takes while it is made, measured, and what libraries do


def learnt_by(names: tuple[str, ...], models: Path | str = "models") -> tuple[Params, str] | None:
    """The params and the key of their `zssr` that is named, itself or by a row; None for networks that are stored. Raises
    ValueError for one in a chain, or without its entry in params.yaml."""
    for name in names:
        manifest = Path(models, name, "manifest.json")
        made = manifest.is_file() and read_json(manifest).get("arch") == "zssr"  # by the stage, for the test images
        if is_file(name) or manifest.is_file() and not made:
            continue
        params = load() if PARAMS_FILE.is_file() else None
        key = params.rows[name].network if params and name in params.rows else name
        if params and key in params.zssr:
            if len(names) > 1:
                raise ValueError(f"{name}: learns a network from each photo and stands alone, got {' and '.join(names)}")
            return params, key
        if made:
            raise ValueError(f"{name}: learns a network from each photo by zssr.{name}, which {PARAMS_FILE} does not have")
    return None


class Learnt:
    """Enlarges `scale` times. `hash`: of what a result depends on, but for the photo."""

    def __init__(self, params: Params, key: str, device: torch.device):
        self.settings, self.device, self.seed = params.zssr[key], device, derive(params.seed, f"{key}/restore")
        self.scale = self.settings.scale
        code = [sha256(module.__file__) for module in (zssr, nets)]
        self.hash = sha256_of([self.settings.model_dump(), params.seed, params.threads, device.type, code])

    def restore_into(self, output: np.ndarray, image: np.ndarray, advance: Callable[[float], None]) -> None:
        """As `tiles.restore_into`, whole. `advance` is called with each step's share of the input pixels; where the learning
        ends early they do not add up to all. Raises MemoryError before the work begins when the enlarged frames would not
        fit."""
        settings, (height, width) = self.settings, image.shape[:2]
        answers = ANSWERS if settings.ensemble else 1
        need, free = (answers + FRAMES) * FLOAT_RGB * output.shape[0] * output.shape[1], free_memory(torch.device("cpu"))
        if need > free:
            raise MemoryError(f"learnt from the whole photo: {width}x{height} enlarged {self.scale} times needs "
                              f"{need / 1e9:.1f} GB, {free / 1e9:.1f} are free")
        share = height * width / (settings.gradual * (settings.max_steps + answers))
        colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        restored, _ = zssr.restore_by_learning(colour, self.scale, settings, self.seed, self.device, lambda: advance(share))
        if not np.isfinite(restored).all():
            raise ValueError("the network gave values that are not finite; nothing was written")
        output[:] = quantise(restored if image.ndim == 3 else restored.mean(2), output.dtype)
