"""From what a user names to what is to be done: which photo becomes which file. Nothing is read or written here."""
import os
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import takewhile
from pathlib import Path

from pipeline.images.decode import IMAGE_SUFFIXES
from pipeline.restore.photo import HEIC_SUFFIXES
from pipeline.restore.save import FORMATS

READ = IMAGE_SUFFIXES | HEIC_SUFFIXES


class PlanError(ValueError):
    """The inputs and the output do not go together."""


@dataclass(frozen=True)
class Job:
    photo: Path
    target: Path

    @property
    def picture(self) -> Path:
        """Where the two are shown side by side."""
        return self.target.with_name(f"{self.target.name}-compare.png")


def plan(inputs: list[Path], output: Path, suffix: str | None = None, pictures: bool = False) -> list[Job]:
    """Files, folders and globs -> jobs, no two of which write the same file, and none an input.

    `output` is a file, by its suffix, when there is one photo; otherwise a folder, in which what is below a folder or a glob's
    fixed part keeps its place. There a photo keeps its format unless `suffix` names another; BMP and HEIC become PNG.
    `pictures`: whether those are written too. Raises PlanError.
    """
    one = output.suffix.lower() in READ and not output.is_dir()
    wanted = f"wanted a folder, or a file that ends in {', '.join(FORMATS)}"
    if one and output.suffix.lower() not in FORMATS:
        raise PlanError(f"{output}: this format is read but not written; {wanted}")
    if not one and output.exists() and not output.is_dir():
        raise PlanError(f"{output}: is a file, but not an image; {wanted}")
    photos = _photos(inputs, None if one else output)
    if one and len(photos) > 1:
        raise PlanError(f"{output}: one file for {len(photos)} photos; name a folder")
    if one and suffix:
        raise PlanError(f"{output}: its own suffix says the format; --format is for folders")
    jobs = [Job(photo, output if one else _target(output / place, suffix)) for photo, place in photos.items()]
    _check(jobs, pictures)
    return jobs


def _target(path: Path, suffix: str | None) -> Path:
    own = path.suffix.lower()
    if suffix and FORMATS[suffix] != FORMATS.get(own):
        return path.with_suffix(suffix)
    return path if own in FORMATS else path.with_suffix(".png")


def _photos(inputs: list[Path], output: Path | None) -> dict[Path, Path]:
    """Photo -> its place in the output folder. What is below that folder is a restoration, unless it is named itself."""
    photos = {}
    for path in inputs:
        if path.is_dir():
            found = {file: file.relative_to(path) for file in sorted(path.rglob("*")) if _is_photo(file, path)}
        elif path.exists():
            photos.setdefault(path, Path(path.name))
            continue
        elif has_magic(str(path)):
            base = Path(*takewhile(lambda part: not has_magic(part), path.parts))  # before the first wildcard
            files = [Path(file) for file in sorted(glob(str(path), recursive=True))]
            found = {file: file.relative_to(base) for file in files if _is_photo(file, base)}
        else:
            raise PlanError(f"{path}: no such file")
        if output and output.resolve() != path.resolve():
            found = {file: place for file, place in found.items() if output.resolve() not in file.resolve().parents}
        if not found:
            raise PlanError(f"{path}: no images in this folder" if path.is_dir() else f"{path}: no images match")
        for file, place in found.items():
            photos.setdefault(file, place)
    return photos


def _is_photo(file: Path, base: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(base).parts)  # such as ._photo.jpg of macOS
    dangling = file.is_symlink() and not file.exists()  # reported when it cannot be read, not passed over
    return file.suffix.lower() in READ and not hidden and (file.is_file() or dangling)


def _check(jobs: list[Job], pictures: bool) -> None:
    inputs, files = {job.photo.resolve() for job in jobs}, {_file(job.photo) for job in jobs if job.photo.exists()}
    taken = {}
    for job in jobs:
        for target in (job.target, job.picture)[: 1 + pictures]:
            if target.resolve() in inputs or (target.exists() and _file(target) in files):
                raise PlanError(f"{target}: would overwrite an input; name another place")
            other = taken.setdefault(target.resolve(), job.photo)
            if other != job.photo:
                raise PlanError(f"{job.photo} and {other} would both become {target}")


def _file(path: Path) -> tuple[int, int]:
    """The same for all names of a file: links, and other spellings where the disk does not tell cases apart."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
