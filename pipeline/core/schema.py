"""What params.yaml may hold, told from its classes: as a JSON schema for editors, and as the Markdown of docs/params.md."""
import json

from pipeline.core.model import NAME
from pipeline.core.params import Params

INTRODUCTION = """# params.yaml

Every key, what it may be and what it means. `python -m pipeline params > docs/params.md` writes this file,
`python -m pipeline params --schema > params.schema.json` the JSON schema that editors complete and check with: VS Code's YAML
extension reads it where the first line of params.yaml is `# yaml-language-server: $schema=params.schema.json`.
All sections have to be there, `{}` where there is nothing to say. In them, keys with a default may be left out.
Names that point at other entries, and what several keys allow only together, are checked when a stage reads the file.
"""


def json_schema() -> dict:
    """The JSON schema (draft 2020-12) of params.yaml."""
    return Params.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "params.yaml"}


def params_markdown() -> str:
    """A section for each key of the file, and for each kind of mapping in it, with a table of the keys there."""
    schema = json_schema()
    kinds, plain = schema["$defs"], []
    lines, told = [INTRODUCTION], set()
    for key, value in schema["properties"].items():
        entries = [*value.get("patternProperties", {}).values()]
        names = [item["$ref"].rpartition("/")[2] for item in (entries[0].get("oneOf", entries) if entries else [value])
                 if "$ref" in item]
        if not names:
            plain.append((key, value))
            continue
        lines += [f"## {key}", "", "Entries by name." if entries else "One mapping.", ""]
        for name in names:
            lines += [f"### {name}", ""] if len(names) > 1 else []
            lines += _table(kinds[name])
        told |= set(names)
    for name in kinds.keys() - told:
        plain.append((name, None))
    head = [f"- `{key}`: {_kind(value)}. {value.get('description', '')}".rstrip() for key, value in plain if value]
    rest = [line for name, value in sorted(plain) if value is None for line in (f"## {name}", "", *_table(kinds[name]))]
    return "\n".join([lines[0], *head, "", *lines[1:], *rest]).rstrip() + "\n"


def _table(schema: dict) -> list[str]:
    about = " ".join(schema.get("description", "").split())
    lines = [about, ""] if about else []
    lines += ["| key | allowed | meaning |", "| --- | --- | --- |"]
    for key, value in schema["properties"].items():
        default = f"; {_shown(value['default'])} by default" if "default" in value else ""
        meaning = " ".join(value.get("description", "").split())
        lines.append(f"| `{key}` | {_kind(value)}{default} | {meaning} |".replace("|  |", "| |"))
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
