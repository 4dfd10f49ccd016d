"""Truth, by whatever way it reaches a network, makes an oracle of it: in the choice, the tables, the page and the card."""
import copy
from pathlib import Path

import pytest
import yaml
from conftest import params_with_all_systems
from networks import seasoned
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.compare.kinds import kinds
from pipeline.compare.paired import Paired
from pipeline.compare.revisions import Images, parse_images
from pipeline.core.files import write_json
from pipeline.core.graph import graph
from pipeline.core.params import load, parse
from pipeline.export.card import Export, card
from pipeline.report.page import _choices
from pipeline.report.tables import cells, task_markdown
from pipeline.report.verdict import decide
from pipeline.restore.manifest import read_manifest
from pipeline.restore.network import save_network
from pipeline.stages import convert
from pipeline.stages.evaluate import collect

PAIRS = {"inputs": "pairs/sr-bicubic/inputs", "targets": "pairs/sr-bicubic/targets"}
ROUND = {"inputs": "sets/sr-captures", "clean": "clean", "settings": "stage2"}
COPY = {"copy": {"train": ["a", "b"], "val": ["c"]}, "sr-truth": {"train": ["b", "d"], "test": ["c"]},
        "clean": {"train": ["a"]}}


def defaults() -> dict:
    """Two systems whose networks start from `fair`; to a network of the second, by one way or another, truth comes."""
    values = copy.deepcopy(params_with_all_systems())
    values["systems"] = {"s": values["systems"]["sr-edsr"] | {"start": "fair", "teacher": "fair", "pairs": "sr-bicubic"},
                         "t": values["systems"]["sr-edsr"] | {"start": "net", "teacher": "net"}}
    values["networks"] |= {"fair": values["networks"]["sr-edsr"] | PAIRS, "net": {**values["networks"]["sr-edsr"]}}
    values["adabn"] = {}
    values["oracles"] = {f"{key}-oracle": {"start": start, "captures": "sr-captures", "truth": "sr-truth"}
                         for key, start in (("s", "fair"), ("t", "net"))}
    values["labels"] = {"fair": {"network": "s-stage2", "inputs": "sets/sr-captures"}}
    values["finetunes"] = {"fair-round": ROUND | {"start": "s-stage2", "targets": "labels/fair"}}
    values["tasks"] = {"sr": {"title": "x"}}
    values["rows"] = {"sr-input": values["rows"]["sr-input"]}
    values["sets"]["copy"] = values["sets"]["clean"] | {"folder": "copies/of/truth"}
    return values


def on_sets(name):
    return {"networks": {"net": {"inputs": "sets/sr-captures", "targets": f"sets/{name}"}}}


def fine(**fields):
    return {"finetunes": {"first": ROUND | {"start": "fair", "targets": "labels/fair"} | fields}}


def named(folder, include="**", **fields):
    return {"sets": {"twin": {"folder": folder, "include": include, "video_every": 0, "faces": []} | fields}}


