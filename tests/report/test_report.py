"""The report's page on a tiny project."""
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, with_presets
from tiny import ENTRIES, PSNR, ROWS, TITLE, Page, made, project, write_choice, write_crops, write_scores  # noqa: F401

from pipeline.compare.kinds import made_by
from pipeline.core.files import read_json, write_json
from pipeline.core.graph import graph
from pipeline.core.params import load, parse
from pipeline.images.shards import write_absent
from pipeline.report import costs
from pipeline.report.reference import of_another_kind
from pipeline.report.svg import Axis, Point, chart, scatter
from pipeline.report.tradeoff import curves
from pipeline.report.verdict import LEVELS
from pipeline.score.names import Control
from pipeline.stages import page
from pipeline.stages.evaluate import collect


def test_names_are_text_whatever_they_hold(project):  # noqa: F811
    found = made()
    assert TITLE in found.said and 'scene c<i>"&' in found.said
    assert "Not trained: </script><b>no truth</b>" in found.said
    assert "b" not in found.tags and "i" not in found.tags and found.tags.count("script") == 1


def test_the_page_is_the_same_each_time_and_knows_neither_folder_nor_time(project):  # noqa: F811
    first = made().text
    assert made().text == first and str(project) not in first and "python -m pipeline page" in first
    page.write_page(project / "timed.html", {"sr-edsr": {"device": "cpu", "seconds": 12.5}})
    timed = Page((project / "timed.html").read_text(encoding="utf-8")).said
    assert "trained in 12.5 s on cpu" in timed and "python -m pipeline page" not in timed


def test_the_best_row_is_named_with_how_sure_that_is(project):  # noqa: F811
    said = made().said
    assert "Use sr-edsr-stage2 : it has the best PSNR on captures (4 images of 4 scenes)" in said
    assert "better than each of the other 3 rows" in said  # by 0.2 dB and more, which no scene turns
    assert "better than plain filters on sr-edsr , the stage 1 it came from (" in said and ": PSNR ↑ +0.35 [" in said
    assert "It is better than the input itself: PSNR ↑ +1.40 [" in said and LEVELS["clear"] in said
    assert "LPIPS was not computed" in said and "Few scenes (4)" in said and "One seed" in said
    assert "restore photos -o restored --model sr-edsr-stage2 " in said
    assert "These captures are the built-in ones" in said and "sets.sr-captures.folder" in said
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["sets"]["sr-captures"]["folder"] = "/photos"
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert "built-in" not in made().said.lower()


def test_what_a_control_reaches_or_the_input_has_is_no_gain(project, monkeypatch):  # noqa: F811
    monkeypatch.setitem(PSNR, "sr-edsr+sharpen30", 21.45)
    write_scores("sr-edsr", ENTRIES["sr-edsr"])
    assert "It is no better than plain filters on sr-edsr , the stage 1 it came from (" in made().said
    assert 'class="badge start"' in page.PAGE.read_text()
    assert "sr-edsr-stage2 has the best PSNR." in made().said and "Use sr-edsr : on captures (" in made().said
    assert json.loads(page.SUMMARY.read_text())["groups"][0]["gains"].count("further training gains") == 1
    monkeypatch.setitem(PSNR, "sr-edsr", 21.5)  # now it has the best PSNR of the networks
    monkeypatch.setitem(PSNR, "sr-edsr+sharpen30", 21.6)
    write_scores("sr-edsr", ENTRIES["sr-edsr"])
    assert "sr-edsr-stage2 has the best PSNR." not in made().said and "Use sr-edsr : on captures (" in made().said
    assert "further trainings" not in json.loads(page.SUMMARY.read_text())["groups"][0]["gains"]
    monkeypatch.setitem(PSNR, "input", 21.52)
    write_scores("sr-input", ["input"])
    assert "It is worse than the input itself: PSNR ↑ -0.02 [" in made().said and "Use none." in made().said
    assert 'class="badge nothing"' in page.PAGE.read_text()


def test_the_blurred_input_is_a_rival_too(project, monkeypatch):  # noqa: F811
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["sr"]["blur"] = [1]
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    monkeypatch.setitem(PSNR, "input+blur1", PSNR["sr-edsr-stage2"] + 0.5)
    write_scores("sr-input", ["input", "input+blur1"])
    said = made().said
    assert "Use sr-edsr-stage2" not in said and "Use none. The best is sr-edsr-stage2" in said  # it is no network
    assert "It is worse than input+blur1 , the best that the input is without any learning: PSNR ↑ -0." in said


