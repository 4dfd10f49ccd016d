"""params.yaml as people leave it: what is read is what DVC reads, and what cannot be read is named with its line."""
import subprocess

import pytest
from conftest import ROOT
from dvc.utils.serialize._yaml import parse_yaml as dvc_parse
from typer.testing import CliRunner

from pipeline.check.options import check_options
from pipeline.cli.app import app
from pipeline.core import params
from pipeline.core.params import ParamsError
from pipeline.core.presets import merge
from pipeline.core.reading import parse_yaml, read_text, read_yaml
from pipeline.nets.build import architectures
from pipeline.stages import settings

TEXT = (ROOT / "params.yaml").read_text()


@pytest.mark.parametrize("value", ["010", "0o10", "0800", "1e-3", "1_000", "0x1F", "1:30", "yes", "off", "~", ".5", "'010'"])
def test_a_value_is_what_dvc_takes_it_for(value):
    text = TEXT.replace("seed: 1\n", f"seed: {value}\n", 1)
    assert parse_yaml(text, "p") == dvc_parse(text, "p")


def test_the_whole_file_and_every_preset_are_what_dvc_takes_them_for():
    for file in (ROOT / "params.yaml", *(ROOT / "presets").glob("*.yaml")):
        assert read_yaml(file) == dvc_parse(file.read_text(), file)


def test_a_stage_trains_with_the_seed_that_dvc_hashed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(TEXT.replace("seed: 1\n", "seed: 010\n", 1))
    assert params.load().seed == 10 == dvc_parse((tmp_path / "params.yaml").read_text(), "p")["seed"]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize("old, new, key", [
    ("  steps: 800\n", "  steps: 800\n  steps: 8\n", "stage1.steps"),
    ("seed: 1\n", "seed: 1\nthreads: 1\n", "threads"),
    ("  sr-captures:\n    folder", "  clean:\n    folder", "sets.clean"),
    ("options: {scale: 4, blocks: 6", "options: {scale: 4, scale: 2", "networks.sr-edsr.options.scale"),
])
def test_a_key_that_stands_twice_is_named_with_both_lines(tmp_path, old, new, key):
    text = TEXT.replace(old, new, 1)
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError) as error:
        params.load(tmp_path / "params.yaml")
    assert f": the key {key} is in line " in str(error.value)
    said = [int(part.split()[0].rstrip(":")) for part in str(error.value).split("line ")[1:]]
    lines = text.splitlines()
    assert all(key.rpartition(".")[2] in lines[line - 1] for line in said) and said[0] >= said[1]


def test_broken_yaml_is_named_with_its_line():
    for text, line in ((TEXT.replace("\nstage1:\n", "\nstage1\n", 1), line_of(TEXT, "\nstage1:\n") + 2),
                       (TEXT.replace("  steps: 800\n", "\tsteps: 800\n", 1), line_of(TEXT, "  steps: 800\n"))):
        with pytest.raises(ParamsError, match=f"params.yaml, line {line}: not valid YAML"):
            parse_yaml(text, "params.yaml")


@pytest.mark.parametrize("content, message", [
    (TEXT.encode("utf-16"), "params.yaml: is UTF-16"),
    (TEXT.encode("utf-16-be"), "params.yaml: is UTF-16"),
    (TEXT.replace("seed: 1\n", "seed: 1 # é\n", 1).encode("latin-1", "replace"),
     f"params.yaml, line {TEXT[:TEXT.index('seed: 1')].count(chr(10)) + 1}: the byte 0xe9 is not"),
    (b"", "params.yaml: wanted a mapping of sections, got nothing"),
    (b"# all gone\n", "params.yaml: wanted a mapping of sections, got nothing"),
    (b"- 1\n", "params.yaml: wanted a mapping of sections, got "),
    (None, "params.yaml: no such file"),
])
def test_what_cannot_be_read_is_named_by_every_command(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "params.yaml").write_bytes(content)
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    with pytest.raises(ParamsError, match=message):
        params.load()
    for command in (["check"], ["preset", "smoke"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 1 and message in result.output and "Traceback" not in result.output, result.output


def test_windows_endings_and_byte_order_mark_change_nothing(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert read_text(tmp_path / "params.yaml") == TEXT
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    assert CliRunner().invoke(app, ["preset", "smoke"]).exit_code == 0
    smoke = (ROOT / "presets/smoke.yaml").read_text()
    assert (tmp_path / "params.yaml").read_bytes().decode() == merge(TEXT, smoke)


def test_a_key_twice_in_a_preset_names_the_preset():
    with pytest.raises(ParamsError, match="mine.yaml, line 3: the key stage1.steps is in line 2 already"):
        merge(TEXT, "stage1:\n  steps: 1\n  steps: 2\n", "mine.yaml")


@pytest.mark.parametrize("arch, options, message", [
    ("edsr", {"scale": 4, "blokcs": 2}, "networks.x.options.blokcs: edsr has no such option; allowed are scale, blocks, "),
    ("edsr", {"blocks": 2}, "networks.x.options.scale: is missing"),
    ("edsr", {"scale": 4, "blocks": "two"}, "networks.x.options.blocks: got 'two', wanted int"),
    ("dmnet", {"batch_norm": 1}, "networks.x.options.batch_norm: got 1, wanted bool"),
    ("edsrr", {"scale": 4}, "networks.x.arch: got 'edsrr', there are .*edsr"),
])
def test_options_that_the_architecture_does_not_take_are_named(arch, options, message):
    with pytest.raises(ParamsError, match=message):
        check_options("networks.x", arch, options)


def test_options_are_those_that_python_says_build_takes():
    import importlib
    import inspect

    for arch in set(architectures()) - {"spandrel"}:
        taken = inspect.signature(importlib.import_module(f"pipeline.nets.{arch}").build).parameters
        needed = {name: 4 for name, one in taken.items() if one.default is one.empty}
        check_options("networks.x", arch, needed | {name: one.default for name, one in taken.items() if name not in needed})
        for name in needed:
            with pytest.raises(ParamsError, match=f"options.{name}: is missing"):
                check_options("networks.x", arch, {})


def test_the_first_stage_stops_at_an_option_that_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(TEXT.replace("features: 24", "faetures: 24", 1))
    with pytest.raises(ParamsError, match="networks.sr-edsr.options.faetures"):
        settings.main()
    assert not (tmp_path / "data/settings").exists()


def test_git_gives_every_clone_the_same_bytes(tmp_path):
    """Git for Windows turns line endings by default; here it is told so."""
    source, clone = tmp_path / "source", tmp_path / "clone"
    source.mkdir()
    for file in (".gitattributes", "params.yaml", "dvc.yaml", "pipeline/nets/edsr.py", "docs/starter-photo.jpg"):
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_bytes((ROOT / file).read_bytes())

    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, cwd=source)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    git("clone", "-q", "-c", "core.autocrlf=true", str(source), str(clone))
    files = [file for file in source.rglob("*") if file.is_file() and ".git" not in file.parts]
    assert len(files) == 5
    for file in files:
        assert (clone / file.relative_to(source)).read_bytes() == file.read_bytes(), file
