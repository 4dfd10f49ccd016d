"""What a video to restore holds: its frames as RGB, their times, how it is to be shown. What cannot be carried over is refused.

Frames are those that a player shows, in their order and as they are stored: the display matrix that turns them is carried over
and not applied. Values are RGB by the video's own matrix and range. The numbers of colours are those of ITU-T H.273.
"""
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline.images.video_tags import Tags

OF_420 = {"yuv420p", "yuvj420p", "nv12"}
FORMATS = OF_420 | {"yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
BT709, UNSAID, BT601 = 1, 2, 5  # H.273
MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7}  # of H.273 -> of swscale
HD = 576  # rows; players take a video that says no matrix and has more of them for BT.709, and BT.601 otherwise
PROGRESSIVE = (0, 1)  # field orders: not said, and frames as a whole
LIMITED, FULL = 1, 2  # ranges: 16 to 235, and 0 to 255
CUT = 1  # seconds that may be missing at the end of a file; what headers say is rounded
OTHERWISE = {
    "MASTERING_DISPLAY_METADATA": "HDR", "CONTENT_LIGHT_LEVEL": "HDR", "DYNAMIC_HDR_PLUS": "HDR", "DYNAMIC_HDR_VIVID": "HDR",
    "DOVI_RPU_BUFFER": "Dolby Vision", "DOVI_METADATA": "Dolby Vision", "SPHERICAL": "a view all around",
    "STEREO3D": "two views, for both eyes", "ICC_PROFILE": "colours of an ICC profile"}
LOST = {"A53_CC": "closed captions", "S12M_TIMECODE": "time codes", "GOP_TIMECODE": "time codes"}


class BadVideo(ValueError):
    """The video cannot be restored; the text says why."""


@dataclass(frozen=True)
class Clip:
    path: Path
    width: int
    height: int
    time_base: Fraction  # seconds
    times: tuple[int, ...]  # of each frame, counted in `time_base`
    last: int  # how long the last frame is shown
    rate: Fraction  # frames a second, on average
    aspect: Fraction | None  # of a pixel: width by height
    tags: Tags
    full: bool  # whether values go from 0 to 255
    turned: tuple[int, ...] | None  # the display matrix
    remarks: tuple[str, ...]  # what of the video is left out

    @property
    def matrix(self) -> int:
        """That between YUV and RGB; where the video does not say, what players take."""
        return (BT709 if self.height > HD else BT601) if self.tags.matrix == UNSAID else self.tags.matrix


def pyav():
    """The package. Raises ValueError when it is not installed, or cannot write H.264."""
    try:
        import av
    except ImportError:
        raise ValueError("videos need an extra: pip install av -c constraints.txt") from None
    if "libx264" not in av.codecs_available:
        raise ValueError(f"this build of PyAV {av.__version__} has no libx264, and videos are written with it: pip install av "
                         "-c constraints.txt brings one that has")
    return av


def read_clip(path: Path, max_megapixels: float, advance: Callable[[float], None]) -> Clip:
    """Decode a video from end to end. `advance` is called with seconds of the video. Raises BadVideo."""
    with opened(path) as source:
        stream = _only_video(source)
        if stream.metadata.get("alpha_mode", "0") != "0":
            raise BadVideo("its pixels are transparent in places; wanted is a video without transparency")
        times, first, last, lost, count = [], None, 0, set(), 0
        seconds, begin = 0.0, (source.start_time or 0) / 1e6
        for packet in source.demux():
            end = _end(packet) - begin
            advance(max(end - seconds, 0))
            seconds = max(end, seconds)
            if packet.stream.index != stream.index:
                continue
            count += packet.size > 0
            for frame in packet.decode():
                if first is None:
                    first = frame
                    _check_first(frame, stream, max_megapixels)
                _check(frame, first, times)
                times.append(frame.pts)
                last = frame.duration or last
                lost |= {LOST[side.type.name] for side in frame.side_data if side.type.name in LOST}
        if first is None:
            raise BadVideo("no frame can be decoded")
        told = stream.frames if "mp4" in source.format.name else 0  # what other headers say is estimated
        if count < told or (source.duration or 0) / 1e6 - seconds > CUT:
            raise BadVideo(f"cut off: it ends after {seconds:.1f} s and {count} frames, its header says "
                           f"{source.duration / 1e6:.1f} s" + (f" and {told}" if told else ""))
        sides = {side.type.name: bytes(side) for side in first.side_data}
        turned = struct.unpack("=9i", sides["DISPLAYMATRIX"]) if "DISPLAYMATRIX" in sides else None
        return Clip(Path(path), first.width, first.height, stream.time_base, tuple(times), last or _usual(times),
                    stream.average_rate or Fraction(25), stream.sample_aspect_ratio or None, _tags(first, stream),
                    _full(first), turned, tuple(_remarks(source, stream, first, lost)))


def frames(clip: Clip, first: int) -> Iterator[np.ndarray]:
    """uint8 RGB (height, width, 3) of the frames from number `first` on. There is no seeking, which is not exact in many files:
    those before it are decoded too."""
    with opened(clip.path) as source:
        for index, frame in enumerate(source.decode(_only_video(source))):
            if index >= first:
                yield to_rgb(frame, clip)


