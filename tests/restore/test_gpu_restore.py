"""Photos and scores on a GPU beside the CPU."""
import copy
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from conftest import smooth_image
from devices import NETS, write_trunk
from networks import in_one_pass, seasoned

from pipeline.nets.build import build
from pipeline.restore.memory import free_memory, tile_for
from pipeline.restore.model import Turned, model_of
from pipeline.restore.tiles import restore, restore_into
from pipeline.score.lpips import Lpips

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("arch", ["edsr", "srresnet", "dmnet", "nafnet"])
def test_a_photo_in_tiles_is_that_of_the_cpu_in_one_pass(gpu, record_property, arch):
    image = smooth_image(np.random.default_rng(0), 157, 143)
    network = seasoned(arch, NETS[arch])
    wanted, model = in_one_pass([network], image), model_of(copy.deepcopy(network).to(gpu))
    found = restore(model, image, "float32", tile=32 if model.exact else None)
    record_property("difference", most := float(np.abs(found - wanted).max()))
    assert most < 5e-5 * max(1, np.abs(wanted).max())
    assert 0 < tile_for(model) and free_memory(gpu) > 2**20


def test_the_eight_turns_are_those_of_the_cpu(gpu):
    image = smooth_image(np.random.default_rng(0), 33, 29)
    network = seasoned("edsr", NETS["edsr"])
    wanted = restore(Turned(model_of(copy.deepcopy(network))), image, "float32")
    np.testing.assert_allclose(restore(Turned(model_of(network.to(gpu))), image, "float32"), wanted, atol=5e-5)


def test_where_memory_runs_out_tiles_become_smaller(gpu):
    if gpu.type != "cuda":
        pytest.skip("main memory cannot be made scarce")
    image = smooth_image(np.random.default_rng(0), 1100, 1100)
    network = build("edsr", {"scale": 1, "blocks": 2, "features": 64}).eval()
    wanted = restore(model_of(copy.deepcopy(network)), image)
    output, model = np.empty_like(wanted), model_of(network.to(gpu))
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(300e6 / torch.cuda.mem_get_info()[1])
    try:
        used = restore_into(output, model, image, 1024, halve=True)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert used < 1024 and np.abs(output.astype(int) - wanted).max() <= 1


@pytest.mark.skipif(find_spec("lpips") is None, reason="the package lpips is missing")
def test_lpips_is_that_of_the_cpu(gpu, tmp_path, record_property):
    write_trunk(tmp_path)
    draw = np.random.default_rng(0)
    pair = [smooth_image(draw, 64, 83) for _ in range(2)]
    wanted, found = (Lpips(tmp_path, "squeeze", device)(*pair) for device in ("cpu", gpu))
    record_property("difference", abs(found / wanted - 1))
    assert wanted > 0.01 and found == pytest.approx(wanted, rel=1e-4)
