"""Values of a YAML text changed, added and removed, where comments, order and all else stay as they are.

The text is edited at the places that libyaml tells. ruamel.yaml takes thirty times as long, hangs a comment on the value
before it, and would take the next section's heading along. It has what is no matter of whole lines or of single values: keys in
braces, a value in quotes or of several lines, and what stands behind an alias.
"""
import io
import re
import textwrap
from typing import NamedTuple

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from pipeline.core.reading import parse_yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EMPTY = re.compile(r": \{\}\s*(#.*)?$")  # the line of an entry that holds nothing
COMMENT = re.compile(r"\s+(#.*)$")


class Change(NamedTuple):
    path: tuple
    """The keys from the top."""
    value: object
    """None removes the key."""
    exists: bool
    """Whether the key is there. If it is not, the mapping is that it comes into."""


class Lines(NamedTuple):
    """Lines that others take the place of."""
    first: int
    behind: int
    """The first that stays."""
    depth: int
    """How many keys lead there: of what comes before the same line, the deepest comes first."""
    new: list[str]


def edited(text: str, changes: list[Change], wanted: dict) -> str:
    """The text with the changes. No two of them are of the same path, nor is one within another. `wanted` are the values that
    the text then holds: if it came out otherwise, ruamel.yaml makes all of the changes."""
    try:
        found = _by_lines(text, changes)
        if parse_yaml(found, "params.yaml") == wanted:
            return found
    except ValueError:
        pass
    return _by_ruamel(text, changes)


def _by_lines(text: str, changes: list[Change]) -> str:
    top = yaml.compose(text, Loader=LOADER)
    if hard := [change for change in changes if not _is_simple(text, top, change)]:
        text = _by_ruamel(text, hard)
        top, changes = yaml.compose(text, Loader=LOADER), [change for change in changes if change not in hard]
    lines = text.splitlines()
    _put_values(lines, top, [change for change in changes if change.exists and change.value is not None])
    places = _added(lines, top, [change for change in changes if not change.exists])
    places += _removed(lines, top, [change for change in changes if change.value is None])
    places += _emptied(lines, top, changes)
    # from the end, as each place is a number of lines from the start
    for place in sorted(places, key=lambda place: (place.first, place.behind > place.first, -place.depth), reverse=True):
        lines[place.first:place.behind] = place.new
    return "\n".join(lines) + "\n"


def _is_simple(text: str, top: yaml.Node, change: Change) -> bool:
    pairs = _pairs(top, change.path if change.exists else change.path[:-1])
    if pairs is None or "\\n" in repr(change.value):
        return False
    parents = [top, *(value for _, value in pairs)]
    if not change.exists:
        return bool(parents[-1].value and not parents[-1].flow_style or pairs and EMPTY.search(_line(text, parents[-1])))
    if change.value is None:
        in_lines = isinstance(parents[-1], yaml.SequenceNode) and not parents[-1].flow_style  # may begin where their key does
        return not parents[-2].flow_style and not in_lines
    value, line = pairs[-1][1], _line(text, pairs[-1][1])
    return (value.start_mark.line == value.end_mark.line and value.start_mark.column < value.end_mark.column
            and text[value.start_mark.index] not in "&*!|>'\"" and not isinstance(value, yaml.MappingNode)
            and not isinstance(change.value, dict) and not ("#" in line and re.search("['\"]", line)))


def _line(text: str, node: yaml.Node) -> str:
    return text.splitlines()[node.start_mark.line]


def _pairs(node: yaml.Node, path: tuple) -> list[tuple[yaml.Node, yaml.Node]] | None:
    """The nodes of each key on a path and of its value. None where one is not written there, but behind an alias."""
    pairs = []
    for key in path:
        pair = next(((name, value) for name, value in node.value if name.value == str(key)), None)
        if pair is None or pair[1].start_mark.index < pair[0].end_mark.index:
            return None
        pairs.append(pair)
        node = pair[1]
    return pairs


