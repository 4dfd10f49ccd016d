"""Reading params.yaml and presets as DVC reads them: UTF-8, and YAML 1.2 by ruamel.yaml.

A reader of YAML 1.1 takes 010 for 8, where DVC hands out 10, and the last of two equal keys, where DVC stops.
"""
import pickle
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

SHOWN = 60  # characters of a line at fault


class ParamsError(ValueError):
    """params.yaml holds something that cannot be meant."""


def read_text(path: Path | str) -> str:
    """The text of a UTF-8 file without a byte order mark, lines ending in \\n. Raises ParamsError, which names the file."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run this in the project's root, where params.yaml is") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read ({error.strerror})") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise ParamsError(f"{path}: is UTF-16, or no text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ParamsError(f"{path}, line {line}: the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8, "
                          "not as Latin-1 or in another code page") from None


def parse_yaml(text: str, source: Path | str) -> dict:
    """The mapping in a YAML text. Raises ParamsError, which names `source`, the line and the key."""
    try:
        values = pickle.loads(_pickled(text))
    except DuplicateKeyError:
        key, line, first = next(_twice(YAML(typ="safe").compose(text)))
        raise ParamsError(f"{source}, line {line}: the key {key} is in line {first} already") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        if mark is None:
            raise ParamsError(f"{source}: not valid YAML: {problem}") from None
        lines = text.splitlines() or [""]
        number = min(mark.line, len(lines) - 1)  # it may be behind the last
        raise ParamsError(f"{source}, line {number + 1}: not valid YAML: {problem}: {lines[number][:SHOWN]!r}") from None
    if not isinstance(values, dict):
        found = "nothing" if values is None else repr(values)[:SHOWN]
        raise ParamsError(f"{source}: wanted a mapping of sections, got {found}")
    return values


@lru_cache(maxsize=32)
def _pickled(text: str) -> bytes:
    """What a text holds. Commands read one text several times, and ruamel.yaml takes 20 ms; each has a copy of its own."""
    return pickle.dumps(YAML(typ="safe").load(text))


def read_yaml(path: Path | str) -> dict:
    """Both: the mapping in a file."""
    return parse_yaml(read_text(path), path)


def _twice(node: Node, above: str = "") -> Iterator[tuple[str, int, int]]:
    """(key with those above it, its line, the line where it stood first) of each key that a mapping has twice."""
    if isinstance(node, SequenceNode):
        for number, value in enumerate(node.value):
            yield from _twice(value, f"{above}{number}.")
    if not isinstance(node, MappingNode):
        return
    seen: dict[str, int] = {}
    for name, value in node.value:
        line = name.start_mark.line + 1
        if name.value in seen:
            yield f"{above}{name.value}", line, seen[name.value]
        seen.setdefault(str(name.value), line)
        yield from _twice(value, f"{above}{name.value}.")
