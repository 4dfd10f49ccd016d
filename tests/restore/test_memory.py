"""How much memory tiles take, and how large they are for it."""
import tracemalloc

import numpy as np
from test_tiles import Stub
from torch import nn

from pipeline.nets.build import build
from pipeline.restore.memory import BUDGET, bytes_per_pixel, tile_for
from pipeline.restore.model import model_of
from pipeline.restore.tiles import (
    SMALLEST,
    restore_into,
    usual_tile,
)


def test_memory_does_not_grow_with_the_photo():
    """Numpy's, which tracemalloc knows: beside the output there are the tiles at hand. Torch's is bounded by the windows."""
    stub = Stub()
    image = np.zeros((2000, 1500, 3), np.uint8)
    output = np.empty_like(image)
    tracemalloc.start()
    restore_into(output, model_of(stub), image, 128)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(height * width for height, width in stub.seen) <= (128 + 6) ** 2
    assert peak < 8 * 134 * 134 * 3 * 4 < image.nbytes


def test_memory_is_counted_by_what_lives_at_once():
    """Most lives when the second convolution has its input and its output beside the image: 3 + 8 + 16 floats a pixel; and
    the window is copied twice, its output four times."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 3, 1))
    network.scale, network.radius = 1, 1
    assert bytes_per_pixel(model_of(network)) == 4 * (3 + 8 + 16 + 2 * 3 + 4 * 3)
    enlarging = build("edsr", {"scale": 4, "blocks": 1, "features": 8})
    assert bytes_per_pixel(model_of(enlarging, network)) == max(
        bytes_per_pixel(model_of(enlarging)), 4 * (16 * (3 + 8 + 16) + 2 * 3 + 16 * 4 * 3))


def test_the_tail_takes_no_memory_to_speak_of():
    """Most lives in a block: the window, the head's features, the block's input, and those of its two convolutions."""
    for scale in (1, 2):
        assert bytes_per_pixel(model_of(build("edsr", {"scale": scale, "blocks": 2, "features": 64}))) == (
            4 * (3 + 4 * 64 + 2 * 3 + scale**2 * 4 * 3))


def test_the_tile_goes_by_the_memory_that_is_free():
    model = model_of(build("edsr", {"scale": 1, "blocks": 2, "features": 32, "unshuffle": 2}))
    need = bytes_per_pixel(model)
    tiles = [tile_for(model, free) for free in (10**5, 10**8, 10**12)]
    assert tiles[0] == SMALLEST and tiles == sorted(tiles) and all(tile % 2 == 0 for tile in tiles)
    assert 0.9 * 5e7 < (tiles[1] + 2 * model.margin) ** 2 * need <= 5e7
    assert (tiles[2] + 2 * model.margin) ** 2 * need <= BUDGET["cpu"]
    wide = model_of(build("edsr", {"scale": 1, "blocks": 32, "features": 64}))
    assert wide.margin == 67 and tile_for(wide, 10**12) >= 2 * wide.margin
    rcan = model_of(build("rcan", {"scale": 1, "groups": 2, "blocks": 20, "features": 32}))
    assert rcan.radius > rcan.margin == 64
    assert tile_for(rcan, 10**12) == usual_tile(rcan) and SMALLEST < tile_for(rcan, 10**9) < usual_tile(rcan)
