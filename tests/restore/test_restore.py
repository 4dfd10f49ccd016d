"""`python -m pipeline restore` and its Python side, on folders with all kinds of files."""
import os
import signal
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import smooth_image
from networks import in_one_pass
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.stop import Stop
from pipeline.images.encode import write_png
from pipeline.nets.build import build
from pipeline.restore.batch import restore_all
from pipeline.restore.model import Turned, model_of
from pipeline.restore.network import load_network, save_network
from pipeline.restore.pixels import quantise
from pipeline.restore.plan import Job, PlanError, plan
from pipeline.restore.restorer import Restorer
from pipeline.restore.tiles import restore

OPTIONS = {"scale": 2, "blocks": 1, "features": 4}
RGB = smooth_image(np.random.default_rng(2), 37, 53)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two networks that double, and one photo."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("one", "two")):
        torch.manual_seed(i)
        save_network(tmp_path / "models" / name, build("edsr", OPTIONS), "edsr", OPTIONS, {})
    write_png(tmp_path / "photos/a.png", RGB)
    return tmp_path


def run(*arguments, model="one"):
    return CliRunner().invoke(app, ["restore", *(str(argument) for argument in arguments), "--model", model])


def read(path) -> np.ndarray:
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]


def wanted(image: np.ndarray, dtype="uint8", name="one") -> np.ndarray:
    return quantise(in_one_pass([load_network(Path("models", name))], image), dtype)


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def contents(folder) -> dict:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path(folder).rglob("*") if path.is_file()}


# What is restored into what

def test_folders_keep_their_structure_and_photos_their_format(project):
    for name in ("x/b.jpg", "x/y/c.TIFF", "x/d.webp", "e.bmp"):
        path = project / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RGB).save(path)
    (project / "photos/notes.txt").write_text("no photo")
    (project / "photos/._a.png").write_bytes(b"of another system")
    result = run("photos", "-o", "out")
    assert result.exit_code == 0 and "5 restored" in result.output
    assert files("out") == ["a.png", "e.png", "x/b.jpg", "x/d.webp", "x/y/c.TIFF"]
    assert (read("out/a.png") == wanted(RGB)).all() and (read("out/x/y/c.TIFF") == wanted(RGB)).all()
    assert run("photos", "-o", "all", "--format", "jpg").exit_code == 0
    assert files("all") == ["a.jpg", "e.jpg", "x/b.jpg", "x/d.jpg", "x/y/c.jpg"]


def test_globs_keep_what_is_below_their_fixed_part(project):
    for name in ("x/b.png", "x/y/c.png", "z/d.jpg"):
        write_png(project / "photos" / Path(name).with_suffix(".png"), RGB)
    jobs, _ = plan([Path("photos/**/*.png")], Path("out"))
    assert sorted(str(job.target) for job in jobs) == ["out/a.png", "out/x/b.png", "out/x/y/c.png", "out/z/d.png"]
    assert [str(job.target) for job in plan([Path("photos/*.png")], Path("out"))[0]] == ["out/a.png"]
    with pytest.raises(PlanError, match="no images match"):
        plan([Path("photos/*.jpg")], Path("out"))


def test_every_file_that_is_passed_over_is_counted_and_named(project):
    for name in ("b.jfif", "c.JPE"):
        Image.fromarray(RGB).save(project / "photos" / name, "JPEG")
    for name in ("d.gif", "x/e.gif", "f.avif", "g.ppm", "noending", "notes.txt"):
        (project / "photos/x").mkdir(exist_ok=True)
        (project / "photos" / name).write_bytes(b"any")
    result = run("photos", "-o", "out")
    assert result.exit_code == 0 and "3 restored" in result.output and files("out") == ["a.png", "b.jfif", "c.JPE"]
    assert Image.open("out/b.jfif").format == Image.open("out/c.JPE").format == "JPEG"
    said = next(line for line in result.output.splitlines() if "passed over" in line)
    assert said.startswith("3 restored; 6 files passed over: ") and "2 .gif (photos/d.gif, photos/x/e.gif)" in said
    assert all(name in said for name in ("photos/f.avif", "photos/g.ppm", "photos/noending", "photos/notes.txt"))
    assert "1 file passed over: 1 .gif (photos/d.gif)" in run("photos/[a-d]*", "-o", "globbed").output
    Path("none").mkdir()
    Path("none/d.gif").write_bytes(b"any")
    result = run("none", "-o", "c")
    assert result.exit_code == 1 and "none: no images in this folder; 1 file passed over: 1 .gif (none/d.gif)" in result.output


