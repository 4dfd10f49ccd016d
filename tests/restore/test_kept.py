"""A restorer at several strengths, of which the networks run once: with the bytes of one that was made for each strength."""
import numpy as np
import pytest
import torch
from conftest import smooth_image
from test_restore import RGB, project  # noqa: F401 (project is a fixture)

from pipeline.nets.build import build
from pipeline.restore.network import save_network
from pipeline.restore.restorer import Restorer

NETWORKS = {"same": ("edsr", {"scale": 1, "blocks": 1, "features": 12, "unshuffle": 2}),
            "rcan": ("rcan", {"scale": 2, "groups": 1, "blocks": 1, "features": 8, "reduction": 4})}
STRENGTHS = (0.6, 1, 0, 1.5)


@pytest.fixture(autouse=True)
def more_networks(project):  # noqa: F811
    for name, (arch, options) in NETWORKS.items():
        torch.manual_seed(7)
        save_network(project / "models" / name, build(arch, options), arch, options, {})


def bytes_of(restorer: Restorer) -> bytes:
    restorer.file("photos/a.png", "out.png")
    with open("out.png", "rb") as handle:
        return handle.read()


@pytest.mark.parametrize("names, ensemble, keep, runs", [
    (("one",), False, 2**20, 1), (("same",), False, 2**20, 1), (("rcan",), False, 2**20, 1), (("same", "rcan"), True, 2**20, 1),
    (("one",), False, 100, len(STRENGTHS))])  # the last has no room to keep anything
def test_a_strength_gives_the_same_bytes_and_the_networks_run_once(names, ensemble, keep, runs):
    called, counts = [], []
    restorer = Restorer(*names, keep=keep, tile=32, ensemble=ensemble, strength=1.2)
    restorer.whole.parts[0].register_forward_hook(lambda *_: called.append(1))
    for strength in STRENGTHS:
        assert bytes_of(restorer.at(strength)) == bytes_of(
            Restorer(*names, tile=32, ensemble=ensemble, strength=strength))
        counts.append(len(called))
    assert counts[-1] == runs * counts[0] > 0
    assert restorer.mixed == {"strength": 1.2}  # it is left as it was


def test_what_was_answered_last_is_kept():
    restorer = Restorer("one", keep=2 * RGB.size * 4 * 4 + 100)  # two photos as floats, twice as large on each side
    called, images = [], [smooth_image(np.random.default_rng(seed), *RGB.shape[:2]) for seed in range(3)]
    restorer.whole.parts[0].register_forward_hook(lambda *_: called.append(1))
    for index, count in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4)):
        restorer(images[index])
        assert len(called) == count
    assert restorer.whole.size == 2 * RGB.size * 4 * 4


def test_a_strength_that_is_not_allowed_is_refused():
    with pytest.raises(ValueError, match="1.6"):
        Restorer("one").at(1.6)
