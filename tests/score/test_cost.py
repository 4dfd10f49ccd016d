from functools import cache

import pytest
import torch
import yaml
from conftest import ROOT, with_presets
from torch.utils.flop_counter import FlopCounterMode

from pipeline.compare.scores import Scores
from pipeline.core.graph import Graph, graph
from pipeline.core.params import Params, parse
from pipeline.core.settings import Stage2Settings
from pipeline.nets.build import build
from pipeline.report.costs import costs, section
from pipeline.score.cost import training_flop
from pipeline.train.adversary import DISCRIMINATORS


@cache
def params_with(*presets: str) -> Params:
    return parse(yaml.safe_load(with_presets(*presets)))


@cache
def flop(arch: str, options: str) -> int:
    return training_flop(arch, yaml.safe_load(options))


def flop_of(network) -> int:
    """Those of an entry; how its weights begin costs nothing."""
    return flop(network.arch, yaml.safe_dump({key: value for key, value in network.options.items() if key != "start"}))


def architecture(params: Params, network: str):
    while network in params.finetunes:
        network = params.finetunes[network].start
    return params.rbsr.get(network) or params.networks[network]


def cost_of(lineage: Graph, chain: list[str]):
    networks = {each: architecture(lineage.params, each) for name in chain for each in lineage.members(name)}
    return costs(lineage, chain, {name: flop_of(each) for name, each in networks.items()})


@cache
def weights(arch: str, options: str) -> int:
    with torch.device("meta"):
        network = build(arch, yaml.safe_load(options))
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def test_flop_are_those_of_the_convolutions():
    f, image = 8, 3
    three = 9 * 2  # per pair of channels and pixel of the output: a multiplication and an addition at 9 places
    mean_shift = 2 * 9  # forward, 3 channels to 3
    head, inner = three * image * f, three * f * f
    at_twice_the_side = 4 * three * f * image
    forward = mean_shift + head + 3 * inner + 4 * inner + at_twice_the_side + 4 * mean_shift
    # backward: once for the weights, once for what came in; not so for the head's input and the frozen colours' weights
    backward = head + 2 * (3 * inner + 4 * inner + at_twice_the_side) + 4 * mean_shift
    assert training_flop("edsr", {"scale": 2, "blocks": 1, "features": f}) == forward + backward


@pytest.mark.parametrize("arch, options", [
    ("rcan", {"scale": 1, "groups": 1, "blocks": 1, "features": 16}), ("dmnet", {"blocks": 1, "features": 4, "layers": 2}),
    ("srresnet", {"scale": 4, "blocks": 1, "features": 4}), ("dncnn", {}), ("rednet", {"layers": 4}),
    ("msrresnet", {"scale": 2, "blocks": 1, "features": 4}), ("resnet", {"blocks": 1, "features": 4}), ("zssr", {}),
    ("compact", {"scale": 2}), ("nafnet", {"features": 4}), ("esdnet", {"features": 4})])
def test_every_architecture_can_be_counted(arch, options):
    assert training_flop(arch, options) > 0


