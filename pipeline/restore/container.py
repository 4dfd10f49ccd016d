"""Restored frames as packets of H.264, and these with the sound of the input in a container: MP4, QuickTime or Matroska."""
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pipeline.restore.clip import FULL, HD, LIMITED, UNSAID, BadVideo, Clip, carried, is_cover, opened, pyav, to_yuv

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
CRF = 17  # of H.264: about the largest at which no loss is seen
SEGMENT = 30  # frames; a key frame is the first of each
OWN = {"major_brand", "minor_version", "compatible_brands", "encoder"}  # what a file says of its own layout


@dataclass(frozen=True)
class Output:
    target: Path
    scale: int  # how many times larger the frames are than those of the input
    crf: int  # of H.264, 1 to 51; larger is coarser
    mark: str  # what the file says of itself, in its comment


def encoded(images, clip: Clip, output: Output, first: int) -> list[bytes]:
    """uint8 RGB images, the frames of the clip from number `first` on, as packets of H.264, the first of them a key frame."""
    encoder = pyav().CodecContext.create("libx264", "w")
    _set_up(encoder, clip, output)
    packets = []
    for index, image in enumerate(images, first):
        frame = to_yuv(image, clip)
        frame.pts, frame.time_base = clip.times[index], clip.time_base
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets + encoder.encode(None)]


def _set_up(encoder, clip: Clip, output: Output) -> None:
    """The one encoder of all segments and of the output's header."""
    encoder.width, encoder.height, encoder.pix_fmt = clip.width * output.scale, clip.height * output.scale, "yuv420p"
    encoder.time_base, encoder.framerate = clip.time_base, clip.rate
    if clip.aspect:
        encoder.sample_aspect_ratio = clip.aspect
    # what players take for a video that says no matrix depends on its size
    said = clip.matrix if clip.tags.matrix == UNSAID and (clip.height > HD) != (encoder.height > HD) else clip.tags.matrix
    encoder.color_primaries, encoder.color_trc, encoder.colorspace = clip.tags.primaries, clip.tags.transfer, said
    encoder.color_range = FULL if clip.full else LIMITED
    encoder.flags |= pyav().codec.context.Flags.global_header
    encoder.thread_count = 1  # others give other bytes
    # without cpu-independent, what x264 gives for the same frames differs from run to run at some sizes (its mbtree)
    encoder.options = {"crf": str(output.crf), "x264-params": f"bframes=0:keyint={SEGMENT}:min-keyint={SEGMENT}:scenecut=0:"
                                                              "cpu-independent=1"}


def header(handle, source, clip: Clip, output: Output):
    """A container whose header is written, open for packets: it has the streams of the source, in their order. Raises BadVideo
    for what such a container does not hold."""
    av, suffix = pyav(), output.target.suffix.lower()
    container = av.open(handle, "w", format=CONTAINERS[suffix], options={"fflags": "+bitexact"})
    container.metadata.update({key: value for key, value in source.metadata.items() if key.lower() not in OWN})
    container.metadata["comment"] = "; ".join(filter(None, (output.mark, comment_of(source))))
    for stream in source.streams:
        try:
            if carried(stream):
                copy = container.add_stream_from_template(stream)
            elif stream.type == "video" and not is_cover(stream):
                copy = container.add_stream("libx264", rate=clip.rate)
                _set_up(copy.codec_context, clip, output)
                copy.time_base = clip.time_base
                if clip.turned:
                    factors = (1, 1, 1, 1, 1, 1, output.scale, output.scale, 1)  # two values are a shift in pixels
                    copy.set_display_matrix([value * factor for value, factor in zip(clip.turned, factors)])
            else:
                continue
        except ValueError as error:
            kind = stream.codec_context.codec.canonical_name
            raise BadVideo(f"{suffix} does not hold {stream.type} of {kind}; .mkv may") from error
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
    container.set_chapters(source.chapters())
    container.start_encoding()
    return container


def check_container(clip: Clip, output: Output) -> None:
    """Raise BadVideo for streams that such a container does not hold: the header and a packet of each are tried."""
    with opened(clip.path) as source:
        kept = {stream.index for stream in source.streams if carried(stream)}
        try:
            with header(io.BytesIO(), source, clip, output) as container:
                copies = dict(zip(sorted(kept), (stream for stream in container.streams if carried(stream))))
                for packet in source.demux():
                    if packet.size and packet.stream.index in kept:
                        kept.discard(packet.stream.index)
                        packet.stream = copies[packet.stream.index]
                        container.mux(packet)
                    if not kept:
                        break
        except pyav().FFmpegError as error:
            kinds = ", ".join(stream.codec_context.codec.canonical_name for stream in source.streams if carried(stream))
            raise BadVideo(f"{output.target.suffix} does not hold its streams together: h264, {kinds} ({error.strerror}); .mkv "
                           "may") from error


def put_together(handle, clip: Clip, output: Output, segments: Iterable[Path], check: Callable[[], None]) -> None:
    """Write what `encoded` gave for each segment, and the sound and subtitles of the clip, into an open file. `check` is called
    for each packet."""
    with pyav().open(str(clip.path)) as source, header(handle, source, clip, output) as container:
        kept = [stream for stream in source.streams if carried(stream)]
        own, copies = container.streams.video[0], [stream for stream in container.streams if carried(stream)]
        copy_of = {stream.index: copy for stream, copy in zip(kept, copies)}
        copied = (packet for packet in source.demux(kept) if packet.size) if kept else ()
        for packet in merge(_video(clip, segments), copied, key=_when):
            packet.stream = copy_of[packet.stream.index] if packet.stream else own
            container.mux(packet)
            check()


def _video(clip: Clip, segments: Iterable[Path]) -> Iterator:
    """The packets of all segments, with the times of their frames."""
    index, ends = 0, (*clip.times[1:], clip.times[-1] + clip.last)
    for file in segments:
        try:
            with np.load(file) as packets:
                stored = [packets[name].tobytes() for name in packets.files]
        except (ValueError, BadZipFile) as error:
            raise BadVideo(f"{file} is damaged; delete it and all behind it, and the same command goes on there") from error
        for content in stored:
            packet = pyav().Packet(content)
            packet.pts = packet.dts = clip.times[index]
            packet.duration, packet.time_base = ends[index] - packet.pts, clip.time_base
            packet.is_keyframe = index % SEGMENT == 0
            yield packet
            index += 1


def _when(packet) -> float:
    return float((packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base)


def comment_of(container) -> str:
    return next((value for key, value in container.metadata.items() if key.lower() == "comment"), "")
