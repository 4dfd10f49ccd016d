import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, change, smooth_image, write_shard
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.compare import windows as windows_module
from pipeline.compare.against import tone_fit
from pipeline.compare.likeness import WAVELENGTHS, compare
from pipeline.compare.likeness_text import numbers
from pipeline.compare.windows import common_side, windows
from pipeline.core.params import load
from pipeline.degrade.basics import jpeg
from pipeline.degrade.bicubic import downscale
from pipeline.images.shards import Shard, write_absent
from pipeline.score import critic

BENCH = load(ROOT / "params.yaml").bench
LUMA, CHROMA = 0.299**2 + 0.587**2 + 0.114**2, (0.168736**2 + 0.331264**2 + 0.418688**2 + 0.081312**2 + 2 * 0.5**2) / 2
SIZE = (139, 151)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scenes(seed: int, count: int = 10, size=SIZE, gain=lambda f: 1.0) -> list[np.ndarray]:
    """Float images in levels about 128 with the spectrum of photographs, seen through a gain of frequency."""
    f = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None])
    shape = gain(f) / np.maximum(f, 0.02)
    draw = np.random.default_rng(seed)
    planes = [np.fft.irfft2(np.fft.rfft2(draw.standard_normal(size)) * shape, size) for _ in range(4 * count)]
    return [128 + 5 * (a[..., None] + 0.6 * np.stack(rgb, -1)) for a, *rgb in zip(*(planes[k::4] for k in range(4)))]


def shard(images: list[np.ndarray]) -> Shard:
    """Float images, rounded, as a shard in the current folder."""
    folder = Path(f"shard{len(list(Path().glob('shard*')))}")
    write_shard(folder, {f"scene{i:03d}": np.clip(np.round(image), 0, 255).astype(np.uint8) for i, image in enumerate(images)})
    return Shard(folder)


def compared(captures, inputs, truth=None, targets=None, steps=1):
    """Both sides' numbers, and all that was found; `steps` of the critic, of which an AUC takes 30."""
    clean = (shard(truth), shard(targets)) if truth else None
    bench = BENCH.model_copy(update={"critic_steps": steps})
    found = compare(shard(captures), shard(inputs), clean, ("sets.a", "pairs.b"), bench)
    return numbers(found.captures, found.block), numbers(found.synthetic, found.block), found


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(critic, "PATCHES", 64)


@pytest.fixture
def many_patches(monkeypatch):
    monkeypatch.setattr(critic, "PATCHES", 512)


def test_a_set_and_itself_are_alike():
    images = scenes(0, 4)
    ours, theirs, found = compared(images, images)
    assert ours == theirs and found.auc == {"captures and inputs": {"as they are": 0.5, "even tone": 0.5}}
    assert ours["windows"] == 4 and ours["amplitude"]["luma"].keys() == {f"{w:g} px" for w in WAVELENGTHS}


def test_two_draws_of_one_distribution_are_alike(many_patches):
    ours, theirs, found = compared(scenes(0, 24), scenes(1, 24), steps=30)
    for channel in ("luma", "chroma"):
        for wavelength, value in ours["amplitude"][channel].items():
            assert theirs["amplitude"][channel][wavelength] == pytest.approx(value, rel=0.2 if wavelength == "40 px" else 0.06)
    assert all(found.auc["captures and inputs"][how] == pytest.approx(0.5, abs=0.1) for how in ("as they are", "even tone"))


