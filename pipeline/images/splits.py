"""Which files make up a set, what their images are called, and which split each of them is in.

A pattern speaks of a file's path below the set's folder, with / and without its ending: `*` stands for anything within
one component, `**` for anything at all, `**/` for any number of folders, none included.
"""
import hashlib
import re
from functools import lru_cache

SPLITS = ("train", "val", "test", "holdout")
WILDCARDS = {"**/": "(?:(.*)/)?", "**": "(.*)", "*": "([^/]*)"}


class SplitError(ValueError):
    """Names or splits that contradict each other; the text says which param is at fault."""


def match(pattern: str, stem: str) -> str | None:
    """What the stars of `pattern` match in the path `stem`, joined by "/"; None when the path does not match.

    Where stars match nothing, or there are none, it is the whole path.
    """
    found = _compiled(pattern).fullmatch(stem)
    if found is None:
        return None
    return "/".join(part for part in found.groups() if part) or stem


@lru_cache
def _compiled(pattern: str) -> re.Pattern:
    parts = re.split(r"(\*\*/|\*\*|\*)", pattern)
    return re.compile("".join(WILDCARDS.get(part) or re.escape(part) for part in parts), re.DOTALL)


def stem_of(path: str) -> str:
    """The path without the ending of its last component."""
    return path[: path.rindex(".")] if "." in path.rsplit("/", 1)[-1] else path


def name_images(paths: list[str], include: str, where: str, views: tuple[str, ...] = ()) -> dict[str, str]:
    """{name: path}, sorted by name, of the paths that `include` matches; two files of one name are a SplitError.

    With `views` each file has as many names, its own with each of these endings. `where` names the set in messages, such as
    sets.clean.
    """
    names: dict[str, str] = {}
    for path in paths:
        own = match(include, stem_of(path))
        if own is None:
            continue
        for name in (own + view for view in views or ("",)):
            if name in names:
                raise SplitError(f"{where}.include: {names[name]!r} and {path!r} would both be named {name!r}")
            names[name] = path
    return dict(sorted(names.items()))


def scene_of(name: str, expression: str, where: str) -> str:
    """The first group of the regular expression `expression`, which has to match the whole name."""
    found = re.fullmatch(expression, name, re.DOTALL)
    if found is None or found[1] is None:
        raise SplitError(f"{where}.scene: {expression!r} does not match the name {name!r}")
    return found[1]


def split(paths: dict[str, str], scenes: dict[str, str], claims: dict[str, float | str], where: str) -> dict[str, str]:
    """{name: split} from {name: path} and {name: scene}.

    `claims` holds, for val, test and holdout, a pattern on the path or a share of the scenes. Patterns claim first.
    Shares count in scenes that no pattern claimed, rounded, at least one while train keeps one. Scenes are taken in the
    order of a hash of their names, so captures and their truth split alike, and no seed moves an image from test to
    train. A pattern that matches nothing is a SplitError.
    """
    by_scene: dict[str, str] = {}
    first: dict[str, str] = {}
    for name, path in paths.items():
        claimed = _claimed(path, claims, where)
        scene = scenes[name]
        if by_scene.setdefault(scene, claimed) != claimed:
            raise SplitError(f"{where}: scene {scene!r} falls in two splits: {paths[first[scene]]!r} is in "
                             f"{by_scene[scene] or 'none by pattern'}, {path!r} in {claimed or 'none by pattern'}")
        first.setdefault(scene, name)
    for key, claim in claims.items():
        if isinstance(claim, str) and key not in by_scene.values():
            raise SplitError(f"{where}.{key}: the pattern {claim!r} matches no file, such as {next(iter(paths.values()))!r}; "
                             "* and ** alone are wildcards")
    free = sorted((scene for scene in by_scene if not by_scene[scene]), key=_hash)
    for key, count in _counts(len(free), claims, where).items():
        by_scene.update(dict.fromkeys(free[:count], key))
        free = free[count:]
    return {name: by_scene[scenes[name]] or "train" for name in paths}


def _claimed(path, claims, where) -> str:
    stem = stem_of(path)
    patterns = [key for key, claim in claims.items() if isinstance(claim, str) and match(claim, stem) is not None]
    if len(patterns) > 1:
        raise SplitError(f"{where}: {path!r} is claimed by both {' and '.join(patterns)}")
    return patterns[0] if patterns else ""


def _counts(total, claims, where) -> dict[str, int]:
    shares = {key: claim for key, claim in claims.items() if not isinstance(claim, str) and claim > 0}
    if sum(shares.values()) > 1:
        listed = ", ".join(f"{key} {share:g}" for key, share in shares.items())
        raise SplitError(f"{where}: the shares {listed} add up to more than 1")
    counts, left = {}, total
    for key, share in shares.items():
        count = int(share * total + 0.5)
        if count == 0 and left > 1:
            count = 1
        counts[key] = min(count, left)
        left -= counts[key]
    return counts


def _hash(scene: str) -> bytes:
    return hashlib.sha256(scene.encode("utf-8", "surrogateescape")).digest()