ON_CAPTURES = {"inputs": "sets/sr-captures"}
SRGAN = {"start": "fair", **PAIRS, "clean": "sr-truth", "backbone": "vgg16", "layer": "relu2_2", "content": 1}
IMPORT = {"file": "x.pth", "layout": "edsr-pytorch", "arch": "edsr", "options": {}}
FIT = {"recipe": "random", "captures": "sr-captures", "clean": "clean", "scale": 4, "parameters": ["blur_sigma"]}
WAYS = {  # what differs from the defaults, and the first network that truth reaches
    "a set": (on_sets("sr-truth"), "net"),
    "the truth of far captures": (on_sets("sr-far-truth"), "net"),
    "a second name": ([on_sets("twin"), named("data/builtin/sr-truth")], "net"),
    "a second spelling of the folder": ([on_sets("twin"), named("data/builtin/../builtin/./sr-truth/")], "net"),
    "a folder around it": ([on_sets("twin"), named("data/builtin", "sr-*/**")], "net"),
    "a folder in it": ([on_sets("twin"), named("data/builtin/sr-truth/some")], "net"),
    "the folder truth below the captures": (on_sets("sr-captures/truth"), "net"),
    "that folder of a set that nothing names the truth of": (on_sets("clean/truth"), "net"),
    "a second name of it": ([on_sets("twin"), named("data/builtin/sr-captures", "truth/**")], "net"),
    "a folder around it and its captures": ([on_sets("twin"), named("data/builtin", "sr-captures/**")], "net"),
    "its images": (on_sets("copy"), "net"),
    "inputs": ({"networks": {"net": {"inputs": "sets/sr-truth"}}}, "net"),
    "clean of pairs": ({"pairs": {"sr": {"clean": "sr-truth"}}}, "net"),
    "clean of a calibration": ({"pairs": {"sr": {"recipe": "calibrated", "calibration": "sr"}},
                                "calibrations": {"sr": {"clean": "sr-truth"}}}, "net"),
    "captures of a calibration": ({"pairs": {"sr": {"recipe": "calibrated", "calibration": "sr"}},
                                   "calibrations": {"sr": {"captures": "sr-truth"}}}, "net"),
    "captures of a fit": ({"pairs": {"sr": {"recipe": "random", "calibration": "fit"}},
                           "fits": {"fit": FIT | {"captures": "sr-truth"}}}, "net"),
    "clean of a fit": ({"pairs": {"sr": {"recipe": "random", "calibration": "fit"}},
                        "fits": {"fit": FIT | {"clean": "sr-truth"}}}, "net"),
    "a fitted recipe": ({"recipes": {"random": {"fitted_with_truth": True}}}, "net"),
    "clean of stage 2": ({"systems": {"t": {"clean": "sr-truth"}}}, "t-stage2"),
    "clean of the GAN": ({"systems": {"t": {"clean": "sr-truth"}}}, "t-gan"),
    "a label": ([fine(targets="labels/o"), {"labels": {"o": ON_CAPTURES | {"network": "s-oracle"}}}], "first"),
    "a label of truth": ([fine(targets="labels/o"), {"labels": {"o": {"network": "fair", "inputs": "sets/sr-truth"}}}],
                         "first"),
    "a label of a label": ([fine(targets="labels/o"), {"labels": {
        "o": {"network": "fair", "inputs": "labels/p"}, "p": ON_CAPTURES | {"network": "s-oracle"}}}], "first"),
    "a label of a chain": ([fine(targets="labels/o"), {"chains": {"c": {"first": "fair", "then": "s-oracle"}},
                                                       "labels": {"o": ON_CAPTURES | {"network": "c"}}}], "first"),
    "a label of a chain of an ensemble": ([fine(targets="labels/o"), {
        "chains": {"c": {"first": "e", "then": "fair"}}, "ensembles": {"e": {"first": "fair", "second": "s-oracle"}},
        "labels": {"o": ON_CAPTURES | {"network": "c"}}}], "first"),
    "a start": (fine(start="s-oracle"), "first"),
    "clean of a fine-tuning": (fine(clean="sr-truth"), "first"),
    "a teacher": ([on_sets("sr-truth"), {"systems": {"t": {"start": "sr-edsr-bicubic", "teacher": "net"}}}], "t-stage2"),
    "a second teacher": ([on_sets("sr-truth"), {"ensembles": {"two": {"first": "sr-edsr-bicubic", "second": "net"}}},
                          {"systems": {"t": {"start": "sr-edsr-bicubic", "teacher": "two"}}}], "t-stage2"),
    "an import": ([{"imports": {"got": IMPORT | {"saw_truth": True}}},
                   {"systems": {"t": {"start": "got", "teacher": "got"}}}], "got"),
    "adapted statistics": ({"adabn": {"first": {"start": "fair", "captures": "sr-truth"}}}, "first"),
    "clean of SRGAN": ([{"srgan": {"first": SRGAN | {"settings": None}}}], "first"),
}


def merged(values: dict, changes: dict) -> dict:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            merged(values[key], value)
        else:
            values[key] = value
    return values


