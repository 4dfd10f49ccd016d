"""Crops, the places that are picked of them, and the page's pictures."""
import base64
import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from tiny import ENTRIES, ROWS, SCENES_HERE, made, picture, project  # noqa: F401

from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.images.test_sets import folder_of
from pipeline.report.crops import DETAIL, RANDOM, SCENES, SIDES, SceneCrops, first_of_scenes, windows
from pipeline.report.gallery import GAP, LABEL, Shown, gallery
from pipeline.report.places import ANY, LEAST, MOST, SIDE, gains, most_different, places
from pipeline.stages import page


def test_every_row_and_picture_is_there_and_nothing_comes_from_elsewhere(project):  # noqa: F811
    found = made()
    assert not found.open
    assert {line.get("data-row") for line in found.all("tr")} == {None, *ROWS}
    sources = [value for _, each in found.attributes for name, value in each.items()
               if name in ("src", "href", "srcset", "data")]
    assert sources and all(value.startswith(("data:", "#")) for value in sources)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", found.text).replace("  // ", ""))
    pictures = found.all("img")
    scenes = found.text.count('<section class="scene"')
    kinds = len(set(re.findall('data-title="(.*?):', found.text)))  # of places: of the first of each there are all rows
    assert len(pictures) == 4 * scenes + kinds * (len(ROWS) - 2)
    for image in pictures:
        head, _, body = image["src"].partition(",")
        assert head == "data:image/png;base64"
        scene = re.fullmatch(r".* of scene (.*)", image["alt"]).group(1)
        row = {"capture": "inputs", "truth": "targets"}.get(image["data-row"], image["data-row"])
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(body, validate=True))))
        assert (shown == picture(row, scene)).all() or (shown == picture(row, scene)[::-1]).all()
    ids = [each["id"] for _, each in found.attributes if "id" in each]
    assert len(ids) == len(set(ids)) and {value[1:] for value in sources if value.startswith("#")} <= set(ids)
    assert page.PAGE.stat().st_size < 20e6
    assert "sr-edsr-stage2-weights"[:16] in found.said and "28.907" in found.said and "Them (1999)" in found.said


def test_the_row_stands_beside_the_input_the_best_control_and_the_truth(project):  # noqa: F811
    found = made()
    scenes = found.text.split('<section class="scene"')[1:]
    kinds = [re.search("<h5>(.*?): ", scene).group(1) for scene in scenes]
    assert kinds in ([MOST] * 3 + [ANY] * 3, [MOST] * 3 + [LEAST] + [ANY] * 3)
    for scene in (scenes[0], scenes[-3]):
        first, others = scene.split("<details>")[:2]
        assert re.findall('data-row="(.*?)"', first) == ["input", "sr-edsr+sharpen30", "sr-edsr-stage2", "truth"]
        assert re.findall('data-row="(.*?)"', others) == ["capture", "sr-edsr", "sr-edsr-gan", "sr-edsr-round2"]
    assert "where sr-edsr-stage2 differs most from input and sr-edsr+sharpen30 , whichever is nearer" in found.said


def test_what_a_row_gains_scene_by_scene():
    ours = {("a", "1"): {"psnr": 20.0}, ("a", "2"): {"psnr": 24.0}, ("b", "1"): {"psnr": 30.0}, ("c", "1"): {"psnr": 10.0},
            ("d", "1"): {"psnr": 11.0}, ("e", "1"): {"psnr": 50.0}}
    base = {("a", "1"): {"psnr": 19.0}, ("a", "2"): {"psnr": 21.0}, ("b", "1"): {"psnr": 31.0}, ("c", "1"): {"psnr": 9.5},
            ("d", "1"): {"psnr": 11.0}}
    metric, found = gains(ours, base, ["a", "b", "c", "d", "e"])
    assert metric == "psnr" and found == {"a": 2.0, "b": -1.0, "c": 0.5, "d": 0.0}  # e has no base
    lower = {key: {"lpips_alex": 0.4, **scores} for key, scores in ours.items()}
    assert gains(lower, {("a", "1"): {"lpips_alex": 0.5, "psnr": 0}}, ["a"])[1] == pytest.approx({"a": 0.1})  # lower is better
    assert gains({("a", "1"): {"niqe": 5.0}}, None, ["a"]) == ("niqe", {"a": -5.0}) and gains({}, None, ["a"]) == ("", {})


