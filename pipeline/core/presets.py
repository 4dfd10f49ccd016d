"""Presets: `presets/<name>.yaml` holds what differs from params.yaml, and is merged into it.

Mappings are merged key by key, anything else replaces what stood there, and `null` removes the key.

The key `"*"` stands for every key that is there. `pairs: {"*": {patches: 8}}` changes `patches` of each entry of pairs that has
`patches`, and adds it to none. What a preset says of a key by name comes on top.

Before all this `without: [TASK, ...]` removes the entries of tasks, which are called TASK or TASK-something, from all sections.

Comments and the order of params.yaml stay. Removing and adding work on whole lines, because ruamel.yaml hangs a comment on
the value before it and would take the next section's heading along.
"""
import io
import re
import textwrap
from pathlib import Path

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from pipeline.core.reading import parse_yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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


def merge(text: str, preset: str, source: Path | str = "the preset") -> str:
    """The YAML `text` with the YAML `preset`, which is called `source` in errors, merged in; both have a mapping at the top."""
    changes = parse_yaml(preset, source)
    tasks = tuple(changes.pop("without", []))
    text = _merged(text, _nothing_of(tasks, _values(text)))
    return _merged(text, _spelled_out(changes, _values(text)))


def _values(text: str) -> dict:
    return parse_yaml(text, "params.yaml")


def _nothing_of(tasks: tuple[str, ...], values: dict) -> dict:
    """A null for each entry of the tasks."""
    sections = {section: entries for section, entries in values.items() if isinstance(entries, dict)}
    return {section: {key: None for key in entries if key in tasks or key.startswith(tuple(f"{task}-" for task in tasks))}
            for section, entries in sections.items()}


def _spelled_out(preset: dict, values: dict) -> dict:
    """The preset with what it says of `*` said of each key of `values`, as far as that has these keys."""
    every, named = preset.get("*"), {key: value for key, value in preset.items() if key != "*"}
    spelled = {key: _where_there(every, value) for key, value in values.items()} if every else {}
    for key, value in named.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            spelled[key] = _joined(spelled.get(key, {}), _spelled_out(value, values[key]))
        else:
            spelled[key] = value
    return spelled


def _where_there(changes, values):
    if not isinstance(changes, dict):
        return changes
    return {key: _where_there(value, values[key]) for key, value in changes.items() if key in values} if isinstance(
        values, dict) else values


def _joined(first: dict, second: dict) -> dict:
    """Both mappings, key by key; where both have a value, the second's."""
    both = {key: _joined(first[key], second[key]) for key in first.keys() & second.keys()
            if isinstance(first[key], dict) and isinstance(second[key], dict)}
    return first | second | both


def _merged(text: str, preset: dict) -> str:
    changes = [(path, _with_lists_inline(value), exists) for path, value, exists in _changes(_values(text), preset)]
    if not changes:
        return text
    values = _round_trip().load(text)
    for path, value, exists in changes:
        if exists and value is not None:
            _at(values, path[:-1])[path[-1]] = value
    text = _dump(values)
    for path, value, exists in changes:
        if not exists:
            text = _with(text, path, value)
    for path, value, exists in changes:
        if exists and value is None:
            text = _without(text, path)
    return text


def difference(before: dict, after: dict, where: str = "") -> list[str]:
    """What changed from one mapping to another, a line per value: `stage1.steps: 800 -> 40`."""
    lines = []
    for key in [*before, *(key for key in after if key not in before)]:
        old, new, name = before.get(key), after.get(key), f"{where}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            lines += difference(old, new, f"{name}.")
        elif key not in after:
            lines.append(f"{name}: removed")
        elif key not in before:
            lines.append(f"{name}: added, {new}")
        elif old != new:
            lines.append(f"{name}: {old} -> {new}")
    return lines


def _changes(values: dict, preset: dict, path: tuple = ()):
    """Yields (path, value, whether the path exists) for each place where the preset says something of its own."""
    for key, value in preset.items():
        if isinstance(values.get(key), dict) and isinstance(value, dict):
            yield from _changes(values[key], value, (*path, key))
        elif key in values or value is not None:
            yield (*path, key), value, key in values


def _with_lists_inline(value):
    if isinstance(value, dict):
        return {key: _with_lists_inline(inner) for key, inner in value.items()}
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value


def _at(values, path):
    for key in path:
        values = values[key]
    return values


def _nodes(text: str, path: tuple) -> list[yaml.MappingNode]:
    """Where the mappings from the top to `path` stand in `text`; a hundred times faster than ruamel.yaml."""
    nodes = [yaml.compose(text, Loader=LOADER)]
    for key in path:
        nodes.append(next(value for name, value in nodes[-1].value if name.value == str(key)))
    return nodes


def _block(lines: list[str], parent: yaml.MappingNode, key) -> tuple[int, int]:
    """The first line of a key of a mapping, and the first behind its value."""
    mark = next(name.start_mark for name, _ in parent.value if name.value == str(key))
    end = mark.line + 1
    for number in range(mark.line + 1, len(lines)):
        line = lines[number]
        if line.strip() and len(line) - len(line.lstrip()) <= mark.column:
            break
        if line.strip():
            end = number + 1
    return mark.line, end


def _without(text: str, path: tuple) -> str:
    *above, parent = _nodes(text, path[:-1])
    if parent.flow_style:
        values = _round_trip().load(text)
        del _at(values, path[:-1])[path[-1]]
        return _dump(values)
    lines = text.splitlines()
    start, end = _block(lines, parent, path[-1])
    del lines[start:end]
    if len(parent.value) == 1:  # what is left is an empty mapping, not null
        first, _ = _block(lines, above[-1], path[-2])
        head, colon, comment = lines[first].partition(":")
        lines[first] = f"{head}{colon} {{}}{comment}"
    return "\n".join(lines) + "\n"


def _with(text: str, path: tuple, value) -> str:
    *above, parent = _nodes(text, path[:-1])
    lines = text.splitlines()
    if not parent.value and re.search(r": \{\}\s*(#.*)?$", lines[parent.start_mark.line]):
        start, _ = _block(lines, above[-1], path[-2])
        column = len(lines[start]) - len(lines[start].lstrip()) + 2
        lines[start] = lines[start].replace(": {}", ":", 1)
        lines.insert(start + 1, textwrap.indent(_dump({path[-1]: value}), " " * column).rstrip("\n"))
        return "\n".join(lines) + "\n"
    if not parent.value or parent.flow_style or len(path) == 1:
        values = _round_trip().load(text)
        _at(values, path[:-1])[path[-1]] = value
        return _dump(values)
    _, end = _block(lines, above[-1], path[-2])
    column = parent.value[0][0].start_mark.column
    added = textwrap.indent(_dump({path[-1]: value}), " " * column).splitlines()
    return "\n".join(lines[:end] + added + lines[end:]) + "\n"