def reached(way: str, depth: int):
    """The params, with a row `leak` of a network so many steps from truth, and a round of system s that it has labelled."""
    changes, first = WAYS[way]
    values = defaults()
    for change in changes if isinstance(changes, list) else [changes]:
        merged(values, copy.deepcopy(change))
    for entry in values["srgan"].values():
        entry["settings"] = entry["settings"] or values["stage2"]
    leak = [first, "second", "third"][depth - 1]
    values["chains"]["leak-chain"] = {"first": "fair", "then": leak}
    values["ensembles"]["leak-mean"] = {"first": "fair", "second": leak}
    values["labels"] |= {"of-second": ON_CAPTURES | {"network": "second"}, "of-leak": ON_CAPTURES | {"network": leak}}
    values["finetunes"] |= {"second": ROUND | {"start": first, "targets": "labels/fair"},
                            "third": ROUND | {"start": "fair", "targets": "labels/of-second"},
                            "offered": ROUND | {"start": "s-stage2", "targets": "labels/of-leak"}}
    row = {"task": "sr", "tests": "sr"}
    networks = {"leak": leak, "fair-row": "fair-round", "leak-chain": "leak-chain", "leak-mean": "leak-mean"}
    values["rows"] |= {key: row | {"network": network} for key, network in networks.items()}
    return parse(values), leak


def scored(lineage) -> Images:
    """Scores in which what truth reached is the best; on captures that have truth, or none."""
    images = ["row,test_set,image,scene,psnr"]
    chains = {row.key: [*row.chain] for row in lineage.rows("sr")}
    assert chains["leak-chain"] == ["fair", *chains["leak"]] and chains["leak-mean"] == ["leak-mean"]
    for key, row, psnr in (("sr-input", "input", 20), ("fair-row", "fair-row", 21), ("leak", "leak", 30),
                           ("leak-chain", "leak-chain", 29), ("leak-mean", "leak-mean", 28)):
        chain = chains[key]
        write_json(f"data/bench/sr/{key}.json", {
            "rows": {row: {"captures": {"psnr": psnr}}}, "absent": [], "parameters": {row: 1}, "flop": {}, "manifests": {},
            "counts": dict.fromkeys(("captures", "reference"), {"images": 2, "scenes": 2}),
            "networks": {row: chain} if chain else {}})
        images += [f"{row},captures,{scene}-0,{scene},{psnr + 0.1 * scene}" for scene in range(2)]
    for key in ("s", "t"):
        write_json(f"data/bench/sr/{key}.json", {"rows": {}, "absent": [], "parameters": {}, "flop": {}, "manifests": {},
                                                 "counts": {}, "networks": {}})
    return parse_images("\n".join(images))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("way", WAYS)
