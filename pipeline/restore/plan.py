"""From what a user names to what is to be done: which photo becomes which file. Nothing is read or written here."""
import os
from dataclasses import dataclass
from glob import escape, glob, has_magic
from pathlib import Path

from pipeline.core.files import LONGEST_NAME, sha256_of
from pipeline.images.decode import IMAGE_SUFFIXES
from pipeline.images.find import passed_over, refuse_link, walk
from pipeline.images.look_alike import look_alike
from pipeline.images.splits import SplitError
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
        name, ending = os.fsencode(self.target.name), "-compare.png"
        if len(name) > LONGEST_NAME - len(ending):
            ending = f"-{sha256_of(self.target.name)[:8]}{ending}"
        return self.target.with_name(name[: LONGEST_NAME - len(ending)].decode(errors="ignore") + ending)


def plan(inputs: list[Path], output: Path, suffix: str | None = None, pictures: bool = False) -> tuple[list[Job], str]:
    """Files, folders and globs -> jobs, no two of which write the same file, and none an input; and words about the files there
    that are passed over, as their endings are not those of images.

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
    photos, others = _photos(inputs, None if one else output)
    if one and len(photos) > 1:
        raise PlanError(f"{output}: one file for {len(photos)} photos; name a folder")
    if one and suffix:
        raise PlanError(f"{output}: its own suffix says the format; --format is for folders")
    jobs = [Job(photo, output if one else _target(output / place, suffix)) for photo, place in photos.items()]
    _check(jobs, pictures)
    return jobs, passed_over(others) if others else ""


def _target(path: Path, suffix: str | None) -> Path:
    own = path.suffix.lower()
    if suffix and FORMATS[suffix] != FORMATS.get(own):
        return path.with_suffix(suffix)
    return path if own in FORMATS else path.with_suffix(".png")


def _photos(inputs: list[Path], output: Path | None) -> tuple[dict[Path, Path], list[Path]]:
    """Photo -> its place in the output folder, and the files passed over. What is below that folder is a restoration, unless it
    is named itself."""
    photos, others = {}, []
    for path in inputs:
        if not path.is_dir() and path.exists():
            photos.setdefault(path, Path(path.name))
            continue
        files, base = _files(path)
        if output and output.resolve() != path.resolve():
            files = [file for file in files if output.resolve() not in file.resolve().parents]
        found = [file for file in files if file.suffix.lower() in READ]
        mine = [file for file in files if file.suffix.lower() not in READ]
        if not found:
            raise PlanError(f"{path}: no images {'in this folder' if path.is_dir() else 'match'}"
                            + (f"; {passed_over(mine)}" if mine else ""))
        for file in found:
            photos.setdefault(file, file.relative_to(base))
        others += mine
    return photos, others


def _files(path: Path) -> tuple[list[Path], Path]:
    """The files in a folder or that a glob matches, but for hidden ones, and what they keep their place below."""
    try:
        if path.is_dir():
            return sorted(walk(path, "PHOTO")), path
        if not has_magic(str(path)):
            raise PlanError(f"{path}: no such file{look_alike(path.name, _names(path.parent))}")
        base = _fixed(path.parts)
        pattern = Path(escape(str(base)), *path.parts[len(base.parts) :])
        files = [Path(file) for file in sorted(glob(str(pattern), recursive=True))]
        for folder in {folder for file in files for folder in (file, *file.parents) if base in folder.parents}:
            if folder.is_dir():
                refuse_link(folder, "PHOTO")
        return [file for file in files if not file.is_dir() and not _hidden(file.relative_to(base))], base
    except SplitError as error:
        raise PlanError(error) from None


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)  # such as ._photo.jpg of macOS


def _fixed(parts: tuple[str, ...]) -> Path:
    """The folder before the first wildcard of a glob; brackets in the name of a folder that is there are none."""
    base = Path()
    for part in parts:
        if has_magic(part) and not (base / part).is_dir():
            return base
        base /= part
    return base


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
