"""Presets: `presets/<name>.yaml` holds what differs from params.yaml, and is merged into it.

Mappings are merged key by key, anything else replaces what stood there, and `null` removes the key.

The key `"*"` stands for every key that is there. `pairs: {"*": {patches: 8}}` changes `patches` of each entry of pairs that has
`patches`, and adds it to none. What a preset says of a key by name comes on top.

Before all this `without: [TASK, ...]` removes the entries of tasks, which are called TASK or TASK-something, from all sections.

Comments and the order of params.yaml stay.
"""
import copy
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

from pipeline.core.reading import parse_yaml
from pipeline.core.yaml_text import Change, edited


def merge(text: str, preset: str, source: Path | str = "the preset") -> str:
    """The YAML `text` with the YAML `preset`, which is called `source` in errors, merged in; both have a mapping at the top."""
    changes, values = parse_yaml(preset, source), parse_yaml(text, "params.yaml")
    if nothing := _nothing_of(tuple(changes.pop("without", [])), values):
        text = _merged(text, values, nothing)
        values = parse_yaml(text, "params.yaml")
    return _merged(text, values, _spelled_out(changes, values))


def _nothing_of(tasks: tuple[str, ...], values: dict) -> dict:
    """A null for each entry of the tasks."""
    sections = {section: entries for section, entries in values.items() if isinstance(entries, dict)} if tasks else {}
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


def _merged(text: str, values: dict, preset: dict) -> str:
    changes = [*_changes(values, preset)]
    return edited(text, changes, _after(values, changes)) if changes else text


def _after(values: dict, changes: list[Change]) -> dict:
    """The values with the changes."""
    wanted = copy.deepcopy(values)
    for path, value, _ in changes:
        above = reduce(dict.__getitem__, path[:-1], wanted)
        if value is None:
            del above[path[-1]]
        else:
            above[path[-1]] = value
    return wanted


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


def _changes(values: dict, preset: dict, path: tuple = ()) -> Iterator[Change]:
    """Yields what to change at each place where the preset says something of its own."""
    for key, value in preset.items():
        if isinstance(values.get(key), dict) and isinstance(value, dict):
            yield from _changes(values[key], value, (*path, key))
        elif key in values or value is not None:
            yield Change((*path, key), value, key in values)