def squares(offsets: dict[str, dict[tuple[int, int], int]], size: int = SIDE) -> dict[str, np.ndarray]:
    """Name -> a grey picture with steps of some levels in squares of SIDE pixels."""
    found = {}
    for name, steps in offsets.items():
        found[name] = np.full((size, size, 3), 100, np.uint8)
        for (top, left), step in steps.items():
            found[name][top : top + SIDE, left : left + SIDE] += np.uint8(step)
    return found


def test_places_are_where_a_row_is_far_from_all_that_it_is_to_beat():
    crops = squares({"row in": {}, "row control": {(0, SIDE): 2}, "row ours": {(0, SIDE): 14, (SIDE, 0): 13}}, 2 * SIDE)
    crops["capture"] = np.zeros((SIDE, SIDE, 3), np.uint8)
    names = ["row in", "row control", "row ours"]
    place = most_different(MOST, "s", crops, names)
    assert (place.top, place.left, place.side, place.difference) == (SIDE, 0, SIDE, 13)  # the 14 are 12 over the control
    assert place.of(crops["capture"], crops).shape == (SIDE // 2, SIDE // 2, 3)
    assert place.of(np.arange(SIDE * SIDE).reshape(SIDE, SIDE), crops)[0, 0] == SIDE // 2 * SIDE
    rng = np.random.default_rng(3)
    crops = {name: rng.integers(0, 256, (SIDE + 30, SIDE + 30, 3), np.uint8) for name in names}
    found = {(i, j): min(np.abs(crops["row ours"].astype(int) - crops[name])[i : i + SIDE, j : j + SIDE].mean()
                         for name in names[:2]) for i in range(0, 31, 8) for j in range(0, 31, 8)}
    place = most_different(MOST, "s", crops, names)
    assert (place.top, place.left) == max(found, key=found.get) and place.difference == pytest.approx(max(found.values()))
    assert most_different(MOST, "s", squares({"row ours": {}}, 20), ["row in", "row ours"]).side == 20  # alone, and small
    third = {"row ours": np.zeros((300, 300, 3), np.uint8), "capture": np.zeros((100, 100, 3), np.uint8)}
    third["row in"] = 255 * np.tri(300, dtype=np.uint8)[..., None].repeat(3, 2)
    place = most_different(MOST, "s", third, ["row in", "row ours"])
    assert place.top % 3 == place.left % 3 == place.side % 3 == 0 < place.top  # whole pixels of the capture


def test_places_come_from_different_scenes_the_least_gain_and_the_draw():
    scenes = {name: squares({"row in": {}, "row ours": {(0, 0): step}}) for name, step in
              {"a": 1, "b": 5, "c": 3, "d": 2, "e": 4}.items()}
    scenes["f"] = squares({"row in": {}})  # without an output
    crops = {DETAIL: scenes, RANDOM: scenes}
    found = places(crops, ["row in", "row ours"], {"a": -1.0, "b": 2.0, "f": -9.0}, 1)
    assert [(place.what, place.scene) for place in found[:3]] == [(MOST, "b"), (MOST, "e"), (MOST, "c")]
    assert [place.what for place in found[3:]] == [ANY] * 3  # f, which gains least, has no output
    found = places(crops, ["row in", "row ours"], {"a": -1.0, "b": 2.0}, 1)
    assert [(place.what, place.scene) for place in found[3:4]] == [(LEAST, "a")]
    drawn = [[place.scene for place in places(crops, ["row in", "row ours"], {}, seed) if place.what == ANY]
             for seed in range(9)]
    assert all(len(set(names)) == 3 and "f" not in names for names in drawn) and len({*map(tuple, drawn)}) > 1


def test_each_network_has_a_picture_of_the_same_scenes(project):  # noqa: F811
    made()
    folder = project / "metrics/pictures/sr"
    assert {path.stem for path in folder.iterdir()} == {row for row in ROWS if row != "input" and "+" not in row}
    image = np.asarray(Image.open(folder / "sr-edsr-stage2.png"))
    assert image.shape == (LABEL + 4 * (36 + GAP), GAP + 3 * (36 + GAP), 3)  # of 12 pixels, by 3
    for line, scene in enumerate(SCENES_HERE):
        for column, name in enumerate(("inputs", "sr-edsr-stage2", "targets")):
            top, left = LABEL + line * (36 + GAP), GAP + column * (36 + GAP)
            assert (image[top : top + 36 : 3, left : left + 36 : 3] == picture(name, scene)[::-1]).all()


def test_little_room_leaves_out_other_rows_and_then_places(project):  # noqa: F811
    kinds = {row: "control" if "+" in row else "stage 1" for row in ROWS}
    folders = [project / "data/crops/sr" / key for key in ENTRIES]

    class NoScores:
        rows = [{}]

    def counts(budget: int) -> list[tuple[int, int]]:
        found = gallery(folders, kinds, Shown("sr-edsr", "input", "sr-edsr+sharpen30"), {"captures": NoScores}, 1, budget)
        assert bool(found.notes) == (budget < 10**9)
        return [(len(scene.figures), len(scene.others)) for scene in found.scenes]

    size = len(gallery(folders, kinds, Shown("sr-edsr", "", ""), {"captures": NoScores}, 1, 10**9).scenes[0].figures[0].source)
    assert counts(10**9) == [(4, 4), (4, 0), (4, 0)] * 2
    assert counts(6 * 4 * size + 1000) == [(4, 0)] * 6 and counts(2 * size) == [(4, 0)] * 2


def test_an_input_that_is_a_row_is_not_shown_twice(project):  # noqa: F811
    for key in ENTRIES:
        shutil.rmtree(f"data/crops/sr/{key}/inputs")
        with ShardWriter(f"data/crops/sr/{key}/inputs") as writer:
            for scene in SCENES_HERE:
                for place in (DETAIL, RANDOM):
                    writer.add(f"{scene}-0", scene, picture("input", scene), place=place, test_set="captures")
    assert "capture" not in {image["data-row"] for image in made().all("img")}


def test_crops_are_where_the_detail_of_the_truth_is_and_anywhere(tmp_path):
    rng = np.random.default_rng(0)
    truth = np.zeros((600, 520, 3), np.uint8)
    truth[320:480, 80:240] = rng.integers(0, 256, (160, 160, 3))
    small = truth[::2, ::2].copy()
    found = windows(small, truth, 2, rng)
    top, left, side = found[DETAIL]
    assert side == SIDES[DETAIL] // 2
    assert 2 * top <= 320 and 2 * (top + side) >= 480 and 2 * left <= 80 and 2 * (left + side) >= 240
    drawn = [windows(small, truth, 2, rng)[RANDOM] for _ in range(100)]
    assert {window.side for window in drawn} == {SIDES[RANDOM] // 2}
    for places_of, length in (([window.top for window in drawn], 300), ([window.left for window in drawn], 260)):
        most = length - SIDES[RANDOM] // 2
        assert 0 <= min(places_of) < 0.1 * most and 0.9 * most < max(places_of) <= most
    assert {window.side for window in windows(np.zeros((20, 31, 3), np.uint8), None, 1, rng).values()} == {20}
    for name, image in (("inputs", small), ("targets", truth)):
        with ShardWriter(folder_of(tmp_path, name, "captures")) as writer:
            for view in ("1", "2"):
                writer.add(view, "s", image)
    write_absent(folder_of(tmp_path, "inputs", "synthetic"), "nothing")
    crops = SceneCrops(tmp_path, 2, 1)
    with ShardWriter(tmp_path / "made") as writer:
        for view in ("1", "2"):
            writer.add(view, "s", 255 - truth)
    crops.take("row", "captures-far", Shard(tmp_path / "made"))  # another set: left alone
    crops.take("row", "captures", Shard(tmp_path / "made"))
    crops.write(tmp_path / "out")
    outputs, targets, inputs = (Shard(tmp_path / "out" / name) for name in ("outputs", "targets", "inputs"))
    assert outputs.names == targets.names == inputs.names == ["1", "1"] and outputs.images[0]["row"] == "row"
    assert [entry["place"] for entry in outputs.images] == [DETAIL, RANDOM]
    for i, side in enumerate(SIDES.values()):
        assert (outputs[i] == 255 - targets[i]).all() and (targets[i][::2, ::2] == inputs[i]).all()
        assert inputs[i].shape == (side // 2, side // 2, 3)
    for name in ("inputs", "targets"):
        shutil.rmtree(folder_of(tmp_path, name, "captures"))
        write_absent(folder_of(tmp_path, name, "captures"), "no captures")
    SceneCrops(tmp_path, 2, 1).write(tmp_path / "none")
    assert Shard(tmp_path / "none/outputs").absent == "no captures"


def test_one_image_per_scene_and_not_too_many_scenes():
    assert first_of_scenes(["b", "b", "a", "b", "c"]) == [0, 2, 4]
    many = first_of_scenes([str(i) for i in range(3 * SCENES)])
    assert len(many) == SCENES and many[:2] == [0, 3] and many[-1] == 3 * SCENES - 3