@pytest.mark.parametrize("named", ["photos", "photos/**/*.png", "photos/*/*.png", "photos/*"])
def test_a_linked_folder_is_refused_by_name_and_one_that_is_named_itself_restored(project, named):
    write_png(project / "store/b.png", RGB)
    os.symlink(project / "store", "photos/linked")
    result = run(named, "-o", "out")
    assert result.exit_code == 1 and not Path("out").exists()
    assert f"photos/linked is a link to the folder {project}/store" in " ".join(result.output.split())
    assert run("photos/linked", "photos/a.png", "-o", "out").exit_code == 0 and files("out") == ["a.png", "b.png"]


def test_a_name_that_looks_alike_is_named(project):
    write_png(project / "photos/e\u0301.png", RGB)
    result = run("photos/\xe9.png", "-o", "out.png")
    assert result.exit_code == 1 and "'e\\u0301.png', not '\\xe9.png'" in result.output


def test_an_output_folder_inside_the_inputs_is_not_restored_again(project):
    assert run("photos", "-o", "photos/out").exit_code == 0
    again = run("photos", "-o", "photos/out")
    assert "0 restored, 1 there already" in again.output and files("photos") == ["a.png", "out/a.png"]


@pytest.mark.parametrize("make, arguments", [
    (lambda: os.symlink("photos", "link"), ["photos", "-o", "link"]),
    (lambda: os.symlink("../photos/a.png", "out/a.png"), ["photos", "-o", "out"]),
    (lambda: os.symlink("photos/a.png", "b.png"), ["b.png", "-o", "photos/a.png"]),
    (lambda: os.link("photos/a.png", "out/a.png"), ["photos", "-o", "out", "--overwrite"]),
    (lambda: None, ["photos/a.png", "-o", "photos/../photos/a.png", "--overwrite"]),
    (lambda: write_png("out/a.png-compare.png", RGB), ["photos/a.png", "out/a.png-compare.png", "-o", "out", "--compare"]),
])
def test_an_input_is_never_overwritten(project, make, arguments):
    (project / "out").mkdir()
    make()
    before = contents(project)
    result = run(*arguments)
    assert result.exit_code == 1 and "would overwrite an input" in result.output and contents(project) == before


def test_a_file_that_is_no_restoration_stays_unless_asked(project):
    write_png(project / "out/a.png", RGB)
    before = contents(project)
    result = run("photos", "-o", "out")
    assert result.exit_code == 1 and "out/a.png is there already and is no restoration" in result.output
    assert contents(project) == before
    assert run("photos", "-o", "out", "--overwrite").exit_code == 0 and (read("out/a.png") == wanted(RGB)).all()


@pytest.mark.parametrize("output, message", [
    ("out.bmp", "read but not written"), ("models/one/manifest.json", "is a file, but not an image")])
def test_outputs_that_cannot_be_written(project, output, message):
    result = run("photos/a.png", "-o", output)
    assert result.exit_code == 1 and message in result.output
    assert run("photos/a.png", "-o", "b.png", "--format", "jpg").exit_code == 1


# Kinds of photos

def test_sixteen_bits_grey_and_alpha_stay(project):
    deep = RGB.astype(np.uint16) * 257
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    alpha[10:20, 10:30], alpha[30:, 5] = 0, 90
    cv2.imwrite("photos/deep.png", deep[..., ::-1])
    Image.fromarray(RGB[..., 0]).save("photos/grey.tiff")
    Image.fromarray(np.dstack((RGB, alpha))).save("photos/alpha.png")
    Image.fromarray(np.dstack((RGB, np.full_like(alpha, 255)))).save("photos/opaque.webp", lossless=True)
    assert run("photos", "-o", "out", "--quality", 100).exit_code == 0
    assert np.abs(read("out/deep.png").astype(int) - wanted(deep, "uint16")).max() <= 1
    assert read("out/grey.tiff").shape == (74, 106)
    restored = read("out/alpha.png")
    assert (restored[..., :3] == wanted(RGB)).all()
    expected = quantise(in_one_pass([load_network("models/one")], np.dstack([alpha] * 3)).mean(axis=2))
    assert (restored[2:18, ..., 3] == 255).all() and (restored[24:36, 24:56, 3] == 0).all()  # as even as they were
    assert (restored[60:, 10:12, 3] == expected[60:, 10:12]).all()
    with Image.open("out/opaque.webp") as opaque:
        assert np.asarray(opaque.convert("RGBA"))[..., 3].min() == 255
    assert run("photos/alpha.png", "-o", "a.jpg").output.startswith("error: photos/alpha.png: JPEG holds no transparency")
    assert run("photos/deep.png", "-o", "deep.jpg").exit_code == 0


