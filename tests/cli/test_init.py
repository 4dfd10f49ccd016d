"""`python -m pipeline init`: what it chooses from folders of photos, what it says, and what it refuses."""
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, with_presets
from dvc.utils.hydra import apply_overrides
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.params import load, parse
from pipeline.images.shards import Shard
from pipeline.nets.build import build
from pipeline.stages import ingest
from pipeline.stages import settings as sections

SCALES = {"x4": 4, "x2": 2, "same-size": 1, "screens": 1}
NETWORKS = {"x4": "photos-edsr", "x2": "photos-edsr", "same-size": "photos-edsr", "screens": "photos-dmnet"}


def photos(folder: str, count: int, height: int, width: int, start: int = 0) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for k in range(start, start + count):
        image = np.full((height, width, 3), 16 * (k % 16), np.uint8)
        image[:, : width // 2] = 128
        Image.fromarray(image).save(f"{folder}/{k:03d}.png", compress_level=1)


def init(task: str, *more: str, captures: str = "captures", clean: str = "clean"):
    arguments = ["init", "--captures", captures, "--clean", clean, "--task", task, *more]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def written(task: str, *more: str) -> str:
    done = init(task, *more)
    assert done.exit_code == 0, done.output
    return done.output


def refusal(task: str, *more: str, **folders: str) -> str:
    before = Path("params.yaml").read_bytes()
    done = init(task, *more, **folders)
    assert done.exit_code == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.output
    assert Path("params.yaml").read_bytes() == before and not Path("presets/demo.yaml").exists()
    return done.stderr.removeprefix("error: ").strip()


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def begun(tmp_path_factory) -> Path:
    """The demo's params.yaml and presets, committed; ten captures of 80x120 pixels and twelve clean images of 400x320."""
    folder = tmp_path_factory.mktemp("begun")
    with chdir(folder):
        shutil.copy(ROOT / "params.yaml", ".")
        shutil.copytree(ROOT / "presets", "presets")
        git("init", "-q", "--template=")
        git("add", "-A")
        git("commit", "-q", "-m", "as it comes")
        photos("captures", 10, 80, 120)
        photos("clean", 12, 400, 320)
    return folder


@pytest.fixture
def project(begun, tmp_path, monkeypatch) -> Path:
    """A copy of it, in which the test is."""
    monkeypatch.chdir(shutil.copytree(begun, tmp_path / "project"))
    return tmp_path / "project"


@pytest.mark.parametrize("truth", ["none", "below", "apart"])
@pytest.mark.parametrize("task", SCALES)
def test_the_file_is_short_and_means_what_was_asked(project, task, truth):
    scale, network = SCALES[task], NETWORKS[task]
    folder = {"none": None, "below": "captures/truth", "apart": "truths"}[truth]
    if folder:
        photos(folder, 10, 80 * scale, 120 * scale)
    said = written(task, *(["--truth", folder] if truth == "apart" else []))
    text = Path("params.yaml").read_text()
    assert len(text.splitlines()) <= 60
    p = load()
    key = {"none": "none", "below": "photos-captures/truth", "apart": "photos-truth"}[truth]
    assert set(p.sets) == {"photos-clean", "photos-captures"} | {key} - {"none", "photos-captures/truth"}
    assert all(Path(entry.folder).is_absolute() and Path(entry.folder).is_dir() for entry in p.sets.values())
    assert p.pairs["photos"].scale == scale and p.tests["photos"].truth == key and f"truth: {key}" in said
    assert list(p.systems) == list(p.networks) == [network]
    restored = {"photos-restored"} if task == "same-size" else set()
    assert p.systems[network].teacher == ("photos-restored" if restored else network)
    assert p.chains.keys() == restored and p.pairs["photos"].calibration == ("photos" if restored else "none")
    assert set(p.rows) == {"photos-input"} | restored | ({f"{network}-oracle"} if folder else set())
    assert [entry.truth for entry in p.oracles.values()] == ([key] if folder else [])
    assert build(p.networks[network].arch, p.networks[network].options).scale == scale
    assert {name: (part.val, part.test) for name, part in p.sets.items() if name != "photos-clean"} == dict.fromkeys(
        p.sets.keys() - {"photos-clean"}, (0.1, 0.2))
    assert not any(getattr(p, section) for section in ("builtin", "imports", "ensembles", "far", "labels", "zssr"))
    sections.contents()  # every stage finds its settings


def test_recipes_and_stage_2_are_those_of_the_presets(project):
    written("screens")
    p = load()
    wanted = parse(yaml.safe_load(with_presets("demoire")))
    assert p.recipes["photos-moire"] == wanted.recipes["moire-native"] and p.recipes["photos-moire"].target_tone == "photo"
    system, demo = p.stage2_of("photos-dmnet"), wanted.stage2_of("demoire-dmnet")
    assert (system.discriminator, system.d_lr, system.d_warmup) == (demo.discriminator, demo.d_lr, demo.d_warmup)
    assert system.lambda_ == p.stage2.lambda_ * wanted.systems["demoire-dmnet"].lambda_scale
    written("same-size", "--force")
    p = load()
    wanted = parse(yaml.safe_load(with_presets("optics")))
    assert p.recipes["photos-updown"] == wanted.recipes["estimated"]
    assert p.networks["photos-edsr"].options == wanted.networks["optics-edsr"].options
    written("x4", "--force")
    wanted = load(ROOT / "params.yaml")
    assert load().recipes["photos-random"] == wanted.recipes["random"]


def test_the_demo_is_kept_as_a_preset_and_comes_back(project):
    before = load()
    assert "preset demo" in written("x4")
    assert Path("presets/demo.yaml").read_text().endswith((ROOT / "params.yaml").read_text())
    kept = Path("presets/demo.yaml").read_bytes()
    written("x2", "--force")
    assert Path("presets/demo.yaml").read_bytes() == kept  # params.yaml was not the demo any more
    for task in SCALES:
        written(task, "--force")
        done = CliRunner().invoke(app, ["preset", "demo"], catch_exceptions=False)
        assert done.exit_code == 0 and load() == before, task


def test_what_people_vary_can_be_varied(project):
    written("same-size")
    apply_overrides(Path("params.yaml"), [
        "stage2.lambda=0.01", "stage1.steps=7", "stage1.batch=3", "stage1.patch=24", "stage1.lr=0.1", "+stage1.clip=1",
        "seed=2", "supervised.steps=5", "networks.photos-edsr.options.blocks=1", "pairs.photos.calibration=none",
        "recipes.photos-updown.factors=[2]", "pairs.photos.patches=9"])
    p = load()
    assert (p.stage2.lambda_, p.stage1.steps, p.stage1.clip, p.pairs["photos"].patches) == (0.01, 7, 1, 9)
    for preset in ("tiny", "demo"):
        done = CliRunner().invoke(app, ["preset", preset], catch_exceptions=False)
        assert done.exit_code == 0
        load()


def test_truth_is_cut_in_proportion_and_ingested_alike(project, monkeypatch):
    monkeypatch.setattr("pipeline.cli.init_plan.WHOLE", 0.1)
    monkeypatch.setattr("pipeline.cli.init_plan.PATCHES", 20)
    photos("truths", 10, 160, 240)
    written("x2", "--truth", "truths")
    p = load()
    assert p.sets["photos-truth"].size == 2 * p.sets["photos-captures"].size and p.sets["photos-clean"].patches == 20
    for key in p.sets:
        ingest.main(key)
    captures, truth = (Shard(f"data/sets/{key}/train") for key in ("photos-captures", "photos-truth"))
    assert captures.names == truth.names and len(captures) == 20 and truth[0].shape[0] == 2 * captures[0].shape[0]
    assert [len(Shard(f"data/sets/photos-captures/{part}")) > 0 for part in ("val", "test")] == [True, True]
    assert [len(Shard(f"data/sets/photos-clean/{part}")) > 0 for part in ("val", "test", "holdout")] == [True] * 3


def test_photos_of_one_scene_count_once(project):
    for k in range(10):
        Path(f"captures/{k:03d}.png").rename(f"captures/scene{k // 2}-view{k % 2}.png")
    assert "10 images of 5 scenes" in written("x4")
    assert load().sets["photos-captures"].val == 0.2


def test_it_says_what_it_assumed_and_what_to_change(project):
    said = " ".join(written("x4").split())
    for words in ("10 images of 10 scenes, 120x80", "12 images of 12 scenes, 320x400", "4 times as large",
                  "recipes.photos-random", "val, test in sets.photos-captures", "truth: none", "about an hour on a CPU",
                  "stage2.lambda", "make repro"):
        assert words in said
    head = Path("params.yaml").read_text()[:1500]
    assert "GPU" in head and "preset demo" in head


# What is refused

def test_folders_without_images_are_refused(project):
    Path("empty").mkdir()
    Path("empty/notes.txt").touch()
    assert refusal("x4", captures="empty").startswith(f"--captures: no images in {project}/empty; wanted are ")
    assert refusal("x4", clean="nowhere").startswith(f"--clean: {project}/nowhere cannot be read")
    assert refusal("x4", "--truth", "empty").startswith(f"--truth: no images in {project}/empty")


def test_a_damaged_file_is_refused_by_name(project):
    Path("captures/003.png").write_text("no picture")
    assert refusal("x4") == (f"--captures: {project}/captures/003.png: not a PNG, JPEG, TIFF, WebP or BMP image; "
                             "repair or remove it")


@pytest.mark.parametrize("task, folder, size, wanted", [
    ("x4", "captures", (23, 40), "24x24"), ("x4", "clean", (95, 200), "96x96"), ("x2", "clean", (47, 200), "48x48"),
    ("same-size", "captures", (40, 47), "48x48"), ("screens", "captures", (63, 99), "64x64")])
def test_images_that_are_too_small_are_refused_by_name(project, task, folder, size, wanted):
    photos(folder, 1, *size, start=5)
    assert refusal(task) == (f"--{folder}: {project}/{folder}/005.png is {size[1]}x{size[0]}; "
                             f"wanted for {task} are at least {wanted}")


def test_too_few_scenes_are_refused(project):
    for k in range(3, 10):
        Path(f"captures/{k:03d}.png").unlink()
    assert "holds 3 images of 3 scenes; wanted are at least 4 scenes" in refusal("x4")


def test_truth_of_another_size_is_refused_by_name(project):
    photos("truths", 10, 80, 120)
    assert refusal("x4", "--truth", "truths") == (
        f"--truth: {project}/truths/000.png is 120x80; wanted for x4 is 4 times {project}/captures/000.png, "
        "which is 120x80: 480x320")
    photos("truths", 1, 81, 120, start=7)
    assert f"{project}/truths/007.png is 120x81; wanted for same-size is 1 times" in refusal("same-size", "--truth", "truths")


def test_truth_without_its_capture_and_the_other_way_round_are_refused(project):
    photos("truths", 11, 80, 120)
    assert refusal("same-size", "--truth", "truths") == (
        f"--truth: {project}/truths/010.png has no capture: wanted is an image of the name '010' in {project}/captures "
        "(1 have none)")
    Path("truths/010.png").unlink()
    Path("truths/004.png").unlink()
    assert f"{project}/captures/004.png has no truth" in refusal("same-size", "--truth", "truths")


def test_one_folder_for_two_things_is_refused(project):
    photos("captures/sharp", 12, 400, 320)
    photos("captures/other", 10, 80, 120)
    assert refusal("x4", clean="captures").startswith(f"--captures: {project}/captures is in the folder of --clean")
    assert refusal("x4", clean="captures/sharp").startswith(f"--clean: {project}/captures/sharp is in the folder of --captures")
    assert refusal("same-size", "--truth", "captures/other").endswith(f"or the name {project}/captures/truth")
    shutil.rmtree("captures/sharp")
    shutil.move("captures/other", "captures/truth")
    assert refusal("same-size", clean="captures/truth").startswith(f"--clean: {project}/captures/truth is in the folder of")
    assert "truth: photos-captures/truth" in written("same-size", "--truth", "captures/truth")  # it may be named all the same


def test_changes_that_are_not_committed_are_not_written_over(project):
    with open("params.yaml", "a") as handle:
        handle.write("# mine\n")
    assert refusal("x4") == "params.yaml has changes that are not committed; commit it, or overwrite it with --force"
    written("x4", "--force")
    assert "# mine" in Path("presets/demo.yaml").read_text()
    assert init("x2").exit_code == 1  # as what was written is not committed either
    git("add", "-A")
    git("commit", "-q", "-m", "mine")
    written("x2")


def test_without_git_only_a_new_file_is_written(project):
    shutil.rmtree(".git")
    assert "no git repository that would keep it" in refusal("x4")
    Path("params.yaml").unlink()
    assert "preset demo" not in written("x4").split("Written")[1]
    assert load().tasks and not Path("presets/demo.yaml").exists()


def test_an_unknown_task_names_those_that_are_there(project):
    done = init("x3")
    assert done.exit_code == 2 and all(f"'{task}'" in done.stderr for task in SCALES)
