"""Small photos, which go through a network together."""
# ruff: noqa: F811
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from conftest import smooth_image
from PIL import Image
from test_restore import project, read, run, wanted  # noqa: F401

from pipeline.images.decode import ORIENTATION
from pipeline.images.encode import write_png
from pipeline.restore import restorer as module
from pipeline.restore import tiles as tiles_module
from pipeline.restore.restorer import Restorer


def small_photos(folder: Path) -> dict[str, np.ndarray]:
    """Of one size but for one, some in other ways; what of each the network is to see, by name."""
    rng, exif = np.random.default_rng(4), Image.Exif()
    images = {f"{i}.png": smooth_image(rng, 24, 31) for i in range(6)} | {"wide.png": smooth_image(rng, 24, 40)}
    for name, image in images.items():
        write_png(folder / name, image)
    exif[ORIENTATION] = 6
    Image.fromarray(images["0.png"]).save(folder / "turned.png", exif=exif)
    Image.fromarray(images["1.png"][..., 0]).save(folder / "grey.png")
    cv2.imwrite(str(folder / "deep.png"), images["2.png"][..., ::-1].astype(np.uint16) * 257)
    return images | {"turned.png": np.rot90(images["0.png"], -1), "grey.png": images["1.png"][..., :1].repeat(3, 2),
                     "deep.png": images["2.png"].astype(np.uint16) * 257}


def test_small_photos_of_one_size_go_through_together_and_come_out_as_alone(project, monkeypatch):
    Path("photos/a.png").unlink()
    images, passes, real = small_photos(Path("photos")), [], module.in_one_pass

    def counted(model, windows, keep=None):
        passes.append(len(windows))
        return real(model, windows, keep)

    for place in (module, tiles_module):
        monkeypatch.setattr(place, "in_one_pass", counted)
    monkeypatch.setattr(module, "AT_ONCE", {"cpu": 5 * 24 * 31})
    assert run("photos", "-o", "out").exit_code == 0 and sorted(passes) == [1, 1, 3, 5]  # of the second four, one is turned
    monkeypatch.setattr(module, "AT_ONCE", {"cpu": 1})
    assert run("photos", "-o", "alone").exit_code == 0 and set(passes[4:]) == {1}
    for name, image in images.items():
        together, alone = read(f"out/{name}").astype(int), read(f"alone/{name}").astype(int)
        assert np.abs(together - alone).max() <= (257 if image.dtype == np.uint16 else 1)
        if alone.ndim == 3:
            assert (alone == wanted(np.ascontiguousarray(image), str(image.dtype))).all()


def test_what_fails_together_is_tried_alone(project, monkeypatch):
    images, real = small_photos(Path("photos")), module.in_one_pass
    Path("photos/3.png").write_bytes(Path("photos/3.png").read_bytes()[:-30])

    def narrow(model, windows, keep=None):
        if len(windows) > 1:
            raise RuntimeError("CUDA out of memory")
        return real(model, windows, keep)

    for place in (module, tiles_module):
        monkeypatch.setattr(place, "in_one_pass", narrow)
    result = run("photos", "-o", "out")
    assert result.exit_code == 1 and "1 of 11 photos could not be restored; 10 restored" in result.output
    assert "error: photos/3.png: " in result.output and (read("out/4.png") == wanted(images["4.png"])).all()


def test_small_means_small_beside_a_tile_and_where_it_gains():
    restorer = Restorer.__new__(Restorer)
    restorer.tile, restorer.model = 100, SimpleNamespace(device=torch.device("cpu"))
    assert [restorer.at_once(side, side) for side in (0, 10, 50, 99, 101)] == [1, 100, 4, 1, 1]
    restorer.tile = 1000
    assert [restorer.at_once(side, side) for side in (64, 128, 256)] == [4, 1, 1]
    restorer.model = SimpleNamespace(device=torch.device("cuda"))
    assert [restorer.at_once(side, side) for side in (64, 256, 999, 1001)] == [244, 15, 1, 1]