def test_a_gaussian_blur_has_its_closed_form_in_ratio_and_transfer():
    sigma = 0.6
    sharp, soft = scenes(2), scenes(2, gain=lambda f: np.exp(-2 * np.pi**2 * sigma**2 * f**2))
    ours, theirs, found = compared(sharp, soft, sharp, sharp)
    for channel in ("luma", "chroma"):
        for wavelength in WAVELENGTHS:
            wanted, name = np.exp(-2 * np.pi**2 * sigma**2 / wavelength**2), f"{wavelength:g} px"
            ratio = theirs["amplitude"][channel][name] / ours["amplitude"][channel][name]
            assert ratio == pytest.approx(wanted, rel=0.03), name
            assert theirs["transfer"][channel][name] == pytest.approx(wanted, rel=0.03), name
            assert ours["transfer"][channel][name] == pytest.approx(1, abs=1e-9)
        lost, added = (theirs[what][channel]["2-2.8 px"] for what in ("residual", "added"))
        assert lost > 1.5 and added < 0.25 * lost  # two roundings, and the gain of each window
    assert found.auc["their clean sides"] == {"as they are": 0.5, "even tone": 0.5}


def test_noise_adds_to_the_residual_what_theory_says_and_nothing_to_the_transfer():
    truth, draw, s = scenes(3, 24), np.random.default_rng(0), 5
    truth = [128 + 0.5 * (image - 128) for image in truth]  # away from black and white, which cut noise off
    noisy = [np.round(image) + s * draw.standard_normal(image.shape) for image in truth]
    ours, theirs, _ = compared(truth, noisy, truth, truth)
    for channel, weight in (("luma", LUMA), ("chroma", CHROMA)):
        for band, value in theirs["residual"][channel].items():
            short, long = map(float, band.removesuffix(" px").split("-"))
            area = np.pi * (1 / short**2 - 1 / long**2)
            wanted = pytest.approx(np.sqrt((s**2 + 1 / 12) * weight * area), rel=0.12 if long == 40 else 0.05)
            assert value == wanted and theirs["added"][channel][band] == wanted, band
            assert ours["residual"][channel][band] == pytest.approx(0, abs=1e-6)
        for wavelength, value in theirs["transfer"][channel].items():
            assert value == pytest.approx(1, abs=0.1), wavelength


def test_noise_and_jpeg_quality():
    draw, flat = np.random.default_rng(0), np.full((*SIZE, 3), 120.0)
    captures = [np.hstack([flat + 4 * draw.standard_normal(flat.shape), image]) for image in scenes(9, 3)]
    inputs = [jpeg(np.clip(np.round(image), 0, 255).astype(np.uint8), 60) for image in scenes(9, 3)]
    ours, theirs, _ = compared(captures, inputs)
    assert ours["white_noise"] == pytest.approx(4, rel=0.05)
    assert ours["jpeg_quality"] == {"found": [], "of": 3} and theirs["jpeg_quality"] == {"found": [60] * 3, "of": 3}


def test_a_tone_shift_shows_in_the_tone_and_not_in_the_residual(monkeypatch):
    truth = scenes(4, 16)
    dark = [0.7 * image + np.array([5, 10, 20]) for image in truth]
    ours, theirs, _ = compared(dark, truth, truth, truth)
    for channel, offset in zip("RGB", (5, 10, 20)):
        mean, contrast = (theirs["tone"][tone][channel][0] for tone in ("mean", "contrast"))
        assert ours["tone"]["mean"][channel][0] == pytest.approx(0.7 * mean + offset, abs=0.2)
        assert ours["tone"]["contrast"][channel][0] == pytest.approx(0.7 * contrast, rel=0.01)
        assert ours["gain"][channel] == pytest.approx([0.7, 0], abs=0.01) and theirs["gain"][channel] == pytest.approx([1, 0])
        assert ours["shift"][channel][0] == pytest.approx(offset - 0.3 * mean, abs=0.2)
        assert ours["shift"][channel][1] > 0.5  # as the means of scenes differ
    assert ours["tone"]["white"]["G"][0] < theirs["tone"]["white"]["G"][0] - 20
    assert max(value for bands in ours["residual"].values() for value in bands.values()) < 0.3  # two roundings
    monkeypatch.setattr(critic, "PATCHES", 512)
    told = compared(dark, truth, steps=30)[2].auc["captures and inputs"]
    assert told["as they are"] > 0.8 and told["even tone"] == pytest.approx(0.5, abs=0.15)


