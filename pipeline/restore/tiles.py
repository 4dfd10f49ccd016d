"""A model applied to an image of any size, in one pass or tile by tile: the engine of labels, scores, pictures and photos.

A model that is exact in tiles gives what one pass over the whole image gives: each tile is read with a margin of the receptive
radius, and windows begin where the model's strides do. Any other gets the whole image in one pass, up to ONE_PASS pixels. Tiles
of larger images differ a little from that (docs/restore.md), so each reaches `feather` pixels into the next and is faded into
it; what is kept for that is as wide as the image and as high as the feather.
"""
from collections.abc import Callable
from math import ceil

import numpy as np
import torch

from pipeline.restore.model import Model
from pipeline.restore.pixels import quantise, to_tensor
from pipeline.restore.trimmed import Region, all_of

TILE = 256  # input pixels on a side, margin not counted, where tiles are exact
ONE_PASS = 10**6  # pixels that a network is given at once, at most, where they are not: RCAN's 64 features take 1.4 GB then
FEATHER = 32  # input pixels over which such a tile fades into the next
SMALLEST = 16  # input pixels on a side of a tile


def restore(model: Model, image: np.ndarray, dtype: str = "uint8", tile: int | None = None) -> np.ndarray:
    """`image` (uint8, uint16 or float32 in [0, 1]; (height, width, 3) RGB or (height, width) grey) restored: `model.scale`
    times larger, of `dtype`; float32 is neither clipped nor rounded. Does not depend on the memory that is free."""
    height, width = image.shape[:2]
    output = np.empty((height * model.scale, width * model.scale, *image.shape[2:]), dtype)
    restore_into(output, model, image, tile)
    return output


def usual_tile(model: Model) -> int:
    """Pixels on a side of a tile without its margin, whatever the memory."""
    return aligned(TILE if model.exact else max(largest(model) ** 0.5 - FEATHER - 2 * model.margin, 2 * model.margin), model)


def largest(model: Model) -> int:
    """Pixels of the largest image that goes through in one pass where tiles are not exact: those behind a network that enlarges
    are given more than that."""
    return ONE_PASS // max(larger for _, larger in model.networks) ** 2


