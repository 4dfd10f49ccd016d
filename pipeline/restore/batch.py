"""Many photos, one after another: what is done is skipped, what fails is remembered and the others go on, Ctrl-C is heeded."""
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.core.progress import progress
from pipeline.core.stop import Stop
from pipeline.images.decode import BadImage, exif_of, read_size
from pipeline.restore.exif import Base
from pipeline.restore.plan import Job
from pipeline.restore.restorer import MARK, Begun, Restorer


@dataclass
class Outcome:
    restored: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    """Restored before, by the same networks and settings from the same bytes."""
    failed: dict[Path, str] = field(default_factory=dict)
    """Photo -> why."""
    remarks: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    """Photo -> what a user is to know of how it was read and written."""
    stopped: int | None = None
    """The exit code of a process that was asked to stop, if this one was."""


class _Stopped(Exception):
    pass


def restore_all(restorer: Restorer, jobs: list[Job], quality: int = 95, compare: bool = False, overwrite: bool = False,
                max_megapixels: float = 200) -> Outcome:
    """Restore each job's photo into its target. A target that is no restoration is left alone unless `overwrite`; one made with
    other networks or settings is made anew."""
    outcome, left = Outcome(), []
    for job in jobs:
        try:
            if _is_done(restorer, job, quality, compare, overwrite):
                outcome.skipped.append(job.photo)
            else:
                left.append(job)
        except OSError as error:
            outcome.failed[job.photo] = _reason(error, job)
    sizes = {job: _size(job.photo, max_megapixels) for job in left}
    total = sum(height * width for height, width in sizes.values()) / 1e6
    with Stop() as stop, progress("restoring (MP)", total) as bar:
        accounts = {job: _Account(bar, sizes[job], f"{job.photo.name} ({number} of {len(left)})", stop)
                    for number, job in enumerate(left, 1)}
        try:
            for group in _groups(sizes, restorer):
                begun = {}
                for job in group:
                    with _noted(outcome, job):
                        begun[job] = restorer.begin(job.photo, job.target, quality, max_megapixels)
                colours = _together(restorer, begun)
                for job in group:
                    account, picture = accounts[job], job.picture if compare else None
                    if job in begun:
                        account.add(0)
                        with _noted(outcome, job):
                            if remarks := restorer.finish(begun.pop(job), picture, account.add, colours.get(job)):
                                outcome.remarks[job.photo] = remarks
                            outcome.restored.append(job.photo)
                    account.close()
        except _Stopped:
            outcome.stopped = stop.exit_code
    return outcome


@contextmanager
def _noted(outcome: Outcome, job: Job):
    """A failure of one photo, which the others shall not suffer from."""
    try:
        yield
    except _Stopped:
        raise
    except Exception as error:
        outcome.failed[job.photo] = _reason(error, job)


def _reason(error: Exception, job: Job) -> str:
    gone = job.photo.is_symlink() and not job.photo.exists()
    return "a link to a file that is not there" if gone else in_words(error)


def in_words(error: Exception) -> str:
    """Why a photo could not be restored."""
    if isinstance(error, (ValueError, OSError, MemoryError)):  # BadImage too
        return str(error)
    return f"{type(error).__name__}: {error}"  # a bug, or a driver's trouble


def _groups(sizes: dict[Job, tuple[int, int]], restorer: Restorer) -> list[list[Job]]:
    """Jobs in their order, but those of small photos of one size together, as many as go through the network at once."""
    groups, last = [], {}
    for job, size in sizes.items():
        if size not in last or len(last[size]) == restorer.at_once(*size):
            last[size] = []
            groups.append(last[size])
        last[size].append(job)
    return groups


def _together(restorer: Restorer, begun: dict[Job, Begun]) -> dict[Job, np.ndarray]:
    """The colours that could be restored in one pass. What fails so is left out: by itself it will succeed or say why not."""
    shapes, colours = {}, {}
    for job, photo in begun.items():  # upright, so that one size in the files may be two
        shapes.setdefault(photo.photo.colour.shape[:2], []).append(job)
    for jobs in shapes.values():
        if len(jobs) > 1:
            with suppress(Exception):
                colours |= zip(jobs, restorer.together([begun[job] for job in jobs]))
    return colours


class _Account:
    """A photo's share of the progress, in megapixels, which is all paid whatever becomes of it."""

    def __init__(self, bar, size: tuple[int, int], note: str, stop: Stop):
        self.bar, self.left, self.note, self.stop = bar, size[0] * size[1] / 1e6, note, stop

    def add(self, pixels: int) -> None:
        self.left -= pixels / 1e6
        self.bar.advance(self.note, pixels / 1e6)
        if self.stop.asked():
            raise _Stopped

    def close(self) -> None:
        if abs(self.left) > 1e-9:
            self.bar.advance(self.note, self.left)


def _is_done(restorer: Restorer, job: Job, quality: int, compare: bool, overwrite: bool) -> bool:
    if not job.target.exists():
        return False
    mark = _mark(job.target)
    if not mark.startswith(MARK) and not overwrite:
        raise FileExistsError(f"{job.target} is there already and is no restoration; move it, or give --overwrite")
    same = mark.endswith(restorer.fingerprint(job.photo, job.target, quality))
    return same and (job.picture.exists() or not compare)


def _mark(path: Path) -> str:
    """`Software` in the EXIF of a file."""
    return str(exif_of(path).get(Base.Software, ""))


def _size(photo: Path, max_megapixels: float) -> tuple[int, int]:
    """Height and width from the header; what cannot be read counts for nothing."""
    try:
        return read_size(photo, max_megapixels)
    except BadImage:
        return 0, 0
