"""Videos that cannot be carried over are refused by name, before anything is restored, and nothing is left of the attempt."""
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import av, clip, picture, sound_of, yuv
from networks import seasoned
from test_restore_video import SAME, TURNED, done, project, run  # noqa: F401
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.presets import merge
from pipeline.images.encode import write_png
from pipeline.restore.network import save_network

# ruff: noqa: F811
FEW = [3000 * i for i in range(5)]
REFUSED = {
    "10 bits": (dict(pixels="yuv420p10le", sound=None), "10 bits a value"),
    "12 bits": (dict(pixels="yuv422p12le", codec="ffv1", sound=None), "12 bits a value"),
    "PQ": (dict(transfer=16), "its colours are PQ"),
    "HLG": (dict(transfer=18), "its colours are HLG"),
    "BT.2020": (dict(primaries=9, matrix=9), "its colours are BT.2020"),
    "YCgCo": (dict(matrix=8), "its colours are matrix 8"),
    "interlaced": (dict(options={"x264-params": "tff=1"}), "interlaced; wanted is a video of whole frames"),
    "alpha": (dict(pixels="yuva420p", codec="ffv1"), "transparency (yuva420p)"),
    "alpha of VP9": (dict(pixels="yuva420p", codec="libvpx-vp9", sound=None), "its pixels are transparent in places"),
    "RGB": (dict(pixels="bgr0", codec="ffv1"), "a kind of pixels that is not taken (bgr0)"),
    "grey": (dict(pixels="gray", codec="ffv1"), "a kind of pixels that is not taken (gray)"),
    "odd": (dict(size=(37, 42), codec="ffv1"), "the restoration would have 42x37 pixels"),
}


def refused(*arguments, **options) -> str:
    """What the command says; it leaves all files as they were."""
    before = sorted(Path().rglob("*"))
    result = run(*arguments, **options)
    assert result.exit_code == 1 and "Traceback" not in result.output, result.output
    assert sorted(Path().rglob("*")) == before
    return " ".join(result.output.split())


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_carried_over_is_refused_by_name(project, kind):
    options, words = REFUSED[kind]
    source = clip("a.mkv", **{"times": FEW} | options)
    assert words in refused(source, "-o", "b.mkv")


def test_an_odd_size_that_becomes_even_is_restored(project):
    save_network("models/larger", seasoned("compact", SAME | {"scale": 2}), "compact", SAME | {"scale": 2}, {})
    done(clip("a.mkv", FEW, (37, 41), "ffv1"), "-o", "b.mp4", model="larger")
    with av.open("b.mp4") as source:
        assert (source.streams.video[0].width, source.streams.video[0].height) == (82, 74)


