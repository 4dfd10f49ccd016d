import copy
import json

import pytest
import yaml
from conftest import params_with_all_systems

from pipeline.compare.choice import choose
from pipeline.core.files import write_json
from pipeline.core.graph import Candidate, graph
from pipeline.core.params import parse
from pipeline.core.settings import Select
from pipeline.report.tables import choices_markdown
from pipeline.stages import select

DEFAULTS = params_with_all_systems()
SETTINGS = Select(metric="niqe", max_drift=1, max_residual=0.5, blurrier=0.1)
THREE = [Candidate("s", None, "s"), Candidate("s-stage2", "s", "s-stage2"), Candidate("r2", "s-stage2", "row2")]


def scores(niqe, drift=1.0, residual=2.0, sharpness=0.5):
    return {"niqe": niqe, "drift": drift, "residual": residual, "sharpness": sharpness}


def chosen(*three, settings=SETTINGS, absent=()):
    rows = {candidate.row: values for candidate, values in zip(THREE, three) if values}
    choice = choose(settings, THREE, rows, list(absent))
    return choice, [line["verdict"] for line in choice["candidates"]]


def test_the_lowest_within_the_bounds_wins():
    choice, verdicts = chosen(scores(7.09), scores(6.4, drift=2.0), scores(5.8, drift=2.1, residual=2.6))
    assert choice["chosen"] == "s-stage2" and choice["reason"] == "niqe 6.4 is the lowest within the bounds: s has 7.09"
    assert verdicts[:2] == ["not chosen: niqe 7.09, s-stage2 has 6.4", f"chosen: {choice['reason']}"]
    assert verdicts[2] == ("refused: drift 2.1 > 2, stage 1's 1 + select.max_drift and residual 2.6 > 2.5, stage 1's 2 + "
                           "select.max_residual")
    loose = SETTINGS.model_copy(update={"max_drift": 1.5, "max_residual": 0.7})
    assert chosen(scores(7.09), scores(6.4, 2.0), scores(5.8, 2.1, 2.6), settings=loose)[0]["chosen"] == "r2"
    assert chosen(scores(7.09), scores(6.4, 3), scores(5.8, 3))[0]["reason"].endswith("bounds, nothing else is")


def test_a_tie_goes_to_the_earlier():
    assert chosen(scores(7), scores(6.5), scores(6.5))[0]["chosen"] == "s-stage2"
    assert chosen(scores(6.5), scores(6.5), scores(6.5))[0]["chosen"] == "s"


def test_without_the_metric_or_the_bounds_there_is_no_choice_but_a_reason():
    absent = [{"row": row, "test_set": "captures-val", "metric": "niqe", "reason": "no clean reference: none"}
              for row in ("s", "s-stage2", "row2")]
    blind = {"drift": 1.0, "residual": 2.0}
    choice, verdicts = chosen(blind, blind, blind, absent=absent)
    assert "chosen" not in choice
    assert choice["reason"] == "no choice, s is refused: its niqe could not be computed: no clean reference: none"
    assert all("could not be computed" in verdict for verdict in verdicts)
    choice, verdicts = chosen({"niqe": 7}, scores(6), scores(5))
    assert "chosen" not in choice and "its drift could not be computed: it was not scored" in choice["reason"]
    assert verdicts[1:] == ["refused: s, which bounds it, is refused"] * 2


def test_a_later_network_that_could_not_be_scored_is_refused():
    absent = [{"row": "s-stage2", "test_set": "*", "metric": "*", "reason": "no captures"}]
    choice, verdicts = chosen(scores(7), None, scores(6), absent=absent)
    assert choice["chosen"] == "r2" and verdicts[1] == "refused: its niqe could not be computed: no captures"
    unscored = [*THREE[:2], Candidate("r2", "s-stage2", None)]
    choice = choose(SETTINGS, unscored, {"s": scores(7), "s-stage2": scores(6)}, [])
    assert choice["candidates"][2]["verdict"] == "refused: no entry of rows scores it alone"


def test_scores_that_leave_images_out_are_noted():
    left_out = "1 of 4 images are left out of the mean: flat"
    choice, _ = chosen(scores(7), scores(6), scores(5), absent=[
        {"row": "row2", "test_set": "captures-val", "metric": "niqe", "reason": left_out},
        {"row": "row2", "test_set": "captures-val", "metric": "swd", "reason": "not looked at"}])
    assert [line.get("note") for line in choice["candidates"]] == [None, None, f"niqe: {left_out}"]
    assert f"; niqe: {left_out}" in " ".join(choices_markdown({"s": choice | {"images": 4, "scenes": 2}}, SETTINGS).split())