def test_a_row_that_scenes_do_not_tell_from_the_best_is_a_tie(project, monkeypatch):  # noqa: F811
    monkeypatch.setitem(PSNR, "sr-edsr-gan", 21.39)
    write_scores("sr-edsr", ENTRIES["sr-edsr"])
    found = made()
    assert "These 4 scenes cannot distinguish it from 1 of 3 other rows: sr-edsr-gan ." in found.said
    assert LEVELS["close"] in found.said
    line = found.text[found.text.index('<tr data-row="sr-edsr-gan"') :]
    assert re.search(r'class="tie">25\.89<', line[: line.index("</tr>")])  # 21.39 and 4.5 for the scenes


def test_lpips_decides_where_it_is(project):  # noqa: F811
    for key, rows in ENTRIES.items():
        write_scores(key, rows, ("psnr", "lpips_alex", "niqe"))
    said = made().said
    assert "it has the best LPIPS-Alex on captures" in said and "by PSNR alone" not in said
    assert "gains least in LPIPS-Alex" in said or "Least gain" not in said
    assert "No other row that can be used has a better PSNR." in said
    assert page.PAGE.read_text().count('<svg class="plot"') == 2  # LPIPS and NIQE


def test_captures_without_truth_give_the_choice_a_contact_sheet_and_no_plot(project):  # noqa: F811
    for key, rows in ENTRIES.items():
        write_scores(key, rows, ("niqe",))
        write_crops(key, rows, truth=False)
    found = made()
    assert "Use sr-edsr-stage2 : chosen by NIQE, without truth" in found.said and LEVELS["unproven"] in found.said
    assert "These captures have no truth." in found.said and "Contact sheet: 4 scenes" in found.said
    assert "without truth there is no PSNR" in found.said and '<svg class="plot"' not in found.text
    assert "truth" not in {image["data-row"] for image in found.all("img")}
    sheet = found.text[found.text.index('<div class="contacts">') :]
    shown = re.findall('data-row="(.*?)"', sheet[: sheet.index("</details>")])
    assert shown == ["input", "sr-edsr+sharpen30", "sr-edsr-stage2"] * 4
    write_choice("")
    assert "No row can be named." in made().said and LEVELS["none"] in made().said


def test_an_ensemble_is_a_row_with_the_trainings_of_all_its_members(project, monkeypatch):  # noqa: F811
    monkeypatch.setitem(PSNR, "both", 22.0)
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["ensembles"] = {"both": {"first": "sr-edsr", "second": "sr-edsr-stage2"}}
    values["rows"]["both"] = {"task": "sr", "tests": "sr", "network": "both"}
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    write_scores("both", ["both"])
    scores, members = read_json("data/bench/sr/both.json"), ("sr-edsr", "sr-edsr-stage2")
    write_json("data/bench/sr/both.json", scores | {"flop": dict.fromkeys(members, 1000), "manifests": {}})
    write_crops("both", ["both"])
    found = made()
    assert "Use both : it has the best PSNR on captures" in found.said
    assert "restore photos -o restored --model both " in found.said
    assert "better than each of the other 4 rows" in found.said
    assert "mean or bands of several networks made of sr-edsr and sr-edsr-stage2" in found.said
    (line,) = (line for line in costs.section(page.load_sources(), collect(page.load_sources(), "sr", Path("data/bench/sr")))
               if line.startswith("| both "))
    steps = f"{values['stage1']['steps'] + values['stage2']['steps']:,}"
    assert [cell.strip() for cell in line.split("|")][2:-1] == ["both", "1,234", steps, "0.0", steps, "0.0"]
    line = found.text[found.text.index('<tr class="used" data-row="both"') :]
    assert "ensemble" in line[: line.index("</tr>")] and 'class="best"' in line[: line.index("</tr>")]
    assert (project / "metrics/pictures/sr/both.png").is_file()


def test_no_pictures_and_no_networks_are_said(project):  # noqa: F811
    for key in ENTRIES:
        shutil.rmtree(f"data/crops/sr/{key}")
        for name in ("inputs", "targets", "outputs"):
            write_absent(f"data/crops/sr/{key}/{name}", "sets.sr-captures.folder is data/none")
    assert "No pictures: sets.sr-captures.folder is data/none." in made().said
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["systems"], values["rows"] = {}, {"sr-input": values["rows"]["sr-input"]}
    values["finetunes"] = values["labels"] = {}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    write_json("metrics/select/sr.json", {})
    assert "No row can be named." in made().said
    values["rows"] = {}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    assert "params.yaml names nothing to score." in made().said


