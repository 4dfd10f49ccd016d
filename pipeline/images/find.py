"""Which files of a folder are images: the same for sets, checks and photos to restore.

Hidden files and folders are passed over. A link to a file stands for the file. A link to a folder is refused: DVC does not look
behind it, so that what changes there would go unseen.
"""
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.core.sources import TRUTH, Set
from pipeline.images.splits import SplitError

NAMED = 3  # files of a kind, where the others are counted


def has_truth(entry: Set) -> bool:
    """Whether the folder `truth` below a set's holds the truth of its images, and is not part of the set itself."""
    return Path(entry.folder, TRUTH).is_dir() and not entry.takes_truth


def walk(folder: Path, where: str) -> Iterator[Path]:
    """The files below `folder` that are not hidden, folder by folder; `folder` itself may be a link. Raises SplitError, which
    begins with `where`, for a folder that is a link or cannot be read."""
    def unreadable(error):
        raise SplitError(f"{where}: {error.filename} cannot be read ({error.strerror})")

    for root, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            refuse_link(Path(root, name), where)
        yield from (Path(root, name) for name in sorted(files) if not name.startswith("."))


def refuse_link(folder: Path, where: str) -> None:
    """Raise SplitError where a folder is a link, behind which DVC does not look."""
    if folder.is_symlink():
        raise SplitError(f"{where}: {folder} is a link to the folder {os.readlink(folder)}, and links to folders are not "
                         "followed: name that folder by itself, or put its files, or a link to each of them, in this place")


def refuse_dangling(file: Path, where: str) -> None:
    """Raise SplitError where a file is a link to nothing, which DVC cannot hash."""
    if not file.exists():
        raise SplitError(f"{where}: {file} is a link to {os.readlink(file)}, which is not there; take the link away")


def find_images(folder: Path, where: str, suffixes: set[str], without: str = "") -> tuple[list[str], list[str], dict[str, str]]:
    """Sorted paths, below `folder`, of the files with one of these endings; of the others; {unusable name: reason}.

    The folder `without` right below is passed over. Raises SplitError, which begins with `where`, when there is nothing to
    find, for a link to what is not there, and as `walk`.
    """
    files, others, unusable = [], [], {}
    for file in walk(folder, where):
        path = file.relative_to(folder).as_posix()
        refuse_dangling(file, where)
        if without and path.startswith(f"{without}/"):
            continue
        printable = os.fsencode(path).decode("utf-8", "backslashreplace")
        if file.suffix.lower() not in suffixes:
            others.append(printable)
        elif printable != path:
            unusable[printable] = "its name is not valid UTF-8"
        else:
            files.append(path)
    if not files:
        raise SplitError(f"{where}: no images in {folder}; wanted are {', '.join(sorted(suffixes))}"
                         + (f"; {passed_over(others)}" if others else ""))
    return sorted(files), sorted(others), unusable


def passed_over(others: Iterable[str | Path]) -> str:
    """How many files were passed over, by their endings, and the first of each."""
    kinds: dict[str, list[str]] = {}
    for path in map(str, others):
        kinds.setdefault(Path(path).suffix.lower() or "without an ending", []).append(path)
    said = [f"{len(paths)} {kind} ({', '.join(paths[:NAMED])}{', ...' if len(paths) > NAMED else ''})"
            for kind, paths in sorted(kinds.items())]
    count = sum(map(len, kinds.values()))
    return f"{count} {'file' if count == 1 else 'files'} passed over: {', '.join(said)}"