def test_what_a_network_pads_a_patch_with_is_not_counted():
    """ESDNet rounds sides up to multiples of 32, so that 48 pixels would count as 64."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build("esdnet", {"features": 8}).eval()(torch.empty(1, 3, 320, 320)).sum().backward()
    assert training_flop("esdnet", {"features": 8}) == pytest.approx(counter.get_total_flops() / 320**2, rel=0.01)


def test_what_a_chain_was_given_is_counted_apart():
    p = params_with("p2")
    lineage = graph(p)
    assert list(lineage.trainings("blindsr-x2-specialised")) == ["blindsr-x2-specialised", "blindsr-x2"]
    assert list(lineage.trainings("sr-edsr-round2")) == ["sr-edsr-round2", "sr-edsr-stage2", "sr-edsr"]
    assert list(graph(params_with("all")).trainings("sr-srresnet-adabn")) == ["sr-srresnet"]
    assert lineage.trainings("sr-edsr-oracle")["sr-edsr-oracle"] == p.supervised_of("sr-edsr-oracle")
    steps = {name: p.stage1_of(name).steps for name in p.networks} | {name: p.finetune_of(name).steps for name in p.finetunes}
    for chain, own, given in (
            (["blindsr-map", "blindsr-x4"], ["blindsr-map"], ["blindsr-x4"]),
            (["blindsr-map", "blindsr-x2", "blindsr-x2"], ["blindsr-map"], ["blindsr-x2"]),
            (["blindsr-map2", "blindsr-x2-specialised"], ["blindsr-map2", "blindsr-x2-specialised"], ["blindsr-x2"]),
            (["blindsr-x2", "blindsr-x2"], ["blindsr-x2"], []),
            (["blindsr-x2", "blindsr-x2x2-specialised"], ["blindsr-x2", "blindsr-x2x2-specialised"], []),
            (["blindsr-direct-edsr"], ["blindsr-direct-edsr"], [])):
        cost, everything = cost_of(lineage, chain)
        assert cost.steps == sum(steps[name] for name in own), chain
        assert everything.steps == cost.steps + sum(steps[name] for name in given), chain
        assert (everything.flop > cost.flop) == bool(given)


def test_all_members_of_an_ensemble_are_counted_and_those_behind_another_network_as_given():
    values = yaml.safe_load(with_presets("p2"))
    values["ensembles"] |= {"two": {"first": "blindsr-direct-edsr", "second": "blindsr-x4"},
                            "three": {"first": "two", "second": "mapped"},
                            "other": {"first": "blindsr-direct-edsr", "second": "mapped"}}
    values["chains"] |= {"mapped": {"first": "blindsr-map", "then": "blindsr-x4"}}
    p = parse(values)
    lineage = graph(p)
    steps = {name: p.stage1_of(name).steps for name in p.networks}
    for chain, own, given in (
            (["two"], ["blindsr-direct-edsr", "blindsr-x4"], []),
            (["blindsr-map", "two"], ["blindsr-map"], ["blindsr-direct-edsr", "blindsr-x4"]),
            (["other"], ["blindsr-direct-edsr", "blindsr-map"], ["blindsr-x4"]),
            (["three"], ["blindsr-direct-edsr", "blindsr-x4", "blindsr-map"], [])):
        cost, everything = cost_of(lineage, chain)
        assert (cost.steps, everything.steps) == (sum(map(steps.get, own)), sum(map(steps.get, own + given))), chain
        assert (everything.flop > cost.flop) == bool(given)


def test_references_are_counted():
    p = params_with("p2")
    settings = p.rbsr["blindsr-rbsr"].settings
    cost, everything = costs(graph(p), ["blindsr-rbsr", "blindsr-x4"], {"blindsr-rbsr": 10, "blindsr-x4": 7})
    assert cost.steps == settings.steps and cost.flop == settings.steps * settings.batch * settings.patch**2 * 10
    assert everything.steps == settings.steps + p.stage1_of("blindsr-x4").steps
    p = params_with("all")
    settings = p.cyclegans["demoire-cyclegan"].settings
    cost, everything = costs(graph(p), ["demoire-cyclegan"], {"demoire-cyclegan": 10})
    # of either generator: what it makes, that made back, and the identity
    assert cost == everything and cost.flop == settings.steps * settings.batch * settings.patch**2 * 6 * 10


def test_the_section_has_a_line_per_row_with_networks():
    chain = ["blindsr-map", "blindsr-x4"]
    scores = Scores(rows={"input": {}}, parameters={"input": 0, "blindsr-map-x4": 1234567},
                    networks={"blindsr-map-x4": chain}, flop=dict.fromkeys(chain, 10**6))
    p = params_with("p2")
    text = "\n".join(section(graph(p), {"blindsr": scores}))
    x4 = p.stage1_of("blindsr-x4")
    each = f"{x4.steps * x4.batch * x4.patch**2 / 1e6:,.1f}"
    line = next(line for line in text.splitlines() if line.startswith("| blindsr-map-x4"))
    assert [cell.strip() for cell in line.strip("|").split("|")][1:] == [
        "blindsr-map → blindsr-x4", "1,234,567", "500", each, "1,000", f"{2 * float(each):,.1f}"]
    assert "off-the-shelf" in text and section(graph(p), {"sr": Scores()}) == []


@pytest.mark.parametrize("presets", [("p2",), ("p2", "p2-paper")])
def test_the_direct_control_has_the_weights_and_the_training_of_the_largest_chain(presets):
    p = params_with(*presets)
    lineage = graph(p)
    chains = {row.key: [*row.chain] for row in lineage.rows("blindsr") if row.tests == "blindsr" and row.chain}
    assert max(map(len, chains.values())) == 3
    control = chains.pop("blindsr-direct-matched")
    spent = {key: cost_of(lineage, chain)[1].flop for key, chain in chains.items()}
    size = {key: sum(weights(each.arch, yaml.safe_dump(each.options))
                     for each in (architecture(p, name) for name in dict.fromkeys(chain))) for key, chain in chains.items()}
    each = architecture(p, control[0])
    assert 1 <= weights(each.arch, yaml.safe_dump(each.options)) / max(size.values()) < 1.03, size
    assert 1 <= cost_of(lineage, control)[1].flop / max(spent.values()) < 1.03, spent


@cache
def discriminating(kind: str, features: int) -> float:
    """FLOP per pixel of a clean image in a step: forward and backward of real and fake, and both through the fake alone."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        DISCRIMINATORS[kind](features).eval()(torch.empty(1, 3, 128, 128))
    return counter.get_total_flops() / 128**2 * (2 * 3 + 2)