def test_scores_that_are_missing_are_named(project):  # noqa: F811
    (project / "data/bench/sr/sr-input.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"data/bench/sr/sr-input\.json is missing"):
        page.main()


def test_control_curves_go_from_the_input_to_the_sharpest():
    controls = {control.of("s"): control for control in (
        Control(input=0.25), Control(input=0.5), Control(sharpen=0.7), Control(sharpen=0.3), Control(sharpen=0.3, noise=3),
        Control(sharpen=0.7, noise=3), Control(blur=1), Control(tone=True))}
    assert curves("s", controls) == [
        (False, ["s+input50", "s+input25", "s", "s+sharpen30", "s+sharpen70"]),
        (True, ["s+sharpen30+noise3", "s+sharpen70+noise3"]), (True, ["s", "s+blur1"])]
    assert curves("s", {}) == []


def test_plots_put_better_to_the_right_and_to_the_top():
    axes = Axis("PSNR", "up", 2), Axis("LPIPS", "down", 4)
    text = scatter([Point("good <&>", 30, 0.1, "star", 1), Point("bad", 20, 0.5, "circle", 9)], [], *axes, "t", "d")
    (x1, y1), (x2, y2) = re.findall(r'class="mark c\d" transform="translate\(([\d.]+) ([\d.]+)\)"', text)
    assert float(x1) > float(x2) and float(y1) < float(y2) and "good &lt;&amp;&gt;" in text
    assert "nan" not in scatter([Point("one", 20, 0.5, "circle", 0)], [], *axes, "t", "d")
    assert "nan" not in chart({"val_psnr": [(100, 20.0)]}, "t") and "2 to 4" in chart({"a": [(1, 2.0), (9, 4.0)]}, "t")


@pytest.mark.parametrize("presets", [(), ("all",), ("p2",), ("paper",), ("demoire", "uhdm"), ("optics",),
                                     ("optics", "city100")])
def test_every_network_of_the_presets_has_an_origin(presets):
    values = yaml.safe_load(with_presets(*presets))
    for key, entry in values["sets"].items():  # as docs/results.md has it
        entry["folder"] = "/City100" if "city100" in presets and key.startswith("optics") else entry["folder"]
    p = parse(values)
    names = [*p.network_names(), *p.zssr]
    lineage = graph(p)
    assert {*lineage.nodes} == {*names}
    for name in names:
        assert made_by(lineage, lineage.nodes[name]) and set(lineage.ancestors([name])) <= set(names)
    oracles = {name for name in names if lineage.truth(name)}
    stage2 = {f"{key}-stage2" for key in p.systems}
    assert p.oracles.keys() <= oracles
    assert stage2 & oracles == (stage2 if "uhdm" in presets else set())  # whose recipe was fitted with truth


def test_what_a_network_comes_from_is_told(project):  # noqa: F811
    lineage = graph(load())
    assert lineage.ancestors(["sr-edsr-round2"]) == ["sr-edsr-round2", "sr-edsr-stage2", "sr-edsr"]
    assert lineage.nodes["sr-edsr-oracle"].targets == "sets/sr-truth"
    assert lineage.nodes["sr-edsr-gan"].inputs == "pairs/sr/inputs"
    found = made()
    assert found.text.count('<svg class="chart"') == 2  # loss and validation of the one network with a curve
    assert "validation PSNR, dB: val_psnr 19 to 20.5" in found.text


def test_the_template_of_the_page_is_tracked():
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["page"]
    assert "pipeline/report/web" in stage["deps"] and (ROOT / "pipeline/report/web/page.html").is_file()


def test_a_reference_of_another_kind_than_the_captures_is_told():
    values = yaml.safe_load(with_presets("optics", "city100"))
    for key, entry in values["sets"].items():
        entry["folder"] = "/City100" if key.startswith("optics") else "/photos"
    assert of_another_kind(parse(values), "optics") == ""
    values["tests"]["optics"]["reference"] = "clean"
    text = of_another_kind(parse(values), "optics")
    assert "sets.clean" in text and "calibrations.optics" in text and "sets.optics-clean" in text
    values["tests"]["optics"]["reference"] = "optics-clean"
    assert of_another_kind(parse(values), "optics") == "" == of_another_kind(load(ROOT / "params.yaml"), "sr")


def test_the_page_shows_what_other_strengths_of_the_row_score(project):  # noqa: F811
    found = made()
    assert "PSNR is best at 0.75: 23.00; at 1 it is 22.50." in found.said
    assert "LPIPS-Alex is best at 1.25: 2.0000; at 1 it is 3.0000." in found.said
    assert "PSNR by strength" in found.said and "LPIPS-Alex by strength" in found.said
