import json

import yaml
from conftest import ROOT
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.params import Params
from pipeline.core.schema import json_schema, params_markdown


def fits(value, schema: dict, kinds: dict) -> bool:
    """Whether a value is what a JSON schema allows, as far as ours go; a check independent of the classes."""
    if "$ref" in schema:
        return fits(value, kinds[schema["$ref"].rpartition("/")[2]], kinds)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return any(fits(value, each, kinds) for each in schema[several])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        right = isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
        return (right and schema.get("minimum", value) <= value <= schema.get("maximum", value)
                and value > schema.get("exclusiveMinimum", value - 1) and value < schema.get("exclusiveMaximum", value + 1))
    if kind == "array":
        items = schema.get("prefixItems", [schema.get("items", {})] * len(value)) if isinstance(value, list) else []
        return isinstance(value, list) and len(items) == len(value) and all(map(fits, value, items, [kinds] * len(items)))
    if kind == "object":
        known, named = schema.get("properties", {}), [*schema.get("patternProperties", {}).values()]
        if not isinstance(value, dict) or not set(schema.get("required", ())) <= set(value):
            return False
        if "additionalProperties" in schema and not schema["additionalProperties"] and set(value) - set(known):
            return False
        return all(fits(each, known.get(key, named[0] if named else {}), kinds) for key, each in value.items())
    return isinstance(value, {"string": str, "boolean": bool, "null": type(None), None: object}[kind])


def test_params_fit_their_schema_and_wrong_ones_do_not():
    schema = json_schema()
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert fits(values, schema, schema["$defs"])
    left_out = {"select", "seed", "stage1"}
    assert fits({key: value for key, value in values.items() if key not in left_out}, schema, schema["$defs"])
    assert not fits({key: value for key, value in values.items() if key != "chains"}, schema, schema["$defs"])
    for change in ({"stage2": values["stage2"] | {"lambda": -1}}, {"stage2": values["stage2"] | {"lamda": 0}},
                   {"bench": values["bench"] | {"channels": ["cmyk"]}}, {"seed": "one"}, {"surprise": 1}):
        assert not fits(values | change, schema, schema["$defs"]), change


def test_the_document_is_that_of_the_classes():
    text = (ROOT / "docs/params.md").read_text()
    assert text == params_markdown(), "`python -m pipeline params > docs/params.md` makes it anew"
    assert set(Params.model_fields) == {line[3:] for line in text.splitlines() if line.startswith("## ")} & set(
        Params.model_fields) | {"seed", "threads"}
    assert "| `lambda` | number ≥ 0; `0.002` by default |" in text
    assert "| `channels` | list of `rgb`, `y`, not empty; `[rgb, y]` by default |" in text
    assert "| `channels_last` | true, false; `true` by default |" in text and "; `**` by default |" in text
    assert "| `teacher` | a name |" in text  # without a default
    assert "| `filters` |" in text


def test_the_command_prints_either():
    runner = CliRunner()
    assert runner.invoke(app, ["params"]).output == params_markdown()
    assert json.loads(runner.invoke(app, ["params", "--schema"]).output) == json_schema()
