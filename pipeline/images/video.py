"""Frames of video files, decoded in order by the FFmpeg that OpenCV brings.

Frames are 8-bit RGB as FFmpeg converts them, turned as the file says. HDR and pixels that are not square are refused. There is
no seeking, which is not exact in many files: every frame is decoded, and those between the wanted ones are dropped.
"""
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from pipeline.images.decode import BadImage
from pipeline.images.video_tags import colour_tags

VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm"}
OPTIONS = [cv2.CAP_PROP_HW_ACCELERATION, cv2.VIDEO_ACCELERATION_NONE]  # decoders in hardware need not agree
TOLERATED = 1 / 20  # share of the frames, at most a second's, that may be fewer than the header says: some only estimate


def measure_video(path: Path | str, max_megapixels: float) -> tuple[int, int, int]:
    """Number of frames, height and width of a video, after decoding it from end to end.

    Raises BadImage for a file that cannot be opened, one without frames, one with frames of more than `max_megapixels`,
    one that has fewer frames than its header announces, one whose pixels are not square, and one whose colours are not those
    of SDR video: frames are taken as they are, so these would come out squashed, or in wrong colours.
    """
    with _opened(path) as video:
        _refuse_unlike_photos(path, video)
        megapixels = video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT) / 1e6
        if megapixels > max_megapixels:
            raise BadImage(f"its frames have {megapixels:g} megapixels, allowed are {max_megapixels:g}")
        told, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
        found, first = video.read()
        if not found:
            raise BadImage(f"no frame can be decoded; its header says {told:.0f}")
        count = 1
        while video.grab():
            count += 1
    if told - count > min(rate, told * TOLERATED):
        raise BadImage(f"damaged or cut off: {count} frames can be decoded, its header says {told:.0f}")
    return count, *first.shape[:2]


def read_frames(path: Path | str, every: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (index, uint8 (height, width, 3) RGB) of frames 0, every, 2 every, ...; one frame is held at a time."""
    with _opened(path) as video:
        index = 0
        while video.grab():
            if index % every == 0:
                found, frame = video.retrieve()
                if not found:
                    raise BadImage(f"frame {index} cannot be decoded")
                yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            index += 1


def _refuse_unlike_photos(path: Path | str, video: cv2.VideoCapture) -> None:
    wide, tall = (round(video.get(key)) for key in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    if wide and tall and wide != tall:  # 0 where the file says nothing
        raise BadImage(f"its pixels are not square, but {wide}:{tall}; wanted is a video scaled to square ones")
    if colours := next(filter(None, (tags.unlike_sdr for tags in colour_tags(path))), ""):
        raise BadImage(f"its colours are {colours}; wanted is SDR in BT.709 or BT.601")


@contextmanager
def _opened(path: Path | str):
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, OPTIONS) if Path(path).is_file() else cv2.VideoCapture()
    try:
        if not video.isOpened():
            raise BadImage("cannot be opened as a video; wanted is one that OpenCV's FFmpeg decodes, whole")
        yield video
    finally:
        video.release()
