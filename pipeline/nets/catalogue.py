"""Which architectures there are, and the code of each; without torch, which takes seconds to import."""
from pathlib import Path

from pipeline.core.files import sha256, sha256_of
from pipeline.core.imports import imported

SHARED = ("__init__", "blocks", "build", "catalogue")  # the files of this folder that hold no architecture


def architectures() -> list[str]:
    """The names `arch` may have: each is a file of this folder."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in SHARED)


def code_of(arch: str) -> str:
    """A hash of the code of an architecture, its file and the modules of the pipeline that this imports."""
    root = Path(__file__).parents[2]
    module = f"pipeline.nets.{arch}"
    return sha256_of({path.as_posix(): sha256(root / path) for path in imported([module], root)[module]})
