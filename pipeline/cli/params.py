"""What params.yaml may hold."""
from typing import Annotated

import typer


def params(schema: Annotated[bool, typer.Option("--schema", help="A JSON schema, for editors, instead of Markdown.")] = False):
    """Print what params.yaml may hold: every key, what is allowed and what it means.

    \b
    Example: python -m pipeline params --schema > params.schema.json
    """
    import json

    from pipeline.core.schema import json_schema, params_markdown

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False) if schema else params_markdown(), nl=schema)
