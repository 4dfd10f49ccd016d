"""The report's page on a tiny project whose scores, choices and crops the tests write themselves."""
import base64
import csv
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, with_presets
from PIL import Image

from pipeline.compare.kinds import made_by
from pipeline.core.files import read_json, write_json
from pipeline.core.graph import graph
from pipeline.core.params import load, parse
from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.images.test_sets import folder_of
from pipeline.report import costs
from pipeline.report.crops import SCENES, SIDE, SceneCrops, first_of_scenes, window
from pipeline.report.gallery import GAP, LABEL, Pick, gains, gallery, picks
from pipeline.report.reference import of_another_kind
from pipeline.report.svg import Axis, Point, chart, scatter
from pipeline.report.tradeoff import curves
from pipeline.report.verdict import LEVELS
from pipeline.score.names import Control
from pipeline.stages import page
from pipeline.stages.evaluate import collect

SCENES_HERE = ("a", "b", 'c<i>"&', "d")
ENTRIES = {"sr-input": ["input"], "sr-edsr": ["sr-edsr", "sr-edsr+sharpen30", "sr-edsr-gan", "sr-edsr-stage2"],
           "sr-edsr-round2": ["sr-edsr-round2"], "sr-edsr-oracle": []}
ROWS = [row for rows in ENTRIES.values() for row in rows]
PSNR = {"input": 20.0, "sr-edsr": 21.0, "sr-edsr+sharpen30": 21.05, "sr-edsr-gan": 21.2, "sr-edsr-stage2": 21.4,
        "sr-edsr-round2": 20.8}
SPREAD = {"a": -0.06, "b": 0.02, 'c<i>"&': 0.05, "d": -0.01}  # what stage 2's PSNR differs by from its mean, scene by scene
TITLE = 'Sharper <b>"photos"</b> & more'


def psnr(row: str, scene: str) -> float:
    """Scenes differ much, and rows by about as much in all of them."""
    return PSNR[row] + 3 * SCENES_HERE.index(scene) + (SPREAD[scene] if row == "sr-edsr-stage2" else 0)


