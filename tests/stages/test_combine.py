"""Chains and ensembles: what the stage writes, what it refuses, and the networks behind a name."""
from pathlib import Path

import pytest
from conftest import ROOT, change
from networks import seasoned

from pipeline.core.params import ParamsError, load
from pipeline.restore.manifest import AbsentNetwork, in_words, leaves, read_manifest, save_absent, tree_of
from pipeline.restore.named import hashes_of
from pipeline.restore.network import save_network
from pipeline.stages import combine

DOUBLE = {"scale": 2, "blocks": 1, "features": 4}
SAME = {"scale": 1, "blocks": 1, "features": 4, "unshuffle": 2}
IMPORT = {"file": "x.pth", "layout": "basicsr", "arch": "edsr", "options": {}}
A, B, C = "abc"


def save(name: str, seed: int, options: dict = DOUBLE) -> None:
    save_network(Path("models", name), seasoned("edsr", options, seed), "edsr", options, {})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Imports a, b and c that double, and one of the same size."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    change(imports={name: IMPORT for name in ("a", "b", "c", "same")})
    for seed, name in enumerate("abc"):
        save(name, seed)
    save("same", 3, SAME)


def make(**sections) -> None:
    """Entries of chains and ensembles as pairs, made in this order."""
    for section, entries in sections.items():
        second = "then" if section == "chains" else "second"
        change(**{section: {name: {"first": first, second: last} for name, (first, last) in entries.items()}})
    for section, entries in sections.items():
        for name in entries:
            combine.main(section, name)


def test_what_is_made_of_what_is_a_tree(project):
    make(chains={"ab": (A, B), "abc": ("ab", C), "cab": (C, "ab")},
         ensembles={"mean": (A, B), "all": ("mean", C), "again": ("all", A), "deep": ("abc", "cab")})
    make(chains={"on": ("mean", "all"), "off": (A, "on")})
    trees = {"a": A, "cab": {"chain": [C, A, B]}, "all": {"mean": [A, B, C]}, "again": {"mean": [A, B, C]},
             "deep": {"mean": [{"chain": [A, B, C]}, {"chain": [C, A, B]}]},
             "off": {"chain": [A, {"mean": [A, B]}, {"mean": [A, B, C]}]}}
    assert {name: tree_of(name) for name in trees} == trees
    assert leaves(trees["off"]) == [A, A, B, A, B, C]
    assert in_words(trees["off"]) == "a -> mean of (a, b) -> mean of (a, b, c)"
    assert in_words(trees["deep"]) == "mean of (a -> b -> c, c -> a -> b)"
    assert {name: read_manifest(Path("models", name))["scale"] for name in ("ab", "cab", "all")} == {
        "ab": 4, "cab": 8, "all": 2}


def test_an_ensemble_of_two_scales_is_refused(project):
    with pytest.raises(ValueError, match="ensembles.x: a enlarges 2 times and same 1 times; wanted one scale"):
        make(ensembles={"x": (A, "same")})
    assert not Path("models/x").exists()


def test_what_is_made_of_an_absent_network_is_absent(project, capsys):
    save_absent("models/b", "no truth to train with")
    make(chains={"ab": (A, B)}, ensembles={"x": ("ab", "ab")})
    with pytest.raises(AbsentNetwork, match="^ab is absent: b is absent: no truth to train with$"):
        tree_of("x")
    assert "x: not made: ab is absent" in capsys.readouterr().out


def test_its_manifest_follows_the_weights_and_the_order_of_its_parts(project):
    make(chains={"ab": (A, B), "ba": (B, A)}, ensembles={"mean": (A, B)})
    hashes = {name: read_manifest(Path("models", name))["weights"] for name in ("ab", "ba", "mean")}
    assert len(set(hashes.values())) == 3
    save("b", 9)
    for section, name in (("chains", "ab"), ("ensembles", "mean")):
        combine.main(section, name)
        assert read_manifest(Path("models", name))["weights"] != hashes[name]


def test_hashes_are_of_the_weights_that_are_there_now(project):
    """Photos are restored anew once a part of a chain has changed, though the chain was not made anew."""
    make(ensembles={"mean": (A, B)}, chains={"to": ("mean", C)})
    one, two, three = (read_manifest(Path("models", name))["weights"] for name in "abc")
    assert hashes_of("to", "a") == [{"mean": [one, two]}, three, one] == hashes_of("mean", "c", "a")
    save("b", 9)
    assert hashes_of("to") == [{"mean": [one, read_manifest("models/b")["weights"]]}, three] != [{"mean": [one, two]}, three]


@pytest.mark.parametrize("section, entry, message", [
    ("chains", {"first": "a", "then": "nope"}, "chains.x.then: 'nope' names nothing"),
    ("ensembles", {"first": "nope", "second": "a"}, "ensembles.x.first: 'nope' names nothing"),
    ("ensembles", {"first": "a", "second": "x"}, "made of each other: .*x"),
    ("chains", {"first": "a", "second": "b"}, "chains.x.then: is missing")])
def test_entries_that_cannot_be(project, section, entry, message):
    change(**{section: {"x": entry}})
    with pytest.raises(ParamsError, match=message):
        load()