def test_what_truth_reached_is_an_oracle_everywhere(way, depth, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params, leak = reached(way, depth)
    plain, lineage = graph(params), graph(params).with_contents(COPY if way == "its images" else {})
    assert lineage.truth(leak) and not any(map(lineage.truth, ("fair", "s-stage2", "s-gan", "fair-round")))

    # the choice: params alone tell, but for a copy of the images
    assert bool(plain.truth(leak)) == (way != "its images")
    told = lineage if way == "its images" else plain
    assert [candidate.network for candidate in told.candidates("s")] == ["fair", "s-stage2", "fair-round"]
    assert not any(told.truth(candidate.network) for candidate in told.candidates("t"))

    # the tables
    images = scored(lineage)
    group = collect(lineage, "sr", Path("data/bench/sr"))["sr"]
    best = cells(group, "captures")[1]["psnr"]
    assert set(best.index[best]) == {"fair-row"}
    text = " ".join(task_markdown("x", {"sr": group}, params.bench, params.tests).split())
    assert f"Truth reached `leak`, `leak-chain`, `leak-mean` by {lineage.truth(leak)}: these are oracles, too." in text

    # the page
    kind = kinds(lineage, "sr", "sr", group)
    assert kind["leak"] == kind["leak-chain"] == kind["leak-mean"] == "oracle" and kind["fair-row"] == "further round"
    verdict = decide(lineage, "sr", "sr", group, Paired([images], "captures"), "captures", {})
    assert verdict.row == "fair-row" and "leak" not in verdict.ties
    choice = {"s": {"chosen": leak, "reason": "r", "candidates": [], "images": 2, "scenes": 2}}
    assert "but truth reached it by" in _choices(lineage, choice)["systems"][0]["reason"]

    # the card
    manifest = {"arch": "edsr", "options": {}, "parameters": 1, "weights": "w", "code": "c", "made": {}}
    for name, oracle in ((leak, True), ("fair-round", False)):
        text = card(lineage, Export(name, name, 4, name, "onnx", "f", [], [], ""), {name: manifest})
        assert ("an oracle, to measure others by" in " ".join(text.split())) == oracle


def test_nothing_is_an_oracle_without_truth():
    lineage = graph(parse(defaults()))
    assert {name for name in lineage.nodes if lineage.truth(name)} == {"s-oracle", "t-oracle"}
    assert set(lineage.truths) == {"sr-truth", "sr-far-truth", "demoire-truth", "demoire-far-truth"} | {
        f"{key}/truth" for key in lineage.params.sets}
    assert [candidate.network for candidate in lineage.candidates("t")] == ["net", "t-stage2"]


def test_truth_that_is_gone_changes_no_candidate():
    """Neither its files nor its params: what reads neither cannot change."""
    values = defaults()
    before = graph(parse(values))
    for name in ("sr-truth", "sr-far-truth", "sr-captures"):
        values["sets"][name] = values["sets"][name] | {"folder": "data/none"}
    after = graph(parse(values))
    assert [after.candidates(key) for key in ("s", "t")] == [before.candidates(key) for key in ("s", "t")]
    assert after.truths == before.truths


def test_an_adversary_that_does_not_act_sees_nothing():
    values = defaults()
    values["systems"]["t"] |= {"clean": "sr-truth", "lambda_scale": 0}
    assert not graph(parse(values)).truth("t-stage2")


def test_what_is_made_from_itself_is_refused():
    values = defaults()
    values["finetunes"] |= {"a": ROUND | {"start": "b", "targets": "labels/fair"},
                            "b": ROUND | {"start": "a", "targets": "labels/fair"}}
    with pytest.raises(ValueError, match="these are made of each other: ([ab]) -> (?!\\1)[ab] -> \\1$"):
        parse(values)
    for changes in ({"adabn": {"a": {"start": "b", "captures": "clean"}}, "finetunes": {"b": ROUND | {
                         "start": "a", "targets": "labels/fair"}}},
                    {"chains": {"a": {"first": "b", "then": "fair"}}, "ensembles": {"b": {"first": "a", "second": "fair"}}},
                    {"networks": {"net": {"inputs": "labels/a"}}, "labels": {"a": {"network": "t-oracle",
                                                                                    "inputs": "sets/sr-captures"}}}):
        with pytest.raises(ValueError, match="these are made of each other: "):
            parse(merged(defaults(), changes))


def test_two_networks_of_one_name_are_refused():
    values = defaults()
    values["finetunes"]["t-stage2"] = ROUND | {"start": "fair", "targets": "labels/fair"}
    with pytest.raises(ValueError, match="systems.t: finetunes.t-stage2 makes a network of the name t-stage2; choose another"):
        parse(values)


def test_the_file_of_a_row_that_saw_truth_says_so_where_it_is_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = defaults()
    Path("params.yaml").write_text(yaml.safe_dump(values))
    options = {"scale": 2, "blocks": 1, "features": 8}
    for name in ("s-oracle", "s-stage2"):
        save_network(Path("models", name), seasoned("msrresnet", options), "msrresnet", options, {"seed": 1})

    def run(*arguments):
        return CliRunner().invoke(app, arguments)

    for name, told in (("s-oracle", True), ("s-stage2", False)):
        done = run("export", name, "--to", "safetensors", "-o", f"{name}.safetensors")
        assert done.exit_code == 0, done.output
        done = run("import", f"{name}.safetensors", "--as", f"of-{name}")
        assert done.exit_code == 0, done.output
        assert load().imports[f"of-{name}"].saw_truth == told == bool(graph(load()).truth(f"of-{name}"))
        assert read_manifest(f"models/of-{name}")["made"].get("saw_truth", False) == told
    values = yaml.safe_load(Path("params.yaml").read_text())
    del values["imports"]["of-s-oracle"]["saw_truth"]
    Path("params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match=r"imports\.of-s-oracle\.saw_truth: got false, wanted true, as s-oracle\.safetensors"):
        convert.main("of-s-oracle")
