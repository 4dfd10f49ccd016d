"""Which files of the pipeline run when a module of it is imported."""
import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path


def imported(modules: Iterable[str], root: Path = Path()) -> dict[str, set[Path]]:
    """Module -> the files of the pipeline that it imports, itself included, at any depth and inside functions too. Paths are
    relative to `root`, the project's folder. What is imported by a name that only a run knows is not among them: of the
    pipeline's own modules, the networks of `nets/build.py`."""
    direct = cache(lambda module: _direct(root / _file(module)))  # for this call, as files change
    return {module: {path for path in map(_file, _reached(module, direct)) if (root / path).is_file()} for module in modules}


def _reached(module: str, direct: Callable[[str], set[str]]) -> set[str]:
    seen, left = set(), {module}
    while left:
        seen |= left
        left = {name for each in left for name in direct(each)} - seen
    return seen


def _direct(path: Path) -> set[str]:
    """What a module imports of the pipeline itself, and names in these modules that may be modules or not."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), path) if path.is_file() else ast.Module([], [])
    except SyntaxError:  # whoever imports it will say so; other stages need not wait until it is mended
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.partition(".")[0] == "pipeline"}


def _file(module: str) -> Path:
    return Path(f"{module.replace('.', '/')}.py")