def test_the_same_size_leaves_alpha_alone(project):
    options = {"layers": 3, "features": 4}
    save_network(project / "models/x1", build("dncnn", options), "dncnn", options, {})
    noise = np.random.default_rng(0).integers(0, 256, (*RGB.shape[:2], 1)).astype(np.uint8)
    Image.fromarray(np.concatenate((RGB, noise), 2)).save("photos/alpha.png")
    assert run("photos/alpha.png", "-o", "out.png", model="x1").exit_code == 0
    assert (read("out.png")[..., 3] == noise[..., 0]).all()


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_hostile_files_are_named_and_the_others_are_restored(project):
    whole = Path("photos/a.png").read_bytes()
    Image.fromarray(RGB).save("photos/b.jpg")
    hostile = {"truncated.png": whole[:-500], "empty.png": b"", "huge.png": png_claiming(60_000, 60_000),
               "text.jpg": b"not a photo", "gif.png": b"GIF89a" + bytes(30), "cut.jpg": Path("photos/b.jpg").read_bytes()[:900]}
    for name, data in hostile.items():
        Path("photos", name).write_bytes(data)
    Path("photos/fake.jpg").write_bytes(whole)  # a PNG, which is restored as what its name says
    os.symlink("nowhere.png", "photos/dangling.png")
    result = run("photos", "-o", "out")
    assert result.exit_code == 1 and "7 of 10 photos could not be restored; 3 restored" in result.output
    assert "error: photos/dangling.png: a link to a file that is not there" in result.output
    for name in hostile:
        assert f"error: photos/{name}: " in result.output
    assert "60000x60000, allowed are 200 megapixels" in result.output
    assert files("out") == ["a.png", "b.jpg", "fake.jpg"]
    with Image.open("out/fake.jpg") as image:
        assert image.format == "JPEG"


# Going on

def test_what_is_done_is_skipped_until_something_changes(project):
    for name in "bc":
        write_png(project / f"photos/{name}.png", RGB[::-1])
    run("photos", "-o", "out")
    before = contents("out")
    result = run("photos", "-o", "out")
    assert result.exit_code == 0 and "0 restored, 3 there already" in result.output and contents("out") == before
    write_png(project / "photos/b.png", RGB[:20])
    assert "1 restored, 2 there already" in run("photos", "-o", "out").output
    assert read("out/b.png").shape == (40, 106, 3)
    assert "3 restored" in run("photos", "-o", "out", model="two").output
    assert (read("out/a.png") == wanted(RGB, name="two")).all()
    assert "3 restored" in run("photos", "-o", "out", "--ensemble", model="two").output
    ensemble = restore(Turned(model_of(load_network("models/two"))), RGB)
    assert np.abs(read("out/a.png").astype(int) - ensemble).max() <= 1


def test_ctrl_c_leaves_whole_files_and_the_next_run_goes_on(project, monkeypatch):
    for name in "bcd":
        write_png(project / f"photos/{name}.png", RGB)
    polls = iter([None] * 5 + ["SIGINT"])

    def asked(stop):
        stop.signal = signal.SIGINT
        return next(polls)

    with monkeypatch.context() as patch:
        patch.setattr(Stop, "asked", asked)
        result = run("photos", "-o", "out", "--tile", 20)  # six tiles a photo
    assert result.exit_code == 130 and "0 restored, of 4; the same command continues" in result.output and files("out") == []
    with monkeypatch.context() as patch:
        polls = iter([None] * 20 + ["SIGINT"])
        patch.setattr(Stop, "asked", asked)
        result = run("photos", "-o", "out", "--tile", 20)
    there = files("out")
    assert result.exit_code == 130 and 0 < len(there) < 4
    result = run("photos", "-o", "out", "--tile", 20)
    assert result.exit_code == 0 and f"{4 - len(there)} restored, {len(there)} there already" in result.output
    assert all((read(f"out/{name}.png") == wanted(RGB)).all() for name in "abcd")


def test_a_failure_of_any_kind_spares_the_others(project, monkeypatch):
    write_png(project / "photos/b.png", RGB[:30])
    restorer, real = Restorer("one"), Restorer._restored

    def fails_once(self, *arguments):
        monkeypatch.setattr(Restorer, "_restored", real)
        raise KeyError("driver")

    monkeypatch.setattr(Restorer, "_restored", fails_once)
    outcome = restore_all(restorer, [Job(Path(f"photos/{name}.png"), Path(f"{name}.png")) for name in "ab"])
    assert outcome.failed == {Path("photos/a.png"): "KeyError: 'driver'"} and outcome.restored == [Path("photos/b.png")]
