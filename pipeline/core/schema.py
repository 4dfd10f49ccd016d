"""What params.yaml may hold, told from its classes: as a JSON schema for editors, and as the Markdown of docs/params.md."""
import json

from pipeline.core.model import NAME
from pipeline.core.params import Params

INTRODUCTION = """# params.yaml

`params.yaml` holds every setting of the pipeline. This page says which values each key may have, and what it means. A section
either has keys of its own, or it holds entries whose names you choose:

    stage2:
      lambda: 0.002                                   # a key of the section stage2
    chains:
      map-then-enlarge: {first: map, then: enlarge}   # an entry of the section chains, with two keys

The file must have all sections of entries. One without entries is written as `chains: {}`. A key with a default may be left
out. An unknown key or an impossible value is an error that names the key. The [glossary](glossary.md) explains the terms.

`python -m pipeline params > docs/params.md` writes this page. `python -m pipeline params --schema > params.schema.json` writes
a JSON schema, by which an editor completes and checks keys. In VS Code the YAML extension reads it if the first line of
`params.yaml` is `# yaml-language-server: $schema=params.schema.json`.
"""


def json_schema() -> dict:
    """The JSON schema (draft 2020-12) of params.yaml."""
    return Params.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "params.yaml"}


def params_markdown() -> str:
    """A section for each key of the file, and for each kind of mapping in it, with a table of the keys there."""
    schema = json_schema()
    kinds, plain = schema["$defs"], []
    lines, told, sections = [INTRODUCTION], set(), {}
    for key, value in schema["properties"].items():
        entries = [*value.get("patternProperties", {}).values()]
        names = [item["$ref"].rpartition("/")[2] for item in (entries[0].get("oneOf", entries) if entries else [value])
                 if "$ref" in item]
        if not names:
            plain.append((key, value))
            continue
        about = " ".join(value.get("description", "").split())
        lines += [f"## {key}", "", *([about, ""] if about else []), *(["This section holds entries.", ""] if entries else [])]
        for name in names:
            lines += [f"### {name}", ""] if len(names) > 1 else []
            lines += _table(kinds[name])
        told |= set(names)
        sections |= {names[0]: key} if len(names) == 1 else {}  # its table stands below the name of the section
    for name in kinds.keys() - told:
        plain.append((name, None))
    head = _table({"properties": {key: value for key, value in plain if value}})
    rest = [line for name, value in sorted(plain) if value is None for line in (f"## {name}", "", *_table(kinds[name]))]
    text = "\n".join([lines[0], *head, *lines[1:], *rest]).rstrip() + "\n"
    for name, key in sections.items():
        text = text.replace(f"[{name}](#{name.lower()})", f"[{key}](#{key})")
    return text


def _table(schema: dict) -> list[str]:
    about = " ".join(schema.get("description", "").split())
    lines = [about, ""] if about else []
    lines += ["| key | allowed | meaning |", "| --- | --- | --- |"]
    for key, value in schema["properties"].items():
        default = f"; {_shown(value['default'])} by default" if "default" in value else ""
        meaning = " ".join(value.get("description", "").split())
        cells = (cell.replace("|", r"\|") for cell in (f"`{key}`", f"{_kind(value)}{default}", meaning))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _kind(schema: dict) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(map(_kind, schema[several]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return f"[{', '.join(map(_kind, schema['prefixItems']))}]"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}" + (", not empty" if schema.get("minItems") else "")
    if kind == "string" and "pattern" in schema:
        return "a name" if schema["pattern"] == NAME else f"text like `{schema['pattern']}`"
    words = {"string": "text", "boolean": "true, false", "object": "a mapping"}.get(kind, kind)
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<", "multipleOf": "a multiple of"}
    return f"{words} {' and '.join(f'{sign} {schema[key]:g}' for key, sign in signs.items() if key in schema)}".rstrip()


def _shown(value) -> str:
    """A default as params.yaml has it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")
    return f"`{text}`" if text else "empty"