def picture(*seed: str) -> np.ndarray:
    return np.random.default_rng([sum(map(ord, text)) for text in seed]).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def write_scores(key: str, rows: list[str], metrics=("psnr", "niqe"), absent=()) -> None:
    """data/bench/sr and metrics/images of an entry; NIQE falls as PSNR rises."""
    found, test_sets = {}, ("captures", "captures-val")
    with open(f"metrics/images/{key}.csv", "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ["row", "test_set", "image", "scene", *metrics])
        writer.writeheader()
        for row in rows:
            for test_set in test_sets:
                lines = [{"psnr": psnr(row, scene), "niqe": 30 - psnr(row, scene), "lpips_alex": 1 - psnr(row, scene) / 40}
                         for scene in SCENES_HERE]
                for scene, line in zip(SCENES_HERE, lines):
                    chosen = {name: f"{line[name]:.4f}" for name in metrics}
                    writer.writerow({"row": row, "test_set": test_set, "image": f"{scene}-0", "scene": scene} | chosen)
                found.setdefault(row, {})[test_set] = {
                    name: round(float(np.mean([line[name] for line in lines])), 4) for name in metrics} | {"swd": 9.0}
    networks = {row: [row] for row in rows if row != "input" and "+" not in row}
    counts = {"images": len(SCENES_HERE), "scenes": len(SCENES_HERE)}
    write_json(f"data/bench/sr/{key}.json", {
        "rows": found, "absent": list(absent), "counts": dict.fromkeys((*test_sets, "reference"), counts),
        "parameters": dict.fromkeys(rows, 1234), "networks": networks, "flop": dict.fromkeys(networks, 1000),
        "manifests": {name: {"parameters": 1234, "weights": f"{name}-weights", "made": {"seed": 1}} for name in networks},
        "strengths": dict.fromkeys(networks, {"psnr": [20, 21, 22, 23, 22.5, 21, 20], "lpips_alex": [7, 6, 5, 4, 3, 2, 2.5]})})


def write_crops(key: str, rows: list[str], truth: bool = True) -> None:
    for name in ("inputs", "targets", "outputs"):
        if name == "targets" and not truth:
            write_absent(f"data/crops/sr/{key}/targets", "sets.sr-truth.folder is data/none")
            continue
        with ShardWriter(f"data/crops/sr/{key}/{name}") as writer:
            for row in rows if name == "outputs" else [name]:
                for scene in SCENES_HERE:
                    origin = {"row": row} if name == "outputs" else {}
                    writer.add(f"{scene}-0", scene, picture(row, scene), test_set="captures", **origin)


def write_choice(chosen: str = "sr-edsr-stage2") -> None:
    candidates = [{"network": name, "niqe": 7.5, "drift": 1.0, "residual": 1.0, "verdict": "as it is"}
                  for name in ("sr-edsr", "sr-edsr-stage2")]
    choice = {"reason": "niqe 7.5 is the lowest", "candidates": candidates, "images": 4, "scenes": 4}
    write_json("metrics/select/sr.json", {"sr-edsr": choice | ({"chosen": chosen} if chosen else {})})


def write_curve(network: str, text: str) -> None:
    with open(f"metrics/curves/{network}.csv", "w") as handle:
        handle.write(text)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    rows = [key for key in ENTRIES if key != "sr-edsr"]
    for section, keys in {"systems": ("sr-edsr",), "rows": rows, "tasks": ("sr",)}.items():
        values[section] = {key: values[section][key] for key in keys}
    values["tasks"]["sr"] |= {"title": TITLE, "published": "Them (1999)"}
    values["rows"]["sr-edsr-round2"]["published"] = {"psnr": 28.907}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    for folder in ("images", "curves", "select"):
        (tmp_path / "metrics" / folder).mkdir(parents=True)
    no_truth = {"row": "sr-edsr-oracle", "test_set": "*", "metric": "*", "reason": "</script><b>no truth</b>"}
    for key, rows in ENTRIES.items():
        write_scores(key, rows, absent=() if rows else [no_truth])
        write_crops(key, rows)
    write_choice()
    write_curve("sr-edsr", "step,lr,fidelity,val_psnr\n100,0.1,0.5,19\n200,0.1,0.4,20.5\n")
    write_curve("sr-edsr-oracle", "step\n")
    return tmp_path


class Page(HTMLParser):
    """What a test asks of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.text, self.tags, self.attributes, self.words, self.open = text, [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.attributes if name == tag]

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def made() -> Page:
    page.main()
    return Page((page.PAGE).read_text(encoding="utf-8"))


def test_every_row_and_picture_is_there_and_nothing_comes_from_elsewhere(project):
    found = made()
    assert not found.open
    assert {line.get("data-row") for line in found.all("tr")} == {None, *ROWS}
    sources = [value for _, each in found.attributes for name, value in each.items()
               if name in ("src", "href", "srcset", "data")]
    assert sources and all(value.startswith(("data:", "#")) for value in sources)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", found.text).replace("  // ", ""))
    pictures = found.all("img")
    assert len(pictures) == 3 * (len(ROWS) + 2)  # worst, median and best scene; with the capture and the truth
    for image in pictures:
        head, _, body = image["src"].partition(",")
        assert head == "data:image/png;base64"
        scene = re.fullmatch(r".* of scene (.*)", image["alt"]).group(1)
        row = {"capture": "inputs", "truth": "targets"}.get(image["data-row"], image["data-row"])
        assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(body, validate=True)))) == picture(row, scene)).all()
    ids = [each["id"] for _, each in found.attributes if "id" in each]
    assert len(ids) == len(set(ids)) and {value[1:] for value in sources if value.startswith("#")} <= set(ids)
    assert page.PAGE.stat().st_size < 20e6
    assert "sr-edsr-stage2-weights"[:16] in found.said and "28.907" in found.said and "Them (1999)" in found.said


def test_names_are_text_whatever_they_hold(project):
    found = made()
    assert TITLE in found.said and 'scene c<i>"&' in found.said
    assert "Not trained: </script><b>no truth</b>" in found.said
    assert "b" not in found.tags and "i" not in found.tags and found.tags.count("script") == 1


def test_the_page_is_the_same_each_time_and_knows_neither_folder_nor_time(project):
    first = made().text
    assert made().text == first and str(project) not in first and "python -m pipeline page" in first
    page.write_page(project / "timed.html", {"sr-edsr": {"device": "cpu", "seconds": 12.5}})
    timed = Page((project / "timed.html").read_text(encoding="utf-8")).said
    assert "trained in 12.5 s on cpu" in timed and "python -m pipeline page" not in timed


def test_the_best_row_is_named_with_how_sure_that_is(project):
    said = made().said
    assert "Use sr-edsr-stage2 : the best PSNR on captures (4 images of 4 scenes)" in said
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


def test_what_a_control_reaches_or_the_input_has_is_no_gain(project, monkeypatch):
    monkeypatch.setitem(PSNR, "sr-edsr+sharpen30", 21.45)
    write_scores("sr-edsr", ENTRIES["sr-edsr"])
    assert "It is no better than plain filters on sr-edsr , the stage 1 it came from (" in made().said
    assert 'class="badge control"' in page.PAGE.read_text()
    monkeypatch.setitem(PSNR, "input", 21.42)
    write_scores("sr-input", ["input"])
    assert "It cannot be told from the input itself: PSNR ↑ -0.02 [" in made().said and "Use none." in made().said
    assert 'class="badge nothing"' in page.PAGE.read_text()


def test_the_blurred_input_is_a_rival_too(project, monkeypatch):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["sr"]["blur"] = [1]
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    monkeypatch.setitem(PSNR, "input+blur1", PSNR["sr-edsr-stage2"] + 0.5)
    write_scores("sr-input", ["input", "input+blur1"])
    said = made().said
    assert "Use sr-edsr-stage2 : the best" not in said and "Use none. Nearest comes sr-edsr-stage2" in said  # it is no network
    assert "It is worse than input+blur1 , the best that the input is without any learning: PSNR ↑ -0." in said


def test_a_row_that_scenes_do_not_tell_from_the_best_is_a_tie(project, monkeypatch):
    monkeypatch.setitem(PSNR, "sr-edsr-gan", 21.39)
    write_scores("sr-edsr", ENTRIES["sr-edsr"])
    found = made()
    assert "1 of 3 other rows cannot be told from it by these 4 scenes: sr-edsr-gan ." in found.said
    assert LEVELS["close"] in found.said
    line = found.text[found.text.index('<tr data-row="sr-edsr-gan"') :]
    assert re.search(r'class="tie">25\.89<', line[: line.index("</tr>")])  # 21.39 and 4.5 for the scenes


def test_lpips_decides_where_it_is(project):
    for key, rows in ENTRIES.items():
        write_scores(key, rows, ("psnr", "lpips_alex", "niqe"))
    said = made().said
    assert "the best LPIPS-Alex on captures" in said and "by PSNR alone" not in said
    assert "gains in LPIPS-Alex over sr-edsr (positive: better)" in said
    assert "No other row that can be used has a better PSNR." in said
    assert page.PAGE.read_text().count('<svg class="plot"') == 2  # LPIPS and NIQE


def test_captures_without_truth_give_the_choice_a_contact_sheet_and_no_plot(project):
    for key, rows in ENTRIES.items():
        write_scores(key, rows, ("niqe",))
        write_crops(key, rows, truth=False)
    found = made()
    assert "Use sr-edsr-stage2 : chosen by NIQE, without truth" in found.said and LEVELS["unproven"] in found.said
    assert "These captures have no truth." in found.said and "Contact sheet: 4 scenes" in found.said
    assert "without truth there is no PSNR" in found.said and '<svg class="plot"' not in found.text
    assert "truth" not in {image["data-row"] for image in found.all("img")}
    assert len(found.all("img")) == 3 * (len(ROWS) + 1) + 4 * 3  # and capture, stage 1 and choice of each scene
    write_choice("")
    assert "No row can be named." in made().said and LEVELS["none"] in made().said


def test_an_ensemble_is_a_row_with_the_trainings_of_all_its_members(project, monkeypatch):
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
    assert "Use both : the best PSNR on captures" in found.said and "restore photos -o restored --model both " in found.said
    assert "better than each of the other 4 rows" in found.said
    assert "mean of several networks made of sr-edsr and sr-edsr-stage2" in found.said
    (line,) = (line for line in costs.section(page.load_sources(), collect(page.load_sources(), "sr", Path("data/bench/sr")))
               if line.startswith("| both "))
    steps = f"{values['stage1']['steps'] + values['stage2']['steps']:,}"
    assert [cell.strip() for cell in line.split("|")][2:-1] == ["both", "1,234", steps, "0.0", steps, "0.0"]
    line = found.text[found.text.index('<tr class="used" data-row="both"') :]
    assert "ensemble" in line[: line.index("</tr>")] and 'class="best"' in line[: line.index("</tr>")]
    assert (project / "metrics/pictures/sr/both.png").is_file()


def test_no_pictures_and_no_networks_are_said(project):
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


def test_scores_that_are_missing_are_named(project):
    (project / "data/bench/sr/sr-input.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"data/bench/sr/sr-input\.json is missing"):
        page.main()


def test_scenes_are_picked_by_what_is_gained():
    ours = {("a", "1"): {"psnr": 20.0}, ("a", "2"): {"psnr": 24.0}, ("b", "1"): {"psnr": 30.0}, ("c", "1"): {"psnr": 10.0},
            ("d", "1"): {"psnr": 11.0}, ("e", "1"): {"psnr": 50.0}}
    base = {("a", "1"): {"psnr": 19.0}, ("a", "2"): {"psnr": 21.0}, ("b", "1"): {"psnr": 31.0}, ("c", "1"): {"psnr": 9.5},
            ("d", "1"): {"psnr": 11.0}}
    metric, found = gains(ours, base, ["a", "b", "c", "d", "e"])
    assert metric == "psnr" and found == {"a": 2.0, "b": -1.0, "c": 0.5, "d": 0.0}  # e has no base
    assert picks(found) == [Pick("worst", "b", -1.0), Pick("median", "d", 0.0), Pick("best", "a", 2.0)]
    assert picks({"a": 1.0, "b": 0.0}) == [Pick("worst and median", "b", 0.0), Pick("best", "a", 1.0)]
    assert picks({"a": 1.0}) == [Pick("worst and median and best", "a", 1.0)] and picks({}) == []
    lower = {key: {"lpips_alex": 0.4, **scores} for key, scores in ours.items()}
    assert gains(lower, {("a", "1"): {"lpips_alex": 0.5, "psnr": 0}}, ["a"])[1] == pytest.approx({"a": 0.1})  # lower is better
    assert gains({("a", "1"): {"niqe": 5.0}}, None, ["a"]) == ("niqe", {"a": -5.0}) and gains({}, None, ["a"]) is None


def test_each_network_has_a_picture_of_the_same_scenes(project):
    made()
    folder = project / "metrics/pictures/sr"
    assert {path.stem for path in folder.iterdir()} == {row for row in ROWS if row != "input" and "+" not in row}
    image = np.asarray(Image.open(folder / "sr-edsr-stage2.png"))
    assert image.shape == (LABEL + 4 * (36 + GAP), GAP + 3 * (36 + GAP), 3)  # of 12 pixels, by 3
    for line, scene in enumerate(SCENES_HERE):
        for column, name in enumerate(("inputs", "sr-edsr-stage2", "targets")):
            top, left = LABEL + line * (36 + GAP), GAP + column * (36 + GAP)
            assert (image[top : top + 36 : 3, left : left + 36 : 3] == picture(name, scene)).all()


def test_little_room_leaves_out_controls_and_then_scenes(project):
    kinds = {row: "control" if "+" in row else "stage 1" for row in ROWS}
    folders = [project / "data/crops/sr" / key for key in ENTRIES]

    class NoScores:
        rows = [{}]

    size = len(gallery(folders, kinds, "sr-edsr", "", {"captures": NoScores}, 10**9).scenes[0].figures[0].source)
    full = 3 * (len(ROWS) + 2) * size
    counts = {}
    for budget in (full + 100, full - 1, 2 * size):
        found = gallery(folders, kinds, "sr-edsr", "", {"captures": NoScores}, budget)
        counts[budget] = [len(scene.figures) for scene in found.scenes], " ".join(found.notes)
    assert [count for count, _ in counts.values()] == [[8] * 3, [7] * 3, [7]]
    assert [bool(note) for _, note in counts.values()] == [False, True, True]
    assert "first scenes, as no score" in found.rule


def test_crops_are_where_the_detail_of_the_truth_is(tmp_path):
    rng = np.random.default_rng(0)
    truth = np.zeros((300, 260, 3), np.uint8)
    truth[160:240, 40:120] = rng.integers(0, 256, (80, 80, 3))
    small = truth[::2, ::2].copy()
    top, left, side = window(small, truth, 2)
    assert side == SIDE // 2 and 2 * top <= 160 and 2 * (top + side) >= 240 and 2 * left <= 40 and 2 * (left + side) >= 120
    assert window(np.zeros((20, 31, 3), np.uint8), None, 1)[2] == 20
    for name, image in (("inputs", small), ("targets", truth)):
        with ShardWriter(folder_of(tmp_path, name, "captures")) as writer:
            for view in ("1", "2"):
                writer.add(view, "s", image)
    write_absent(folder_of(tmp_path, "inputs", "synthetic"), "nothing")
    crops = SceneCrops(tmp_path, 2)
    with ShardWriter(tmp_path / "made") as writer:
        for view in ("1", "2"):
            writer.add(view, "s", 255 - truth)
    crops.take("row", "captures-far", Shard(tmp_path / "made"))  # another set: left alone
    crops.take("row", "captures", Shard(tmp_path / "made"))
    crops.write(tmp_path / "out")
    outputs, targets, inputs = (Shard(tmp_path / "out" / name) for name in ("outputs", "targets", "inputs"))
    assert outputs.names == targets.names == inputs.names == ["1"] and outputs.images[0]["row"] == "row"
    assert (outputs[0] == 255 - targets[0]).all() and (targets[0][::2, ::2] == inputs[0]).all()
    assert inputs[0].shape == (48, 48, 3)
    for name in ("inputs", "targets"):
        shutil.rmtree(folder_of(tmp_path, name, "captures"))
        write_absent(folder_of(tmp_path, name, "captures"), "no captures")
    SceneCrops(tmp_path, 2).write(tmp_path / "none")
    assert Shard(tmp_path / "none/outputs").absent == "no captures"


def test_one_image_per_scene_and_not_too_many_scenes():
    assert first_of_scenes(["b", "b", "a", "b", "c"]) == [0, 2, 4]
    many = first_of_scenes([str(i) for i in range(3 * SCENES)])
    assert len(many) == SCENES and many[:2] == [0, 3] and many[-1] == 3 * SCENES - 3


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


def test_what_a_network_comes_from_is_told(project):
    lineage = graph(load())
    assert lineage.ancestors(["sr-edsr-round2"]) == ["sr-edsr-round2", "sr-edsr-stage2", "sr-edsr"]
    assert lineage.nodes["sr-edsr-oracle"].targets == "sets/sr-truth"
    assert lineage.nodes["sr-edsr-gan"].inputs == "pairs/sr/inputs"
    found = made()
    assert found.text.count('<svg class="chart"') == 2 + 2  # strengths; loss and validation of the one network with a curve
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


def test_the_page_shows_what_other_strengths_of_the_row_score(project):
    found = made()
    assert "PSNR is best at 0.75: 23.00; at 1 it is 22.50." in found.said
    assert "LPIPS-Alex is best at 1.25: 2.0000; at 1 it is 3.0000." in found.said
    assert found.text.count("strength 1.5</text>") == 2
