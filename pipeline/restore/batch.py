"""Many photos, one after another: what is done is skipped, what fails is remembered and the others go on, Ctrl-C is heeded."""
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from pipeline.core.progress import progress
from pipeline.core.stop import Stop
from pipeline.images.decode import DAMAGE, BadImage, read_size
from pipeline.restore.exif import Base
from pipeline.restore.plan import Job
from pipeline.restore.restorer import MARK, Restorer


@dataclass
class Outcome:
    restored: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    """Restored before, by the same networks and settings from the same bytes."""
    failed: dict[Path, str] = field(default_factory=dict)
    """Photo -> why."""
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
            outcome.failed[job.photo] = str(error)
    sizes = {job: _megapixels(job.photo, max_megapixels) for job in left}
    with Stop() as stop, progress("restoring (MP)", round(sum(sizes.values()), 1)) as bar:
        for number, job in enumerate(left, 1):
            account = _Account(bar, sizes[job], f"{job.photo.name} ({number} of {len(left)})", stop)
            try:
                restorer.file(job.photo, job.target, quality, max_megapixels, job.picture if compare else None, account.add)
                outcome.restored.append(job.photo)
            except _Stopped:
                outcome.stopped = stop.exit_code
                break
            except (ValueError, OSError, MemoryError) as error:  # BadImage too
                outcome.failed[job.photo] = str(error)
            except Exception as error:  # a bug, or a driver's trouble: the other photos shall not suffer from it
                outcome.failed[job.photo] = f"{type(error).__name__}: {error}"
            account.close()
    return outcome


class _Account:
    """A photo's share of the progress, in megapixels, which is all paid whatever becomes of it."""

    def __init__(self, bar, megapixels: float, note: str, stop: Stop):
        self.bar, self.left, self.note, self.stop = bar, megapixels, note, stop

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
    try:
        with Image.open(path) as image:
            return str(image.getexif().get(Base.Software, ""))
    except DAMAGE:
        return ""


def _megapixels(photo: Path, max_megapixels: float) -> float:
    """From the header; what cannot be read counts for nothing."""
    try:
        height, width = read_size(photo, max_megapixels)
        return height * width / 1e6
    except BadImage:
        return 0.0
