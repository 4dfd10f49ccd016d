"""A dvc.lock that was cut off, and how it is mended.

DVC writes the file in place. A kill in that moment leaves its beginning: DVC then cannot read it, or reads it as if the other
stages had never run. `python -m pipeline repro` keeps the last whole one in .work/, from which `mend` takes what is missing.
Where a stage ran since, its entry is older than its outs, and DVC takes the outs from its run cache, or runs it again.

Whoever calls `mend`, `release`, `keep` or `order` holds DVC's lock, so that nobody writes the file meanwhile.
"""
import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import YAMLFileCorruptedError, dumps_yaml, parse_yaml
from voluptuous import Invalid

from pipeline.core.files import write

LOCK, KEPT, DAMAGED = Path("dvc.lock"), Path(".work/dvc.lock"), Path(".work/dvc.lock.damaged")
IN_USE = Path(".dvc/tmp/rwlock")
ENTRY = re.compile(r"^  ([^\s#-].*):$", re.MULTILINE)  # the first line of a stage's entry
CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)


def damage(stages: Collection[str] = ()) -> str | None:
    """What is missing in dvc.lock, in words, or None. `stages` are those of dvc.yaml, where DVC could read it: if one of them
    had an entry that has gone, it is missing too. A merge conflict is no damage of this kind; DVC tells of it."""
    text = read(LOCK)
    if text is None or CONFLICT.search(text):
        return None
    if not text.strip():
        return "it is empty"
    if not text.endswith("\n"):
        return "it ends in the middle of a line"
    if _parsed(text) is None:
        return "it ends in the middle of an entry"
    gone = [name for name in lost(text) if name in stages]
    return f"it has no entry any more of {', '.join(gone)}" if gone else None


def mend(stages: Collection[str] = ()) -> str | None:
    """Put back what is missing in dvc.lock, as `damage` tells. Returns what that was, or None."""
    wrong, text = damage(stages), read(LOCK)
    if wrong is None:
        return None
    write(DAMAGED, text)
    starts = [match.start() for match in ENTRY.finditer(text)]
    whole = text.endswith("\n") and _parsed(text) is not None
    found = _parsed(text if whole else text[:starts[-1]] if starts else "") or {}
    kept = _parsed(read(KEPT) or "") or {}
    new, old = found.get("stages", {}), kept.get("stages", {})
    last = {name: old[name] for name in [*new][-1:] if name in old}  # which may be cut off after a whole line
    _write(kept | found, old | new | last)
    return wrong


def release() -> None:
    """Remove DVC's list of the files that are in use, if it was cut off: DVC runs nothing while it cannot read the list."""
    try:
        json.loads(IN_USE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except ValueError:
        IN_USE.unlink()


def keep() -> None:
    """Keep dvc.lock as it is now."""
    text = read(LOCK)
    if text is None:
        KEPT.unlink(missing_ok=True)
    elif text != read(KEPT):
        write(KEPT, text)


def order(before: Collection[str], stages: Iterable[str]) -> None:
    """Let the entries that were not there `before` follow those that were, in the order of `stages`."""
    text = read(LOCK) or ""
    there = entries(text)
    wanted = dict.fromkeys([name for name in before if name in there])
    wanted |= dict.fromkeys([*(name for name in stages if name in there), *there])
    if [*wanted] != there:
        found = _parsed(text)
        _write(found, {name: found["stages"][name] for name in wanted})


def lost(text: str | None) -> list[str]:
    """The stages that the kept dvc.lock has an entry of, and `text`, that of another, has not."""
    there = set(entries(text))
    return [name for name in entries(read(KEPT)) if name not in there]


def entries(text: str | None) -> list[str]:
    """The stages that the text of a dvc.lock has an entry of."""
    return [name.strip("'\"") for name in ENTRY.findall(text or "")]


def read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _parsed(text: str) -> dict | None:
    """What is in the text of a dvc.lock, or None if it is not one."""
    try:
        return COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, LOCK))
    except (YAMLFileCorruptedError, Invalid):
        return None


def _write(lock: dict, stages: dict) -> None:
    if not stages:
        LOCK.unlink()
        return
    write(LOCK, dumps_yaml(lock | {"stages": stages}))
