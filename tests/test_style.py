"""Limits that CONTRIBUTING.md promises, and the version that stands in one place."""
import ast
import re

import pytest
from conftest import ROOT

from pipeline import __version__

FILES = sorted((ROOT / "pipeline").rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_file_has_250_lines_and_a_function_60(file):
    text = file.read_text()
    assert len(text.splitlines()) <= 250
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert {node.name: node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno - node.lineno >= 60} == {}


def test_the_change_log_begins_with_the_version():
    assert re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == __version__


def test_a_test_file_has_300_lines():
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines()) for file in (ROOT / "tests").rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_no_two_test_files_have_the_same_name():
    """pytest imports them by name alone, and would not collect the second."""
    names = [file.name for file in (ROOT / "tests").rglob("*.py")]
    assert [name for name in names if names.count(name) > 1] == []
