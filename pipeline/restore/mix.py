"""How much of a restoration a photo gets: its strength, a blend of two rows, a mask of the places that stay as they were.

The photo itself is what strength 0 gives. Where the networks enlarge, its bicubic enlargement takes its place.
"""
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.restore.model import Model, mean_of
from pipeline.restore.photo import read_photo
from pipeline.restore.pixels import quantise, to_tensor

STRONGEST = 1.5  # more than 1 goes beyond the restoration, in the direction from the photo to it
REACH = 3  # input pixels that the bicubic kernel sees on each side
BAND = 64  # rows of the photo that are mixed at a time


class AtStrength(Model):
    """Another model's answer at a strength: photo + strength * (answer - photo)."""

    def __init__(self, model: Model, strength: float):
        if not 0 <= strength <= STRONGEST:
            raise ValueError(f"strength: got {strength:g}, allowed is 0 to {STRONGEST:g}")
        super().__init__([model], model.scale, model.multiple, max(model.radius, REACH), model.networks)
        self.strength = strength

    def forward(self, x, keep=None):
        (model,), photo = self.parts, enlarged(x, self.scale)
        return photo + self.strength * (model(x, keep) - photo)


def blend_of(model: Model, other: Model, share: float) -> Model:
    """(1 - share) of a model's answer and `share` of another's. Raises ValueError when they enlarge differently."""
    if not 0 <= share <= 1:
        raise ValueError(f"blend: got a share of {share:g}, allowed is 0 to 1")
    return mean_of([model, other], [1 - share, share])


def enlarged(x: torch.Tensor, scale: int) -> torch.Tensor:
    """NCHW -> `scale` times larger by bicubic as MATLAB's imresize: Keys' kernel, a = -0.5, borders mirrored; not clipped."""
    if scale == 1:
        return x
    rows, columns = (_mirrored(size, x.device) for size in x.shape[2:])
    x = x[:, :, rows][..., columns]
    larger = F.interpolate(x, scale_factor=scale, mode="bicubic", antialias=True)  # without antialias, a would be -0.75
    return larger[:, :, REACH * scale : -REACH * scale, REACH * scale : -REACH * scale]


def _mirrored(size: int, device: torch.device) -> torch.Tensor:
    """The places of REACH mirrored pixels, all pixels of a side, and REACH mirrored ones."""
    place = torch.arange(-REACH, size + REACH, device=device) % (2 * size)
    return torch.minimum(place, 2 * size - 1 - place)


def read_mask(path: Path | str, max_megapixels: float) -> np.ndarray:
    """A picture -> float32 (height, width): 0 where it is black, 1 where it is white. Raises BadImage as `read_photo` does."""
    values = read_photo(path, max_megapixels).colour
    values = values / np.float32(np.iinfo(values.dtype).max)
    return values if values.ndim == 2 else values.mean(2)


def check_mask(mask: np.ndarray, photo: np.ndarray) -> None:
    """Raise ValueError unless the mask has the photo's size."""
    if mask.shape != photo.shape[:2]:
        (height, width), (rows, columns) = photo.shape[:2], mask.shape
        raise ValueError(f"the mask has {columns}x{rows} pixels, the photo {width}x{height}; wanted the same size")


def keep_black(restored: np.ndarray, photo: np.ndarray, mask: np.ndarray) -> None:
    """Change `restored` in place: the photo where the mask is 0, the restoration where it is 1, a mixture between.

    Both are uint8 or uint16, (height, width, 3) RGB or (height, width) grey, the restoration a whole number of times larger.
    The mask has the photo's size.
    """
    scale, height = restored.shape[0] // photo.shape[0], photo.shape[0]
    for top in range(0, height, BAND):
        bottom, first = min(top + BAND, height), max(top - REACH, 0)
        base = enlarged(to_tensor(np.atleast_3d(photo[first : bottom + REACH])), scale)[0].permute(1, 2, 0).numpy()
        base = base[(top - first) * scale : (bottom - first) * scale].reshape(-1, *restored.shape[1:])
        share = mask[top:bottom].repeat(scale, axis=0).repeat(scale, axis=1).reshape(*base.shape[:2], *[1] * (base.ndim - 2))
        part = restored[top * scale : bottom * scale]
        mixed = quantise(base + share * (part / np.float32(np.iinfo(part.dtype).max) - base), part.dtype)
        np.copyto(part, mixed, where=share < 1)  # where nothing is kept, not even rounding changes a value