def _put_values(lines: list[str], top: yaml.Node, changes: list[Change]) -> None:
    """Put values in the place of others. A comment behind them keeps its column, unless the new ones need the room."""
    found = []
    for path, value, _ in changes:
        pairs = _pairs(top, path)
        inside = len(pairs) > 1 and pairs[-2][1].flow_style
        found.append((pairs[-1][1], _dump(_inline([value]))[1:-2] if inside else _dump({"a": _inline(value)})[3:-1]))
    for number in {node.start_mark.line for node, _ in found}:
        line = lines[number]
        there = sorted((node.start_mark.column, node.end_mark.column, new) for node, new in found
                       if node.start_mark.line == number)
        for start, end, new in reversed(there):
            line = line[:start] + new + line[end:]
        if (comment := COMMENT.search(line, _end(line, there))) and (before := COMMENT.search(lines[number], there[-1][1])):
            line = line[:comment.start()].ljust(before.start(1) - 1) + " " + comment[1]
        lines[number] = line


def _end(line: str, there: list[tuple[int, int, str]]) -> int:
    """Where the last of the new values ends in its line."""
    return there[-1][1] + sum(len(new) - (end - start) for start, end, new in there)


def _added(lines: list[str], top: yaml.Node, changes: list[Change]) -> list[Lines]:
    """New keys come after the last one of their mapping."""
    together: dict[tuple, dict] = {}
    for path, value, _ in changes:
        together.setdefault(path[:-1], {})[path[-1]] = _inline(value)
    found = []
    for path, new in together.items():
        pairs = _pairs(top, path)
        parents = [top, *(value for _, value in pairs)]
        start, end = _block(lines, pairs[-1][0]) if pairs else (0, len(lines))
        empty = not parents[-1].value
        column = pairs[-1][0].start_mark.column + 2 if empty else parents[-1].value[0][0].start_mark.column
        text = textwrap.indent(_dump(new), " " * column).splitlines()
        if empty:
            found.append(Lines(start, start + 1, len(path), [lines[start].replace(": {}", ":", 1), *text]))
        else:
            found.append(Lines(end, end, len(path), text))
    return found


def _removed(lines: list[str], top: yaml.Node, changes: list[Change]) -> list[Lines]:
    return [Lines(*_block(lines, _pairs(top, change.path)[-1][0]), len(change.path), []) for change in changes]


def _emptied(lines: list[str], top: yaml.Node, changes: list[Change]) -> list[Lines]:
    """The first line of each mapping of which nothing is left: `{}`, as it would be null without."""
    found = []
    for path in {change.path[:-1] for change in changes if change.value is None and len(change.path) > 1}:
        name, value = _pairs(top, path)[-1]
        touched = [change for change in changes if change.path[:-1] == path]
        if len(value.value) == sum(change.value is None for change in touched) and all(change.exists for change in touched):
            first = name.start_mark.line
            head, colon, comment = lines[first].partition(":")
            found.append(Lines(first, first + 1, len(path), [f"{head}{colon} {{}}{comment}"]))
    return found


def _block(lines: list[str], name: yaml.Node) -> tuple[int, int]:
    """The line of a key, and the first behind its value."""
    mark = name.start_mark
    end = mark.line + 1
    for number in range(mark.line + 1, len(lines)):
        line = lines[number]
        if line.strip() and len(line) - len(line.lstrip()) <= mark.column:
            break
        if line.strip():
            end = number + 1
    return mark.line, end


def _inline(value):
    """The same value, of which the lists are written in brackets."""
    if isinstance(value, dict):
        return {key: _inline(inner) for key, inner in value.items()}
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value


def _round_trip() -> YAML:
    parser = YAML()
    parser.preserve_quotes = True
    parser.width = 4096  # no wrapping
    parser.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null"))
    return parser


def _dump(values) -> str:
    buffer = io.StringIO()
    _round_trip().dump(values, buffer)
    return buffer.getvalue()


def _by_ruamel(text: str, changes: list[Change]) -> str:
    values = _round_trip().load(text)
    for path, value, _ in changes:
        above = values
        for key in path[:-1]:
            above = above[key]
        if value is None:
            del above[path[-1]]
        else:
            above[path[-1]] = _inline(value)
    return _dump(values)