def test_frames_of_two_sizes_are_refused(project):
    with av.open("a.mkv", "w") as output:
        stream = output.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        output.start_encoding()
        for index, size in enumerate([(48, 64), (32, 64)]):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = size[1], size[0], "yuvj420p"
            encoder.time_base = stream.time_base
            frame = yuv(picture(index, *size), "yuvj420p", 5, True)
            frame.pts = index
            for packet in encoder.encode(frame) + encoder.encode(None):
                packet.stream, packet.pts, packet.dts = stream, index, index
                output.mux(packet)
    assert "frame 1 is 64x32" in refused("a.mkv", "-o", "b.mp4")


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_file_that_is_cut_off_is_refused(project, ending):
    options = {"movflags": "faststart"} if ending == "mp4" else {}
    with av.open(f"a.{ending}", "w", options=options) as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height = 64, 48
        for index in range(60):
            output.mux(stream.encode(yuv(np.random.default_rng(index).integers(0, 256, (48, 64, 3), np.uint8),
                                         "yuv420p", 5, False)))
        output.mux(stream.encode(None))
    whole = Path(f"a.{ending}").read_bytes()
    Path(f"a.{ending}").write_bytes(whole[: len(whole) // 2])
    said = refused(f"a.{ending}", "-o", "b.mp4")
    assert "cut off: it ends after" in said or "is damaged" in said


def test_files_that_are_no_videos(project):
    Path("text.mp4").write_text("no video")
    assert "text.mp4: cannot be read as a video, or is damaged" in refused("text.mp4", "-o", "b.mp4")
    with av.open("sound.mkv", "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
    assert "sound.mkv: it has 0 streams of video" in refused("sound.mkv", "-o", "b.mp4")


def test_sound_that_the_container_does_not_hold_is_named_before_the_work(project):
    source = clip("a.mkv", FEW, sound="tta")
    assert ".mp4 does not hold" in refused(source, "-o", "b.mp4")
    done(source, "-o", "b.mkv")
    assert sound_of("b.mkv") == sound_of(source)


def test_options_and_outputs_that_are_not_for_videos(project):
    source = clip("a.mp4", FEW)
    write_png(Path("photo.png"), np.zeros((8, 8, 3), np.uint8))
    assert "--compare is for photos" in refused(source, "-o", "b.mp4", "--compare")
    assert "--quality is for photos" in refused(source, "-o", "b.mp4", "--quality", 90)
    assert "--format is for photos" in refused(source, "-o", "b.mp4", "--format", "png")
    assert "--crf is for videos" in refused("photo.png", "-o", "b.png", "--crf", 20)
    assert "b.png: a video becomes a file that ends in .mp4, .mov, .mkv" in refused(source, "-o", "b.png")
    assert "would overwrite the video itself" in refused(source, "-o", source)
    assert "a.mp4 is a video: restore each with a command of its own" in refused("photo.png", source, "-o", "out")
    assert "allowed are 0.001 megapixels" in refused(source, "-o", "b.mp4", "--max-megapixels", 0.001)
    Path("b.mp4").write_bytes(b"mine")
    assert "is there already and is no restoration" in refused(source, "-o", "b.mp4")
    done(source, "-o", "b.mp4", "--overwrite")


def test_videos_in_folders_are_passed_over_and_counted(project):
    write_png(Path("photos/photo.png"), np.zeros((8, 8, 3), np.uint8))
    clip("photos/a.mp4", FEW)
    assert "1 restored; 1 file passed over: 1 .mp4 (photos/a.mp4)" in done("photos", "-o", "out")


def test_a_mask_keeps_the_frames_where_it_is_black(project):
    source = clip("a.mkv", FEW, codec="ffv1", sound=None)
    write_png(Path("mask.png"), np.zeros((48, 64, 3), np.uint8))
    done(source, "-o", "kept.mkv", "--mask", "mask.png", "--crf", 1)
    done(source, "-o", "none.mkv", "--strength", 0, "--crf", 1)
    pictures = [[frame.to_ndarray() for frame in av.open(name).decode(video=0)] for name in ("kept.mkv", "none.mkv")]
    assert np.array_equal(*pictures)
    write_png(Path("mask.png"), np.zeros((48, 62, 3), np.uint8))
    assert "the mask has 62x48 pixels" in refused(source, "-o", "b.mkv", "--mask", "mask.png")
    turned = clip("turned.mp4", FEW, matrix_of_display=TURNED)
    assert "masks are for frames as they are stored" in refused(turned, "-o", "b.mp4", "--mask", "mask.png")


def test_without_pyav_it_says_how_to_install_it(project, monkeypatch):
    source = clip("a.mp4", FEW)
    monkeypatch.setitem(sys.modules, "av", None)
    assert "videos need an extra: pip install av" in refused(source, "-o", "b.mp4")
    monkeypatch.undo()


def test_without_libx264_it_says_so(project, monkeypatch):
    source = clip("a.mp4", FEW)
    monkeypatch.setattr(av, "codecs_available", set())
    assert "has no libx264" in refused(source, "-o", "b.mp4")


def test_zssr_is_refused(project):
    source = clip("a.mp4", FEW)
    text = Path(__file__).parents[2].joinpath("params.yaml").read_text()
    preset = Path(__file__).parents[2].joinpath("presets/all.yaml").read_text()
    Path("params.yaml").write_text(merge(text, preset))
    result = CliRunner().invoke(app, ["restore", str(source), "-o", "b.mp4", "--model", "sr-zssr"])
    assert result.exit_code == 1 and "ZSSR learns a network from each photo anew" in result.output, result.output