def test_cleaner_but_blurrier_is_remarked_on_against_the_network_it_starts_from():
    choice, _ = chosen(scores(7, sharpness=0.3), scores(6.5, sharpness=0.5), scores(6.2, sharpness=0.44))
    assert [line.get("remark") for line in choice["candidates"]] == [
        None, None, "cleaner but blurrier than s-stage2: niqe 6.5 -> 6.2, sharpness 0.5 -> 0.44"]
    for later in (scores(6.2, sharpness=0.46), scores(6.6, sharpness=0.3)):  # hardly blurrier; not cleaner
        assert not [line for line in chosen(scores(7), scores(6.5), later)[0]["candidates"] if "remark" in line]


def with_finetunes(**entries):
    values = copy.deepcopy(DEFAULTS)
    for name, changes in entries.items():
        values["finetunes"][name] = values["finetunes"]["sr-edsr-round2"] | changes
    values["labels"]["by-oracle"] = {"network": "sr-edsr-oracle", "inputs": "sets/sr-captures"}
    return parse(values)


def test_candidates_are_stage_1_stage_2_and_its_rounds_and_nothing_that_saw_truth():
    params = with_finetunes(third={"start": "sr-edsr-round2"}, truthful={"targets": "sets/sr-truth"},
                            after={"start": "truthful"}, taught={"targets": "labels/by-oracle"},
                            synthetic={"start": "sr-edsr-gan"}, other={"start": "sr-edsr-bicubic-stage2"})
    assert graph(params).candidates("sr-edsr") == [
        Candidate("sr-edsr", None, "sr-edsr"), Candidate("sr-edsr-stage2", "sr-edsr", "sr-edsr-stage2"),
        Candidate("sr-edsr-round2", "sr-edsr-stage2", "sr-edsr-round2"), Candidate("third", "sr-edsr-round2", None)]
    assert [candidate.network for candidate in graph(params).candidates("sr-edsr-bicubic")][2:] == ["other"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """What the benchmark knows of captures-val without truth."""
    monkeypatch.chdir(tmp_path)
    values = copy.deepcopy(DEFAULTS)
    values["systems"] = {key: values["systems"][key] for key in ("sr-edsr", "sr-edsr-bicubic")}
    values["rows"] = {key: values["rows"][key] for key in ("sr-input", "sr-edsr-round2")}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    rows = {"sr-input": {}, "sr-edsr": {"sr-edsr": scores(7.1), "sr-edsr-stage2": scores(6.7)},
            "sr-edsr-bicubic": {"sr-edsr-bicubic": {}, "sr-edsr-bicubic-stage2": {}},
            "sr-edsr-round2": {"sr-edsr-round2": scores(6.6, drift=9.0)}}
    for key, found in rows.items():
        write_json(tmp_path / f"data/blind/sr/{key}.json", {"rows": found, "absent": [], "counts": {"images": 4, "scenes": 2}})
    return tmp_path


def test_the_stage_writes_a_choice_for_each_system(project, capsys):
    select.main("sr")
    file = project / "metrics/select/sr.json"
    choices, first = json.loads(file.read_text()), file.read_bytes()
    assert choices["sr-edsr"]["chosen"] == "sr-edsr-stage2" and "chosen" not in choices["sr-edsr-bicubic"]
    assert choices["sr-edsr"]["images"] == 4 and len(choices["sr-edsr"]["candidates"]) == 3
    assert "sr-edsr: sr-edsr-stage2; niqe 6.7 is the lowest" in capsys.readouterr().out
    select.main("sr")
    assert file.read_bytes() == first
    with pytest.raises(ValueError, match="tasks.nope: no such entry, there are .*sr"):
        select.main("nope")


def test_the_section_names_choices_and_reasons(project):
    select.main("sr")
    text = choices_markdown(json.loads((project / "metrics/select/sr.json").read_text()), parse(DEFAULTS).select)
    assert "### sr-edsr: sr-edsr-stage2 (4 images of 2 scenes)" in text and "### sr-edsr-bicubic: no choice" in text
    assert "| **sr-edsr-stage2** | 6.70 | 1.000 |    2.000 |     0.500 |" in text
    assert "- sr-edsr-round2 is refused: drift 9 > " in text
    assert max(map(len, text.splitlines())) <= 120 and text.endswith("\n") and not text.endswith("\n\n")
    assert choices_markdown({}, parse(DEFAULTS).select) == ""