def test_texture_is_told_in_spite_of_even_tone(many_patches):
    draw = np.random.default_rng(1)
    noisy = [image + 25 * draw.standard_normal(image.shape) for image in scenes(5, 16)]
    assert compared(scenes(6, 16), noisy, steps=40)[2].auc["captures and inputs"]["even tone"] > 0.8


def test_clean_images_of_another_scale_are_reduced():
    large = scenes(7, 4, (2 * SIZE[0], 2 * SIZE[1]))
    small = [downscale(np.clip(np.round(image), 0, 255).astype(np.uint8), 2) for image in large]
    ours, theirs, _ = compared(small, small, large, large)
    assert ours == theirs
    assert ours["transfer"]["luma"]["3 px"] == pytest.approx(1, abs=0.01)  # all but the windows' borders
    assert all(value < 0.3 for value in ours["residual"]["luma"].values())


def test_tone_fit_is_the_least_squares_line():
    x, y = (smooth_image(np.random.default_rng(seed), 41, 37) for seed in (0, 1))
    gain, shift, contrast = tone_fit(y, x)
    for channel in range(3):
        slope, offset = np.polyfit(x[..., channel].ravel().astype(float), y[..., channel].ravel(), 1)
        assert gain[channel] == pytest.approx(slope)
        assert shift[channel] == pytest.approx(slope * x[..., channel].mean() + offset - x[..., channel].mean())
    assert contrast == pytest.approx(x.std(axis=(0, 1)))


def test_windows_are_of_one_size_on_the_grid_and_bounded(monkeypatch):
    draw = np.random.default_rng(0)
    images = shard([draw.integers(0, 256, (*size, 3)) for size in [(200, 300), (97, 101), (90, 500), (61, 70), (203, 99)]])
    crops = shard([draw.integers(0, 256, (99, 98, 3)) for _ in range(3)])
    side = common_side({"a": images, "b": crops})
    assert side == 96
    cut = windows(images, side, 1)
    assert [image for image, _, _ in cut.places] == [0] * 6 + [1] + [4] * 2  # as many as lie side by side
    for window, (image, top, left) in zip(cut, cut.places):
        assert top % 8 == left % 8 == 0 and (window == images[image][top : top + 96, left : left + 96]).all()
        assert window.shape == (96, 96, 3)
    assert cut.scenes == ["scene000"] * 6 + ["scene001"] + ["scene004"] * 2
    assert windows(images, side, 1).places == cut.places != windows(images, side, 2).places
    monkeypatch.setattr(windows_module, "PIXELS", 5 * 96 * 96)
    assert [image for image, _, _ in windows(images, side, 1).places] == [0, 1, 4]
    monkeypatch.setattr(windows_module, "PIXELS", 2 * 96 * 96)
    assert len(windows(images, side, 1)) == 2
    with pytest.raises(ValueError, match="a: half of the images are 15 pixels across or less, wanted 16"):
        common_side({"a": shard([np.zeros((15, 90, 3))])})


def test_grey_images_have_no_chroma_and_small_ones_no_long_waves():
    grey = [np.repeat(image[:41, :37].mean(axis=2, keepdims=True), 3, axis=2) for image in scenes(8, 6)]
    ours, theirs, found = compared(grey, grey, grey, grey)
    assert found.side == 32 and found.notes == ["Wavelengths above 21 pixels are left out: the images hold blocks of 32."]
    assert list(ours["amplitude"]["luma"])[0] == "20 px" and ours["amplitude"]["chroma"] == ours["transfer"]["chroma"] == {}
    assert "20-40 px" not in ours["residual"]["luma"] and "10-20 px" in ours["residual"]["luma"]


def run(*arguments):
    return CliRunner().invoke(app, ["likeness", *map(str, arguments)])


