"""Which files of a folder are images of a set."""
import os
from pathlib import Path

from pipeline.core.sources import TRUTH, Set
from pipeline.images.splits import SplitError


def has_truth(entry: Set) -> bool:
    """Whether the folder `truth` below a set's holds the truth of its images, and is not part of the set itself."""
    return Path(entry.folder, TRUTH).is_dir() and not entry.takes_truth


def find_images(folder: Path, where: str, suffixes: set[str], without: str = "") -> tuple[list[str], int, dict[str, str]]:
    """Sorted paths, below `folder`, of the files with one of these endings; how many others there are; {unusable name:
    reason}.

    Hidden files and folders are passed over, and the folder `without` right below. Links are followed. Raises SplitError
    naming `where` when there is nothing to find, or a folder that cannot be read.
    """
    def unreadable(error):
        raise SplitError(f"{where}: {error.filename} cannot be read ({error.strerror})")

    files, ignored, unusable, seen = [], 0, {}, set()
    if folder.is_dir():
        _new(folder, seen)
    for root, folders, found in os.walk(folder, onerror=unreadable, followlinks=True):
        folders[:] = [name for name in sorted(folders) if not name.startswith(".") and _new(Path(root, name), seen)
                      and Path(root, name) != folder / without]
        for name in (name for name in found if not name.startswith(".")):
            path = Path(root, name).relative_to(folder).as_posix()
            if Path(name).suffix.lower() not in suffixes:
                ignored += 1
            elif (printable := os.fsencode(path).decode("utf-8", "backslashreplace")) != path:
                unusable[printable] = "its name is not valid UTF-8"
            else:
                files.append(path)
    if not files:
        raise SplitError(f"{where}: no images in {folder} ({ignored} files with other endings); wanted are "
                         f"{', '.join(sorted(suffixes))}")
    return sorted(files), ignored, unusable


def _new(folder: Path, seen: set) -> bool:
    """Whether a folder was not met before, which a circle of links would do for ever."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    return identity not in seen and not seen.add(identity)
