"""A chain of networks applied to an image of any size, tile by tile, each quantised into the output as soon as it is done.

A tile-exact chain gives what one pass over the whole image gives: each tile is read with a margin of the receptive radius, and
windows begin where the chain's strides do. Any other chain's tiles differ a little, so each reaches `feather` pixels into the
next and is faded into it; what is kept for that is as wide as the image and as high as the feather.

Out of memory, the row of tiles at hand is done again in tiles half as large; the rows above it are done already.
"""
from collections.abc import Callable
from math import ceil

import numpy as np
import torch

from pipeline.restore.apply import quantise
from pipeline.restore.chain import Chain
from pipeline.restore.room import aligned, is_out_of_memory

FEATHER = 32  # input pixels over which a tile fades into the next, where tiles are not exact


def restore_into(output: np.ndarray, chain: Chain, image: np.ndarray, tile: int,
                 advance: Callable[[int], None] = lambda pixels: None) -> int:
    """Restore `image` (uint8 or uint16; (height, width, 3) RGB or (height, width) grey) into `output` (integers, `chain.scale`
    times the size; grey takes the mean of the colours). `advance` is called with the input pixels of each tile, or, when tiles
    are to be done again, with minus what they had. Returns the tile it ended with: smaller than `tile` after an out-of-memory.

    Raises MemoryError when the smallest tile is too large.
    """
    height, width = image.shape[:2]
    if output.shape[:2] != (height * chain.scale, width * chain.scale):
        raise ValueError(f"output is {output.shape}, wanted {height * chain.scale} x {width * chain.scale} pixels")
    tile, top, band, row = aligned(tile, chain), 0, None, []

    def count(pixels: int) -> None:
        row.append(pixels)
        advance(pixels)

    while top < height:
        row.clear()
        try:
            top, band = _restore_row(output, chain, image, tile, top, band, count)
            continue
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # outside of `except`, whose traceback holds the tensors
        advance(-sum(row))
        tile = _smaller(tile, chain)
        if chain.device.type == "cuda":
            torch.cuda.empty_cache()
    return tile


def _smaller(tile: int, chain: Chain) -> int:
    half = aligned(tile / 2, chain)
    if half == tile:
        raise MemoryError(f"out of memory even in tiles of {tile} pixels with a margin of {chain.margin}")
    return half


def _restore_row(output, chain, image, tile, top, band, advance) -> tuple[int, np.ndarray | None]:
    """One row of tiles from `top`; `band` is how the row above goes on below its end. Returns the row's bottom and its band."""
    height, width = image.shape[:2]
    feather = 0 if not chain.global_layers else aligned(min(FEATHER, tile // 4), chain)
    bottom, below, rows = _cut(top, height, tile, feather, chain)
    scale, left, side, next_band = chain.scale, 0, None, None
    if below > bottom:
        next_band = np.empty(((below - bottom) * scale, width * scale, 3), np.float32)
    while left < width:
        right, beyond, columns = _cut(left, width, tile, feather, chain)
        kept = slice(top - rows.start, below - rows.start), slice(left - columns.start, beyond - columns.start)
        window = chain(image[rows, columns], kept)
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
        output[top * scale : bottom * scale, place] = quantise(piece if output.ndim == 3 else piece.mean(2), output.dtype)
        advance((bottom - top) * (right - left))
        left = right
    return bottom, next_band


def _cut(start: int, size: int, tile: int, feather: int, chain: Chain) -> tuple[int, int, slice]:
    """Along one side, of the tile that begins at `start`: its end, its end with the feather, and the window to be read.

    Windows are of equal size, at the image's borders as well, and so are tiles but for those at the borders, which have the
    margin that is not needed there. Windows begin on the chain's grid, and end as far from it as the image does: turned around,
    they begin on the turned image's grid.
    """
    multiple, margin = chain.multiple, chain.margin
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
    length = old.shape[axis]
    ramp = ((np.arange(length, dtype=np.float32) + 0.5) / length).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    shared = min(length, new.shape[axis])
    part = (slice(shared),) if axis == 0 else (slice(None), slice(shared))
    weight = ramp[part]
    new[part] = (1 - weight) * old[part] + weight * new[part]