def test_the_command_prints_and_writes_the_same_twice(tiny_project):
    change(bench={"critic_steps": 2})
    texts = []
    for name in ("a", "b"):
        result = run("sr-captures", "sr", "--truth", "sr-truth", "--out", f"out/{name}.md")
        assert result.exit_code == 0, result.output
        texts.append((tiny_project / f"out/{name}.md").read_text())
    assert texts[0] == texts[1] and (tiny_project / "out/a.json").read_bytes() == (tiny_project / "out/b.json").read_bytes()
    assert (tiny_project / "out/a.png").read_bytes()[:4] == b"\x89PNG"
    written = json.loads((tiny_project / "out/a.json").read_text())
    assert written["captures"] == written["synthetic"] and written["auc"]["their clean sides"]["even tone"] == 0.5
    for line in ("luma, captures", "synthetic / captures", "Transfer: capture / truth", "Residual", "white noise, levels",
                 "none found in 3", "contrast G", "shift B", "captures and inputs", "Windows of 16 pixels, 6 of 3 captures"):
        assert line in result.output and line in texts[0], line
    alone = run("sr-captures", "sr")
    assert alone.exit_code == 0 and "Without --truth" in alone.output and "Transfer" not in alone.output


@pytest.mark.parametrize("arguments, message", [
    (["nope", "sr"], "sets.nope: no such set, there are clean, deep, "),
    (["sr-captures", "nope"], "pairs.nope: no such entry, there are blindsr, "),
    (["sr-captures", "sr", "--truth", "nope"], "sets.nope: no such set"),
    (["sr-captures", "sr", "--out", "a.txt"], "--out a.txt: wanted a file that ends in .md"),
    (["sr-far", "sr"], "sets.sr-far: data/sets/sr-far/train is not made yet: `dvc repro ingest@sr-far` makes it"),
    (["sr-captures", "sr-bicubic"], "data/pairs/sr-bicubic/inputs/train is not made yet: `dvc repro synthesize@sr-bicubic`"),
    (["sr-far-truth", "sr"], "sets.sr-far-truth: there are no train images: sets.sr-far-truth.folder is data/none"),
    (["odd", "sr", "--truth", "sr-truth"], "sets.odd has 1 image(s) without a partner in sets.sr-truth, the first is 'other'"),
    (["small", "sr"], "sets.small: half of the images are 13 pixels across or less, wanted 16"),
    (["deep", "sr"], "sets.deep: the images are uint16, wanted uint8"),
    (["odd", "screens", "--truth", "sr-truth"], "recipes.toned.target_tone: got photo, wanted clean beside --truth"),
])
def test_mistakes_end_in_one_line(tiny_project, arguments, message):
    entry = load().sets["clean"].model_dump()
    change(sets={name: entry for name in ("odd", "small", "deep")})
    moire = yaml.safe_load((ROOT / "params.yaml").read_text())["recipes"]["moire"]
    change(recipes={"toned": moire | {"target_tone": "photo"}},
           pairs={"screens": {"clean": "clean", "recipe": "toned", "calibration": "none", "scale": 1}})
    image = smooth_image(np.random.default_rng(0), 23, 33)
    write_shard(Path("data/sets/odd/train"), {"other": image})
    write_shard(Path("data/sets/small/train"), {"a": image[:, :13].copy()})
    write_shard(Path("data/sets/deep/train"), {"a": image.astype(np.uint16)})
    write_absent("data/sets/sr-far-truth/train", "sets.sr-far-truth.folder is data/none")
    result = run(*arguments)
    assert result.exit_code == 1 and result.output.startswith("error: ") and message in result.output
    assert result.output.count("\n") == 1 and not isinstance(result.exception, Exception)


def test_a_single_scene_leaves_the_auc_out(tiny_project):
    shutil.rmtree("data/sets/sr-captures/train")
    write_shard(Path("data/sets/sr-captures/train"), {"train0": smooth_image(np.random.default_rng(3), 40, 60)})
    result = run("sr-captures", "sr", "--out", "a.md")
    assert result.exit_code == 0 and "No AUC: a critic held out by scene needs 2 scenes on each side; one has" in result.output
    assert json.loads(Path("a.json").read_text())["auc"] == {}
