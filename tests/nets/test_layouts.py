"""Other projects' weights: read into our networks, computing what theirs compute, and named as theirs again."""
import foreign
import pytest
import torch
from foreign import EDSR, FOUND, THEIRS, weights_of
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.nets.layouts.convert import converted_network, exported
from pipeline.nets.layouts.files import read_weights, write_weights
from pipeline.nets.layouts.names import recognise


@pytest.mark.parametrize("which", THEIRS)
def test_an_imported_network_computes_what_the_original_does(which):
    theirs, found = THEIRS[which]
    state = weights_of(theirs)
    assert recognise(state) == found
    x = torch.rand(2, 3, 11, 9)
    ours = converted_network(state, *found)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs.forward(state, x), atol=1e-5, rtol=0)
        assert (ours(x) - F.interpolate(x, scale_factor=ours.scale)).abs().mean() > 1e-3  # the weights do something


@pytest.mark.parametrize("which", THEIRS)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_exported_and_imported_again_the_weights_are_the_same(which, ending, tmp_path):
    theirs, (project, arch, options) = THEIRS[which]
    state = weights_of(theirs)
    ours = converted_network(state, project, arch, options)
    write_weights(tmp_path / f"w{ending}", exported(ours, project, arch, options), "params" if project == "basicsr" else None)
    back = read_weights(tmp_path / f"w{ending}")
    assert set(back) == set(state)
    assert "0..1" in which or all(torch.equal(back[key], value) for key, value in state.items())
    again = converted_network(back, *recognise(back)).state_dict()
    assert all(torch.equal(again[key], value) for key, value in ours.state_dict().items())


def test_the_residual_scale_is_the_authors_or_as_the_entry_says():
    state = weights_of(foreign.EDSRPyTorch(2, 1, 256))
    project, arch, options = recognise(state)
    assert options["res_scale"] == 0.1
    x = torch.rand(1, 3, 5, 6)
    with torch.no_grad():
        for res_scale in (0.1, 0.5):
            ours = converted_network(state, project, arch, options | {"res_scale": res_scale})
            wanted = foreign.EDSRPyTorch(2, 1, 256).forward(state, x, res_scale)
            torch.testing.assert_close(ours(x), wanted, atol=1e-5, rtol=0)


def test_edsr_goes_from_one_project_to_another():
    ours = converted_network(weights_of(EDSR), *FOUND)
    weights = exported(ours, "basicsr", "edsr", FOUND[2])
    x = torch.rand(1, 3, 7, 5)
    with torch.no_grad():
        torch.testing.assert_close(foreign.BasicSREDSR(4, 2, 6).forward(weights, x), ours(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("spoil, message", [
    (lambda w: w.pop("body.0.body.2.weight"), r"key body.0.body.2.weight is missing \(1 of 22 are\): not edsr-pytorch's edsr"),
    (lambda w: w.pop("tail.1.bias"), "key tail.1.bias is missing"),
    (lambda w: w.update({"tail.2.weight": torch.zeros(3)}), r"key tail.2.weight has no place \(1 of 23 have none\)"),
    (lambda w: w.update({"body.7.body.0.weight": torch.zeros(6, 6, 3, 3)}), "key body.2.body.0.weight is missing"),
    (lambda w: w.update({"head.0.weight": torch.zeros(6, 1, 3, 3)}),
     r"key head.0.weight has the shape \[6, 1, 3, 3\], wanted \[6, 3, 3, 3\]"),
    (lambda w: w.update({"head.0.weight": torch.zeros(6)}), r"key head.0.weight has the shape \[6\], wanted a convolution's"),
    (lambda w: w.update({"head.0.bias": torch.zeros(6, dtype=torch.int8)}), "key head.0.bias is of torch.int8, wanted torch.f"),
    (lambda w: w.update({"tail.0.4.weight": torch.zeros(24, 6, 3, 3)}), "edsr: scale is 8, allowed are 1, 2, 3, 4"),
    (lambda w: w.update({"sub_mean.bias": torch.zeros(3)}), "key sub_mean.bias is .0.0, 0.0, 0.0.: no mean colour"),
])
def test_wrong_keys_are_named(spoil, message):
    state = weights_of(EDSR)
    spoil(state)
    with pytest.raises(ValueError, match=message):
        converted_network(state, *recognise(state))


@pytest.mark.parametrize("arch, options, to, message", [
    ("srresnet", {"scale": 2, "blocks": 1, "features": 4}, "basicsr", "none for arch srresnet; for that there is none"),
    ("dncnn", {"layers": 3, "features": 4}, "rcan", "layout 'rcan': none for arch dncnn; for that there is kair"),
    ("edsr", {"scale": 1, "blocks": 1, "features": 4, "unshuffle": 2}, "basicsr", "unshuffle is 2: basicsr's edsr has no such"),
])
def test_what_a_layout_cannot_say_is_not_exported(arch, options, to, message):
    with pytest.raises(ValueError, match=message):
        exported(build(arch, options), to, arch, options)


def test_another_mean_has_no_place_in_basicsr():
    state = weights_of(THEIRS["edsr x1, 0..1"][0])
    _, arch, options = recognise(state)
    with pytest.raises(ValueError, match="sub_mean.weight is not that of DIV2K's mean"):
        exported(converted_network(state, "edsr-pytorch", arch, options), "basicsr", arch, options)