def to_rgb(frame, clip: Clip) -> np.ndarray:
    """A decoded frame -> uint8 RGB (height, width, 3)."""
    return frame.reformat(format="rgb24", src_colorspace=MATRICES[clip.matrix], src_color_range=FULL if clip.full else LIMITED,
                          dst_color_range=FULL, interpolation=_exactly(), threads=1).to_ndarray()


def to_yuv(image: np.ndarray, clip: Clip):
    """uint8 RGB (height, width, 3), both even -> a frame of yuv420p by the matrix and range of the clip."""
    frame = pyav().VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=MATRICES[clip.matrix], src_color_range=FULL,
                          dst_color_range=FULL if clip.full else LIMITED, interpolation=_exactly(), threads=1)


def carried(stream) -> bool:
    """Whether the packets of a stream are copied as they are."""
    return stream.type in ("audio", "subtitle")


@contextmanager
def opened(path: Path):
    """A container to read. Raises BadVideo for what FFmpeg cannot open, or cannot decode inside."""
    av = pyav()
    try:
        with av.open(str(path)) as source:
            yield source
    except av.FFmpegError as error:
        raise BadVideo(f"cannot be read as a video, or is damaged ({error.strerror})") from error


def _only_video(source):
    """The stream of video. A cover picture is none."""
    found = [stream for stream in source.streams.video if not is_cover(stream)]
    if len(found) != 1:
        raise BadVideo(f"it has {len(found)} streams of video; wanted is one")
    found[0].thread_type = "AUTO"
    return found[0]


def is_cover(stream) -> bool:
    """Whether a stream of video is a single picture, such as the cover of an album."""
    from av.stream import Disposition
    return Disposition.attached_pic in stream.disposition


def _remarks(source, stream, first, lost: set[str]) -> Iterator[str]:
    if first.format.name not in OF_420:
        yield f"colours get half the height and width of the video (4:2:0; it has {first.format.name})"
    chapters = "bin_data" if source.chapters() else None  # MP4 holds them in a stream; they are written anew
    others = [f"a stream of {other.type}{f' ({other.name})' if other.name else ''}" for other in source.streams
              if not carried(other) and other.index != stream.index and not (chapters and other.name == chapters)]
    if lost or others:
        yield f"left out: {', '.join(sorted(lost) + others)}"


def _check_first(frame, stream, max_megapixels: float) -> None:
    """Raise BadVideo for what is the same in all frames."""
    if frame.width * frame.height > max_megapixels * 1e6:
        raise BadVideo(f"its frames have {frame.width}x{frame.height} pixels, allowed are {max_megapixels:g} megapixels")
    if frame.format.name not in FORMATS:
        bits = max(part.bits for part in frame.format.components)
        alpha = any(part.is_alpha for part in frame.format.components)
        what = f"{bits} bits a value" if bits > 8 else "transparency" if alpha else "a kind of pixels that is not taken"
        raise BadVideo(f"it has {what} ({frame.format.name}); wanted are 8 bits of YUV without transparency")
    tags = _tags(frame, stream)
    if colours := tags.unlike_sdr or ("" if tags.matrix in (*MATRICES, UNSAID) else f"matrix {tags.matrix}"):
        raise BadVideo(f"its colours are {colours}; wanted is SDR in BT.709 or BT.601")
    if stream.codec_context.field_order not in PROGRESSIVE:
        raise BadVideo("it is interlaced; wanted is a video of whole frames")


def _check(frame, first, times: list[int]) -> None:
    """Raise BadVideo for a frame that cannot be restored among those before it, which were shown at `times`."""
    number = len(times)
    if frame.is_corrupt:
        raise BadVideo(f"frame {number} is damaged")
    if frame.interlaced_frame:
        raise BadVideo(f"frame {number} is interlaced; wanted is a video of whole frames")
    if (frame.width, frame.height, frame.format.name) != (first.width, first.height, first.format.name):
        raise BadVideo(f"frame {number} is {frame.width}x{frame.height} {frame.format.name}, the first is {first.width}x"
                       f"{first.height} {first.format.name}; wanted are frames of one kind")
    if frame.pts is None or times and frame.pts <= times[-1]:
        raise BadVideo(f"frame {number} is shown at {frame.pts}, the one before it at {times[-1] if times else None}; wanted "
                       "are times that rise")
    if other := [OTHERWISE[side.type.name] for side in frame.side_data if side.type.name in OTHERWISE]:
        raise BadVideo(f"it holds {other[0]}, which cannot be carried over")


def _tags(frame, stream) -> Tags:
    """What the frame says, or else its container."""
    said = stream.codec_context
    found = ((frame.color_primaries, said.color_primaries), (frame.color_trc, said.color_trc),
             (frame.colorspace, said.colorspace))
    return Tags(*(int(own if own != UNSAID else other) for own, other in found))


def _full(frame) -> bool:
    return frame.color_range == FULL or frame.format.name.startswith("yuvj")


def _usual(times: list[int]) -> int:
    return times[-1] - times[-2] if len(times) > 1 else 1


def _end(packet) -> float:
    """When what a packet holds ends, in seconds; minus infinity for one without a time."""
    begin = packet.pts if packet.pts is not None else packet.dts
    return float((begin + (packet.duration or 0)) * packet.time_base) if begin is not None else float("-inf")


def _exactly():
    """How swscale is to compute: within a level of the exact values."""
    from av.video.reformatter import Interpolation as How
    return How.BICUBIC | How.ACCURATE_RND | How.FULL_CHR_H_INT | How.FULL_CHR_H_INP | How.BITEXACT
