"""Small videos made by PyAV, and what is read of them. Nothing of the product is used."""
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed, which videos need: pip install av -c constraints.txt")
if "libx264" not in av.codecs_available:
    pytest.skip("this build of PyAV has no libx264", allow_module_level=True)

TICK = Fraction(1, 90000)  # seconds
UNEVEN = [9000 + 3003 * i + 1800 * (i // 3) + 45000 * (i > 11) for i in range(40)]
"""Times of frames whose rate varies, with a pause; the first is not shown at once."""


def picture(index: int, height: int, width: int) -> np.ndarray:
    """uint8 RGB: smooth waves that move."""
    y, x = np.mgrid[:height, :width] / 9
    return np.stack([128 + 90 * np.sin(x + index / 3), 128 + 90 * np.cos(y - index / 5), 128 + 60 * np.sin(x + y)],
                    -1).astype(np.uint8)


def clip(path, times=UNEVEN, size=(48, 64), codec="libx264", pixels="yuv420p", matrix=1, full=False, primaries=1, transfer=1,
         aspect=None, matrix_of_display=None, sound="aac", options=None, images=None, metadata=None) -> Path:
    """Write a video of some frames, with one track of sound unless `sound` is None. `images`: YUV frames in place of waves."""
    height, width = size
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=30, options=options or {})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt, context.time_base = width, height, pixels, TICK
        context.color_range, context.colorspace = 1 + full, matrix
        context.color_primaries, context.color_trc = primaries, transfer
        if aspect:
            context.sample_aspect_ratio = aspect
        if matrix_of_display:
            stream.set_display_matrix(matrix_of_display)
        output.metadata.update(metadata or {})
        noise = output.add_stream(sound, rate=48000, layout="mono") if sound else None
        output.start_encoding()
        for index, time in enumerate(times):
            frame = images[index] if images else yuv(picture(index, height, width), pixels, matrix, full)
            frame.pts, frame.time_base = time, TICK
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if noise:
            _write_sound(output, noise, times[-1] * TICK)
    return Path(path)


def yuv(image: np.ndarray, pixels: str, matrix: int, full: bool):
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
        format=pixels, dst_colorspace=matrix, src_color_range=2, dst_color_range=1 + full)


def flat(values: tuple[int, int, int], height: int, width: int):
    """A frame of yuv420p of one colour."""
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, values):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def _write_sound(output, stream, seconds) -> None:
    rng = np.random.default_rng(0)
    kind, scale = ("fltp", 0.1) if stream.codec_context.name == "aac" else ("s16", 3000)
    for start in range(0, int(seconds * 48000), 1024):
        samples = rng.normal(0, scale, (1, 1024)).astype(np.float32 if kind == "fltp" else np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format=kind, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def shown(path) -> list:
    """The decoded frames."""
    with av.open(str(path)) as source:
        return list(source.decode(video=0))


def seconds(frames) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in frames]


def sound_of(path) -> list[tuple]:
    """Each packet: when, how long, its bytes."""
    with av.open(str(path)) as source:
        return [(packet.pts * packet.time_base, packet.duration * packet.time_base, bytes(packet))
                for packet in source.demux(audio=0) if packet.size]


def planes(frame) -> list[np.ndarray]:
    return [np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width].astype(int)
            for plane in frame.planes]
