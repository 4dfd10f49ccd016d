"""A video restored frame by frame, in segments that a run after Ctrl-C or a kill goes on from.

A segment is SEGMENT frames, restored and encoded by an encoder of its own, so that it is the same whenever it was made. Its
file, below a hidden folder beside the output, holds the packets: one a frame, as there are no B-frames. When all are there they
are put behind each other with the times of the frames, and with the packets of sound and subtitles as the input has them.
"""
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from pipeline.core.files import read_json, replacing, sha256, sha256_of, write_json
from pipeline.core.progress import progress
from pipeline.core.stop import Stop
from pipeline.restore.clip import BadVideo, Clip, frames, opened, pyav, read_clip
from pipeline.restore.container import CONTAINERS, CRF, SEGMENT, Output, check_container, comment_of, encoded, put_together
from pipeline.restore.mix import check_mask
from pipeline.restore.restorer import MARK, Restorer
from pipeline.restore.tiles import aligned, usual_tile

LARGEST_SIDE = 16384  # pixels, of libx264


@dataclass(frozen=True)
class Done:
    frames: int  # 0 where the restoration was there already
    kept: int  # of these are restored, where the run was asked to stop
    remarks: tuple[str, ...] = ()
    stopped: int | None = None  # the exit code of a process that was asked to stop, if this one was


class _Stopped(Exception):
    pass


def restore_video(restorer: Restorer, path: Path, target: Path, crf: int = CRF, tile: int | None = None,
                  overwrite: bool = False, max_megapixels: float = 200) -> Done:
    """Restore a video into another, whose suffix says its container. A target that was made before from the same bytes, by the
    same networks and settings is left as it is; one that is no restoration is overwritten only with `overwrite`.

    `crf`: of H.264, 1 to 51, larger is coarser. `tile`: as in Restorer, but by default it does not depend on the memory, so
    that a run that goes on gives the same bytes. Raises ValueError, BadVideo among them, OSError and MemoryError.
    """
    check_target(path, target)
    if restorer.learnt:
        raise BadVideo("ZSSR learns a network from each photo anew, which takes minutes for each frame of a video")
    mark = f"{MARK} {'+'.join(restorer.names)} " + sha256_of({"video": sha256(path), "crf": crf} | restorer.settings)[:16]
    if target.exists():
        if (theirs := _mark(target)).startswith(mark):
            return Done(0, 0)
        if not theirs.startswith(MARK) and not overwrite:
            raise FileExistsError(f"{target} is there already and is no restoration; move it, or give --overwrite")
    restorer.tile = aligned(tile, restorer.model) if tile else usual_tile(restorer.model)
    folder = target.with_name(f".{target.name}.segments")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0), Stop() as stop:
            try:
                return _restore(restorer, path, Output(target, restorer.scale, crf, mark), folder, max_megapixels, stop)
            finally:
                if not list(folder.glob("*.npz")):
                    shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        raise OSError(f"{target}: another process restores it now") from None


def check_target(path: Path, target: Path) -> None:
    """Raise ValueError for a file that cannot become the restoration of a video."""
    if target.suffix.lower() not in CONTAINERS or target.is_dir():
        raise ValueError(f"{target}: a video becomes a file that ends in {', '.join(CONTAINERS)}")
    if target.exists() and target.samefile(path):
        raise ValueError(f"{target}: would overwrite the video itself; name another place")


def _restore(restorer: Restorer, path: Path, output: Output, folder: Path, max_megapixels: float, stop: Stop) -> Done:
    def check(*_) -> None:
        if stop.asked():
            raise _Stopped

    count = done = 0
    try:
        clip = _read(path, max_megapixels, check)
        _check_fit(restorer, clip, output)
        count = len(clip.times)
        begun = done = min(_segments_of(folder, sha256_of([output.mark, restorer.tile, str(restorer.model.device), SEGMENT,
                                                           pyav().__version__])) * SEGMENT, count)
        if begun:
            print(f"{output.target}: goes on behind frame {begun} of {count}", flush=True)
        images = frames(clip, begun)
        with progress("restoring (frames)", count, begun) as bar:
            while done < count:
                restored = _watched(restorer, islice(images, SEGMENT), path.name, bar, check)
                packets = encoded(restored, clip, output, done)
                if len(packets) != min(SEGMENT, count - done):
                    raise BadVideo(f"it has changed since it was looked through: frame {done + len(packets)} is gone")
                with replacing(folder / f"{done // SEGMENT:06d}.npz") as handle:
                    np.savez(handle, *(np.frombuffer(packet, np.uint8) for packet in packets))
                done += len(packets)
        with replacing(output.target) as handle:
            put_together(handle, clip, output, (folder / f"{at // SEGMENT:06d}.npz" for at in range(0, count, SEGMENT)), check)
    except _Stopped:
        return Done(count, done, stopped=stop.exit_code)
    shutil.rmtree(folder)
    return Done(count, count, clip.remarks)


def _read(path: Path, max_megapixels: float, check: Callable[[], None]) -> Clip:
    with opened(path) as source:
        seconds = (source.duration or 0) / 1e6
    with progress("looking through (s)", seconds) as bar:
        def advance(passed: float) -> None:
            bar.advance(path.name, passed)
            check()
        return read_clip(path, max_megapixels, advance)


def _check_fit(restorer: Restorer, clip: Clip, output: Output) -> None:
    """Raise ValueError for what would fail only when all frames are restored."""
    width, height = clip.width * restorer.scale, clip.height * restorer.scale
    if width % 2 or height % 2:
        raise BadVideo(f"the restoration would have {width}x{height} pixels, and H.264 of 4:2:0 holds even sizes alone; cut a "
                       "row or column off the video, or enlarge it by 2 or 4")
    if max(width, height) > LARGEST_SIDE:
        raise BadVideo(f"the restoration would have {width}x{height} pixels, H.264 holds at most {LARGEST_SIDE} on a side")
    if restorer.mask is not None:
        if clip.turned:
            raise BadVideo("its frames are turned when they are shown, and masks are for frames as they are stored")
        check_mask(restorer.mask, np.broadcast_to(np.uint8(0), (clip.height, clip.width, 3)))
    check_container(clip, output)


def _segments_of(folder: Path, key: str) -> int:
    """How many segments of a run with this key are there, from the first on. Those of other runs are deleted."""
    made = folder / "made.json"
    if not made.is_file() or read_json(made) != key:
        if old := list(folder.glob("*.npz")):
            print(f"{folder}: {len(old)} segments are of another video, network or setting; all frames are restored anew",
                  flush=True)
        for file in old:
            file.unlink()
        write_json(made, key)
    count = 0
    while (folder / f"{count:06d}.npz").is_file():
        count += 1
    return count


def _watched(restorer: Restorer, images, name: str, bar, check: Callable[..., None]) -> Iterator[np.ndarray]:
    for image in images:
        check()
        yield restorer(image, check)
        bar.advance(name)


def _mark(path: Path) -> str:
    """What a restoration says of itself; empty for another file."""
    av = pyav()
    try:
        with av.open(str(path)) as source:
            return comment_of(source)
    except (av.FFmpegError, ValueError):
        return ""