def hours(lineage: Graph, network: str) -> float:
    """Of a network's own training at the 15 TFLOP/s that presets/gpu.yaml assumes."""
    params, trainings = lineage.params, lineage.trainings(network)
    settings, base = next(iter(trainings.values())), next(reversed(trainings))
    per_pixel = flop_of(params.networks[base])
    if isinstance(settings, Stage2Settings):
        scale = params.networks[base].options.get("scale", 1)
        per_pixel += scale**2 * discriminating(settings.discriminator, settings.d_features)
    return settings.steps * settings.batch * settings.patch**2 * per_pixel / 15e12 / 3600


def test_the_gpu_preset_takes_the_hours_that_it_tells():
    p = params_with("gpu")
    lineage = graph(p)
    told = {"SR": 0, "DM-Net": 0, "blind SR": 0, "deblurring": 0, "stage 2": 0}
    groups = {"sr": "SR", "demoire": "DM-Net", "blindsr": "blind SR", "deblur": "deblurring"}
    for name in p.trained() - set(p.adabn):
        group = groups[name.split("-")[0]] if name in p.networks else "stage 2"
        told[group] += hours(lineage, name)
    text = " ".join((ROOT / "presets/gpu.yaml").read_text().replace("#", "").split())
    wanted = "stage 1 4 SR networks {SR:.1f}, DM-Net {DM-Net:.1f}, blind SR {blind SR:.1f}, deblurring {deblurring:.1f} hours"
    assert wanted.format(**told) in text and f"and a further round: {told['stage 2']:.1f} hours" in text, told
    assert 12 < sum(told.values()) < 24


def test_the_gpu_preset_has_the_networks_of_the_papers():
    """The counts are those of the authors' releases, less the 24 of EDSR's and RCAN's frozen colours."""
    p = params_with("gpu")
    found = {name: weights(each.arch, yaml.safe_dump(each.options)) for name, each in p.networks.items()}
    assert found["sr-edsr"] == found["sr-edsr-bicubic"] == found["sr-edsr-calibrated"] == 1_517_595 - 24
    assert found["sr-srresnet"] == 1_547_350 and found["blindsr-map"] == 6_364_635 - 24
    assert found["blindsr-x2"] == 779_035 - 24 + 8 * 2 * (9 * 64 * 64 + 64)  # 16 blocks for the 8 that are published
    paper = params_with("paper").networks
    assert found["demoire-dmnet"] == weights("dmnet", yaml.safe_dump(paper["demoire-dmnet"].options))


def test_every_training_of_the_gpu_preset_is_in_bf16_with_batches_of_16():
    p = params_with("gpu")
    lineage = graph(p)
    every = [next(iter(lineage.trainings(name).values())) for name in p.trained() - set(p.adabn)]
    assert {(settings.precision, settings.batch) for settings in every} == {("bf16", 16)}
