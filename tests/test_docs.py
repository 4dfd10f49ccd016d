"""The documents say what is there: their links, their commands, their settings, and a meaning for each key of params.yaml."""
import re
from pathlib import Path

import pytest
import typer
from conftest import ROOT, with_presets
from dvc.utils.hydra import apply_overrides

from pipeline.cli.app import app
from pipeline.core.params import load
from pipeline.core.schema import json_schema

DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "bench/README.md", ROOT / "data/trunks/README.md",
               ROOT / "data/none/README.md"])
COMMANDS = typer.main.get_command(app).commands
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"python -m pipeline (\w[\w-]*)([^`#\n|&;]*)")


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """The text without its blocks of code, in which there are no links and no headings."""
    return re.sub(r"^(    [^\n]*|```.*?^```)$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """What links may point at in a Markdown file, as GitHub makes it of the headings."""
    headings = (re.sub(r"[`*]", "", heading).strip().lower() for heading in HEADING.findall(prose(file.read_text())))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def dead_links(file: Path) -> list[str]:
    found = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(file.read_text()))):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or anchor and anchor not in anchors(target):
            found.append(link)
    return found


@pytest.mark.parametrize("file", DOCS, ids=name_of)
def test_no_link_is_dead(file):
    assert dead_links(file) == []


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "there.md").write_text("# One `word`, and more\n")
    (tmp_path / "page.md").write_text("# Page\n[a](there.md#one-word-and-more) [b](there.md#two) [c](gone.md) [d](#page)\n"
                                      "[e](https://x.org/y)\n    [code](gone.md)\n[f](behind.md)\n```\n[g](gone.md)\n```\n"
                                      "[h](#last)\n")
    assert dead_links(tmp_path / "page.md") == ["there.md#two", "gone.md", "behind.md", "#last"]


@pytest.mark.parametrize("file", DOCS, ids=name_of)
def test_commands_and_their_options_are_there(file):
    text = re.sub(r"\\\n\s*", " ", file.read_text())
    for command, rest in COMMAND.findall(re.sub(r"\(.*?\)|\[|\]", "", text)):
        assert command in COMMANDS, f"python -m pipeline {command}"
        known = {option for parameter in COMMANDS[command].params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in re.findall(r"(?<!\S)--?[a-z][\w-]*", rest)} - {"--help"}
        assert used <= known, f"python -m pipeline {command}{rest}"


def test_presets_that_documents_name_are_there():
    for file in DOCS:
        for names in re.findall(r"(?:pipeline |`)preset ((?:[a-z][\w-]*)(?: [a-z][\w-]*)*)", file.read_text()):
            for name in names.split():
                assert name == "demo" or (ROOT / "presets" / f"{name}.yaml").is_file(), (name_of(file), names)


@pytest.mark.parametrize("file, presets", [("README.md", []), ("docs/experiments.md", ["all"]), ("docs/demoire.md", [])])
def test_overrides_are_accepted(tmp_path, file, presets):
    """`-S KEY=VALUE` of a command of dvc: the key is in params.yaml, and the value is possible."""
    text = (ROOT / file).read_text()
    wanted = [quoted or plain for quoted, plain in re.findall(r"-S (?:'([^']+)'|(\+?[a-z][\w.-]+=[^\s'`]+))", text)]
    assert wanted
    (tmp_path / "params.yaml").write_text(with_presets(*presets))
    apply_overrides(tmp_path / "params.yaml", [override.split(",")[0] for override in wanted])
    load(tmp_path / "params.yaml")


def test_every_key_of_params_says_what_it_means():
    schema = json_schema()
    kinds = schema["$defs"]
    silent = [name for name, kind in kinds.items() if not kind.get("description")]
    silent += [f"{name}.{key}" for name, kind in kinds.items() for key, value in kind["properties"].items()
               if not value.get("description")]
    silent += [key for key, value in schema["properties"].items()
               if not value.get("description") and not any(f"/{name}\"" in str(value).replace("'", "\"") for name in kinds)]
    assert silent == []
    rows = re.findall(r"^\| `\w+` \|.*$", (ROOT / "docs/params.md").read_text(), re.MULTILINE)
    assert len(rows) >= 308 and all(row.endswith(". |") for row in rows)  # each meaning ends as a sentence does
