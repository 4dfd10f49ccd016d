"""`python -m pipeline restore` of videos: what is kept, what is refused, and that a run goes on where another was stopped."""
import signal
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import av, clip, flat, planes, seconds, shown, sound_of
from filelock import FileLock
from networks import seasoned
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.stop import Stop
from pipeline.restore.clip import frames, read_clip
from pipeline.restore.network import save_network
from pipeline.restore.restorer import Restorer
from pipeline.restore.video import restore_video

SAME, LARGER = {"scale": 1, "layers": 1, "features": 4}, {"scale": 2, "layers": 1, "features": 4}
TURNED = (0, 65536, 0, -65536, 0, 0, 48 * 65536, 0, 2**30)  # by a quarter, 48 pixels to the right


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a network that keeps the size and one that doubles it."""
    monkeypatch.chdir(tmp_path)
    for name, options in (("same", SAME), ("larger", LARGER)):
        save_network(tmp_path / "models" / name, seasoned("compact", options), "compact", options, {})
    return tmp_path


def run(*arguments, model="same"):
    return CliRunner().invoke(app, ["restore", *(str(argument) for argument in arguments), "--model", model])


def done(*arguments, model="same") -> str:
    result = run(*arguments, model=model)
    assert result.exit_code == 0, result.output
    return result.output


def stopped_after(monkeypatch, polls: int, *arguments) -> str:
    """Run the command, and press Ctrl-C when it has looked for that so many times."""
    answers = iter([None] * polls + ["SIGINT"])

    def asked(stop):
        stop.signal = signal.SIGINT
        return next(answers, "SIGINT")

    with monkeypatch.context() as patch:
        patch.setattr(Stop, "asked", asked)
        result = run(*arguments)
    assert result.exit_code == 130, result.output
    return result.output


@pytest.mark.parametrize("model, ending", [("same", "mp4"), ("same", "mov"), ("larger", "mp4"), ("larger", "mov")])
def test_times_turn_aspect_colours_and_sound_are_kept(project, model, ending):
    source = clip(f"a.{ending}", aspect=Fraction(4, 3), matrix_of_display=TURNED, matrix=5, primaries=6, transfer=6,
                  metadata={"title": "Sea", "comment": "calm"})
    scale = 1 + (model == "larger")
    assert f"b.{ending}: 40 frames restored" in done(source, "-o", f"b.{ending}", model=model)
    before, after = shown(source), shown(f"b.{ending}")
    assert seconds(after) == seconds(before) and len(after) == 40
    assert sound_of(f"b.{ending}") == sound_of(source)
    lengths = []
    for path, factor in ((source, 1), (f"b.{ending}", scale)):
        with av.open(str(path)) as container:
            stream, frame = container.streams.video[0], next(container.decode(video=0))
            assert stream.sample_aspect_ratio == Fraction(4, 3) and container.metadata["title"] == "Sea"
            assert (frame.width, frame.height, frame.format.name) == (64 * factor, 48 * factor, "yuv420p")
            # FFmpeg reads BT.601's matrix, primaries and curve of NTSC back by their own numbers
            assert (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 5, 6, 6)
            matrix = struct.unpack("=9i", bytes(frame.side_data["DISPLAYMATRIX"]))
            assert matrix == (*TURNED[:6], factor * TURNED[6], 0, TURNED[8])
            lengths.append(container.duration)
    assert lengths[0] == pytest.approx(lengths[1], abs=1e6 / 30) and before[-1].duration == after[-1].duration
    with av.open(f"b.{ending}") as container:
        assert container.metadata["comment"].startswith("Restage ") and container.metadata["comment"].endswith("; calm")
    assert sorted(path.name for path in project.iterdir()) == sorted(["models", source.name, f"b.{ending}"])


def test_matroska_holds_times_in_milliseconds(project):
    done(clip("a.mp4", sound="libopus"), "-o", "b.mkv")
    before, after = seconds(shown("a.mp4")), seconds(shown("b.mkv"))
    shift = after[0] - before[0]
    assert max(abs(new - old - shift) for old, new in zip(before, after)) <= Fraction(1, 1000)
    old, new = sound_of("a.mp4"), sound_of("b.mkv")
    assert [packet[2] for packet in new] == [packet[2] for packet in old]
    assert max(abs(b[0] - a[0] - shift) for a, b in zip(old, new)) <= Fraction(1, 1000)  # in step with the frames
    done("b.mkv", "-o", "c.mkv")
    assert seconds(shown("c.mkv")) == after and sound_of("c.mkv") == new


def test_frames_are_those_that_the_network_makes(project):
    source = clip("a.mp4", times=[3000 * i for i in range(33)], size=(26, 42), sound=None)
    done(source, "-o", "b.mp4", "--crf", 1, model="larger")
    restorer, clip_ = Restorer("larger"), read_clip(source, 1, lambda seconds: None)
    for before, after in zip(frames(clip_, 0), shown("b.mp4"), strict=True):
        wanted = 16 + 219 / 255 * (restorer(before) @ np.array([0.2126, 0.7152, 0.0722]))
        assert np.abs(planes(after)[0] - wanted).mean() < 1


WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}  # red, blue


def coded(colour, matrix: int, full: bool) -> tuple[int, int, int]:
    """H.273: RGB of 0 to 255 -> Y, U, V of 8 bits."""
    (red, blue), (r, g, b) = WEIGHTS[matrix], np.array(colour) / 255
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    return tuple(round(value) for value in ((255 * y, 128 + 255 * u, 128 + 255 * v) if full else
                                            (16 + 219 * y, 128 + 224 * u, 128 + 224 * v)))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_a_colour_stays_what_it_is(project, matrix, full):
    colours = [(200, 40, 60), (30, 180, 90), (50, 60, 210), (128, 128, 128), (250, 250, 250)]
    codes = [coded(colour, matrix, full) for colour in colours]
    source = clip("a.mkv", times=[3600 * i for i in range(5)], codec="ffv1", matrix=matrix, full=full, sound=None,
                  images=[flat(code, 48, 64) for code in codes])
    seen = list(frames(read_clip(source, 1, lambda seconds: None), 0))
    assert [np.abs(frame.astype(int) - colour).max() <= 2 for frame, colour in zip(seen, colours)] == [True] * 5
    done(source, "-o", "b.mkv", "--strength", 0, "--crf", 1)
    for frame, code in zip(shown("b.mkv"), codes):
        assert (frame.colorspace, frame.color_range) == (matrix, 1 + full)
        assert all(np.abs(plane - value).max() <= 2 for plane, value in zip(planes(frame), code)), code


@pytest.mark.parametrize("height, scale, said", [(48, 1, 2), (48, 2, 2), (400, 2, 5)])
def test_a_matrix_that_is_not_said_is_said_where_players_would_take_another(project, height, scale, said):
    red = coded((200, 40, 60), 5, False)
    source = clip("a.mkv", times=[0], size=(height, 32), codec="ffv1", matrix=2, primaries=2, transfer=2, sound=None,
                  images=[flat(red, height, 32)])
    done(source, "-o", "b.mp4", "--strength", 0, "--crf", 1, model="larger" if scale == 2 else "same")
    (frame,) = shown("b.mp4")
    assert frame.colorspace == said and [round(plane.mean()) for plane in planes(frame)] == pytest.approx(red, abs=1)


# A run that is stopped

@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(project, monkeypatch, ending):
    source = clip("a.mp4", times=[3000 * i for i in range(75)])
    with av.open(str(source)) as container:
        packets = len(list(container.demux()))
    done(source, "-o", f"whole.{ending}")
    done(source, "-o", f"again.{ending}")
    whole = Path(f"whole.{ending}").read_bytes()
    assert Path(f"again.{ending}").read_bytes() == whole
    segments = Path(f".b.{ending}.segments")
    for stored in (1, 2, 3):  # the last time while the file is put together
        told = stopped_after(monkeypatch, packets + 2 * 32, source, "-o", f"b.{ending}")
        assert "the same command continues" in told and len(list(segments.glob("*.npz"))) == stored
        assert not Path(f"b.{ending}").exists()
    assert "goes on behind frame 75 of 75" in done(source, "-o", f"b.{ending}")
    assert Path(f"b.{ending}").read_bytes() == whole and not segments.exists()
    assert f"b.{ending} is there already" in done(source, "-o", f"b.{ending}")


class Killed(BaseException):
    """What no code of ours handles."""


def test_a_run_that_was_killed_goes_on(project, monkeypatch):
    source = clip("a.mp4", times=[3000 * i for i in range(40)], sound=None)
    done(source, "-o", "whole.mp4")
    calls, restored = iter(range(35)), Restorer.__call__

    def kill(restorer, *arguments):
        if next(calls, None) is None:
            raise Killed
        return restored(restorer, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Restorer, "__call__", kill)
        with pytest.raises(Killed):
            restore_video(Restorer("same"), source, Path("b.mp4"))
    Path(".b.mp4.segments/.000001.npz.12.tmp").write_bytes(b"half")  # what a kill while it is written leaves
    assert "goes on behind frame 30 of 40" in done(source, "-o", "b.mp4")
    assert Path("b.mp4").read_bytes() == Path("whole.mp4").read_bytes() and not Path(".b.mp4.segments").exists()


@pytest.mark.parametrize("change", ["video", "option", "tile"])
def test_segments_of_another_run_are_not_taken(project, monkeypatch, change):
    source = clip("a.mp4", times=[3000 * i for i in range(40)], sound=None)
    stopped_after(monkeypatch, 40 + 2 * 32, source, "-o", "b.mp4")
    assert list(Path(".b.mp4.segments").glob("*.npz"))
    options = {"video": [], "option": ["--strength", 0.5], "tile": ["--tile", 16]}[change]
    if change == "video":
        clip("a.mp4", times=[3100 * i for i in range(40)], sound=None)
    said = done(source, "-o", "b.mp4", *options)
    assert "of another video, network or setting" in said and "goes on" not in said
    done(source, "-o", "whole.mp4", *options)
    assert Path("b.mp4").read_bytes() == Path("whole.mp4").read_bytes()


def test_a_damaged_segment_is_named(project, monkeypatch):
    source = clip("a.mp4", times=[3000 * i for i in range(40)], sound=None)
    stopped_after(monkeypatch, 40 + 2 * 32, source, "-o", "b.mp4")
    (segment,) = Path(".b.mp4.segments").glob("*.npz")
    segment.write_bytes(segment.read_bytes()[:-100])
    result = run(source, "-o", "b.mp4")
    assert result.exit_code == 1 and f"{segment} is damaged" in result.output and not Path("b.mp4").exists()
    segment.unlink()
    done(source, "-o", "b.mp4")
    assert len(shown("b.mp4")) == 40


def test_one_process_restores_at_a_time(project):
    source = clip("a.mp4", times=[0, 3000], sound=None)
    Path(".b.mp4.segments").mkdir()
    with FileLock(".b.mp4.segments/lock"):
        result = run(source, "-o", "b.mp4")
        assert result.exit_code == 1 and "another process restores it now" in result.output
    done(source, "-o", "b.mp4")


def test_subtitles_chapters_and_languages_are_kept_and_the_rest_is_named(project):
    source = clip("plain.mkv", times=[3000 * i for i in range(20)], pixels="yuv422p")
    marks = [{"id": at, "start": 300 * at, "end": 300 * at + 300, "time_base": Fraction(1, 1000),
              "metadata": {"title": f"Part {at}"}} for at in (0, 1)]
    with av.open(str(source)) as container, av.open("a.mkv", "w") as output:
        copies = [output.add_stream_from_template(stream) for stream in container.streams]
        copies[1].metadata["language"] = "fin"
        words = output.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        output.add_attachment("font.ttf", "application/x-truetype-font", b"abc")
        output.set_chapters(marks)
        for packet in (packet for packet in container.demux() if packet.size):
            packet.stream = copies[packet.stream.index]
            output.mux(packet)
        line = av.Packet(b"Hello")
        line.pts = line.dts = 100
        line.duration, line.time_base, line.stream = 300, Fraction(1, 1000), words
        output.mux(line)
    said = done("a.mkv", "-o", "b.mkv")
    assert "left out: a stream of attachment (font.ttf)" in said and "4:2:0; it has yuv422p" in said
    with av.open("b.mkv") as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "subtitle"]
        assert container.streams[1].metadata["language"] == "fin"
        assert [chapter["metadata"] for chapter in container.chapters()] == [mark["metadata"] for mark in marks]
        assert [(packet.pts, bytes(packet)) for packet in container.demux(subtitles=0) if packet.size] == [(100, b"Hello")]
    result = run("a.mkv", "-o", "b.mp4")
    assert result.exit_code == 1 and ".mp4 does not hold subtitle of subrip" in result.output