def aligned(tile: float, model: Model) -> int:
    """The tile as one that the model can take: a multiple of its own, and not below the smallest."""
    smallest = -(-SMALLEST // model.multiple) * model.multiple
    return max(int(tile) // model.multiple * model.multiple, smallest)


def restore_into(output: np.ndarray, model: Model, image: np.ndarray, tile: int | None = None,
                 advance: Callable[[int], None] = lambda pixels: None, halve: bool = False) -> int:
    """As `restore`, into an array. `advance` is called with the input pixels of each tile. With `halve`, when memory runs out,
    the row of tiles at hand is done again in tiles half as large, and `advance` called with minus what it had; the rows above
    are done already. Returns the tile it ended with.

    Raises MemoryError when with `halve` even the smallest tile is too large, and ValueError when a value is not finite.
    """
    height, width = image.shape[:2]
    if output.shape[:2] != (height * model.scale, width * model.scale):
        raise ValueError(f"output is {output.shape}, wanted {height * model.scale} x {width * model.scale} pixels")
    tile = usual_tile(model) if tile is None else aligned(tile, model)
    at_once = not model.exact and height * width <= largest(model) and tile >= usual_tile(model)
    size, top, band, row = max(height, width) if at_once else tile, 0, None, []

    def count(pixels: int) -> None:
        row.append(pixels)
        advance(pixels)

    while top < height:
        row.clear()
        try:
            top, band = _restore_row(output, model, image, size, top, band, count)
            continue
        except (RuntimeError, MemoryError) as error:
            if not halve or not is_out_of_memory(error):
                raise
        # outside of `except`, whose traceback holds the tensors
        advance(-sum(row))
        tile = aligned(size / 2, model)
        if tile >= size:
            raise MemoryError(f"out of memory even in tiles of {size} pixels with a margin of {model.margin}")
        size = tile
        if model.device.type == "cuda":
            torch.cuda.empty_cache()
    return tile


@torch.inference_mode()
def in_one_pass(model: Model, windows: list[np.ndarray], keep: Region | None = None) -> np.ndarray:
    """Windows of one size, as `restore` takes an image -> float32 RGB (windows, height, width, 3), not clipped. `keep`: as in
    `Model.forward`, by default all. Raises ValueError when a value is not finite."""
    x = [to_tensor(np.ascontiguousarray(window if window.ndim == 3 else np.repeat(window[..., None], 3, axis=2)))
         for window in windows]
    x = torch.cat(x).to(model.device)  # one window too: its strides are then those of a batch, and so is its rounding
    restored = model(x, keep or all_of(x)).permute(0, 2, 3, 1).cpu().numpy()
    if not np.isfinite(restored).all():
        raise ValueError("the network gave values that are not finite; nothing was written")
    return restored


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less work at once could have helped; CPU and MPS have no exception of their own for it."""
    text = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (isinstance(error, RuntimeError) and any(
        words in text for words in ("out of memory", "not enough memory", "can't allocate memory")))


def _restore_row(output, model, image, tile, top, band, advance) -> tuple[int, np.ndarray | None]:
    """One row of tiles from `top`; `band` is how the row above goes on below its end. Returns the row's bottom and its band."""
    height, width = image.shape[:2]
    feather = 0 if model.exact else aligned(min(FEATHER, tile // 4), model)
    bottom, below, rows = _cut(top, height, tile, feather, model)
    scale, left, side, next_band = model.scale, 0, None, None
    if below > bottom:
        next_band = np.empty(((below - bottom) * scale, width * scale, 3), np.float32)
    while left < width:
        right, beyond, columns = _cut(left, width, tile, feather, model)
        kept = slice(top - rows.start, below - rows.start), slice(left - columns.start, beyond - columns.start)
        window = in_one_pass(model, [image[rows, columns]], kept)[0]
        piece = window[(top - rows.start) * scale : (below - rows.start) * scale,
                       (left - columns.start) * scale : (beyond - columns.start) * scale]
        if side is not None:
            _fade(side, piece, axis=1)
        inner = (right - left) * scale
        side = piece[:, inner:].copy() if beyond > right else None
        piece, place = piece[:, :inner], slice(left * scale, right * scale)
        if band is not None:
            _fade(band[:, place], piece, axis=0)
        if next_band is not None:
            next_band[:, place] = piece[(bottom - top) * scale :]
        piece = piece[: (bottom - top) * scale]
        piece = piece if output.ndim == 3 else piece.mean(2)
        output[top * scale : bottom * scale, place] = piece if output.dtype == np.float32 else quantise(piece, output.dtype)
        advance((bottom - top) * (right - left))
        left = right
    return bottom, next_band


def _cut(start: int, size: int, tile: int, feather: int, model: Model) -> tuple[int, int, slice]:
    """Along one side, of the tile that begins at `start`: its end, its end with the feather, and the window to be read.

    Windows are of equal size, at the image's borders as well, and so are tiles but for those at the borders, which have the
    margin that is not needed there. Windows begin on the model's grid, and end as far from it as the image does: turned around,
    they begin on the turned image's grid.
    """
    multiple, margin = model.multiple, model.margin
    if size <= tile + 2 * margin:
        return size, size, slice(0, size)
    inner = size - 2 * margin
    tile = ceil(inner / ceil(inner / tile) / multiple) * multiple
    end = (start or margin) + tile
    if end + margin >= size:
        end = size
    length = min(tile + feather + 2 * margin + size % multiple, size)
    first = min(max(start - margin, 0), size - length)
    return end, min(end + feather, size), slice(first, first + length)


def _fade(old: np.ndarray, new: np.ndarray, axis: int) -> None:
    """`new` begins as `old` and becomes itself over the length of `old`."""
    old, new = np.moveaxis(old, axis, 0), np.moveaxis(new, axis, 0)  # views
    shared = min(len(old), len(new))
    weight = ((np.arange(shared, dtype=np.float32) + 0.5) / len(old)).reshape(-1, 1, 1)
    new[:shared] = (1 - weight) * old[:shared] + weight * new[:shared]
