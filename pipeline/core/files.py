"""Files that are either whole or absent: written to a temporary name in the same folder, then renamed."""
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

LONGEST_NAME = 255  # bytes, of usual file systems


@contextmanager
def replacing(path: Path | str, mode: str = "wb"):
    """Open a temporary file beside `path`; on success it is flushed to disk and takes `path`'s place, on error it goes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME - 20:  # what the rest of the temporary name takes
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    temporary = path.with_name(f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, mode, **({} if "b" in mode else {"encoding": "utf-8", "newline": "\n"})) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path | str, content: str | bytes) -> None:
    """Write a whole file of text or bytes."""
    with replacing(path, "w" if isinstance(content, str) else "wb") as handle:
        handle.write(content)


def json_text(value) -> str:
    """`value` with sorted keys, so that equal values give equal texts. NaN and infinity are errors."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: Path | str, value) -> None:
    """Write the JSON text of `value`."""
    write(path, json_text(value))


def read_json(path: Path | str):
    """The value in a JSON file; the error of a damaged file names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error


def sha256(path: Path | str) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_of(value) -> str:
    """Hex digest of a JSON-able value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sha256_of_array(values) -> str:
    """Hex digest of a numpy array's shape, dtype and values."""
    digest = hashlib.sha256(f"{values.dtype} {values.shape} ".encode())
    digest.update(values.tobytes())
    return digest.hexdigest()


def fault_of(folder: Path) -> str:
    """Why no images can be read from a folder, in words; empty when they can."""
    if not folder.is_dir():
        return f"wanted a folder of images, or data/none; {folder} is {'a file' if folder.exists() else 'nothing'}"
    return "" if os.access(folder, os.R_OK | os.X_OK) else f"{folder} cannot be read (its permissions forbid it)"


def need_space(folder: Path | str, wanted: int, what: str) -> None:
    """Raise OSError when the disk that holds `folder` has fewer than `wanted` bytes free."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OSError(f"{what} needs {wanted / 2**20:,.0f} MiB in {folder}, only {free / 2**20:,.0f} MiB are free")
