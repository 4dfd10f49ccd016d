"""Whether the options of a network are those of its architecture, told before its training begins."""
import ast
from pathlib import Path

from pipeline.core.params import ParamsError
from pipeline.nets import build

KINDS = {"int": int, "float": (int, float), "bool": bool, "str": str, "list": (list, tuple)}
"""Annotation of an option -> the types that it allows."""


def check_options(where: str, arch: str, options: dict) -> None:
    """Raise ParamsError, which begins with the key of the entry `where`, for options that `build` of pipeline/nets/ARCH.py does
    not take. The file is read, not imported: with torch that would take seconds."""
    if arch not in build.architectures():
        raise ParamsError(f"{where}.arch: got {arch!r}, there are {', '.join(build.architectures())}")
    if arch == "spandrel":  # reads its options from the file of weights
        return
    file = Path(build.__file__).with_name(f"{arch}.py")
    tree = ast.parse(file.read_text(encoding="utf-8"), file)
    taken = next(node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    positional, named = [*taken.posonlyargs, *taken.args], taken.kwonlyargs
    needed = positional[: len(positional) - len(taken.defaults)]
    needed += [one for one, default in zip(named, taken.kw_defaults) if default is None]
    allowed = {one.arg: ast.unparse(one.annotation) if one.annotation else "" for one in positional + named}
    for key, value in options.items():
        if key not in allowed and not taken.kwarg:
            raise ParamsError(f"{where}.options.{key}: {arch} has no such option; allowed are {', '.join(allowed)}")
        kind = allowed.get(key, "")
        if kind in KINDS and (not isinstance(value, KINDS[kind]) or isinstance(value, bool) != (kind == "bool")):
            raise ParamsError(f"{where}.options.{key}: got {value!r}, wanted {kind}")
    if missing := [one.arg for one in needed if one.arg not in options]:
        raise ParamsError(f"{where}.options.{missing[0]}: is missing; {arch} has no default for it")
