"""Writing a stage's entry of dvc.lock without reading the entries of the other stages.

After each stage DVC parses the whole file and writes all of it anew. That takes about 8 ms for every stage in the file, so the
time of a run grows with the square of the number of stages. An entry is the lines from its first line to that of the next
entry. Here these lines alone are replaced, and the file has the bytes that DVC would have written.
"""
import re
from pathlib import Path

from dvc.dvcfile import Lockfile
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml

from pipeline.check.lockfile import read
from pipeline.core.files import write

HEAD = "schema: '2.0'\nstages:\n"
OTHER = re.compile(r"^[^ \n]", re.MULTILINE)  # the first line of another section, such as `datasets`
LONG = "  ?"  # how an entry begins whose name takes more than a line
by_dvc = Lockfile.dump_stages


def write_entries(file: Lockfile, stages: list, **options) -> None:
    """What `Lockfile.dump_stages` does. A file that has another form than DVC gives it is left to DVC."""
    path = Path(file.path)
    text = read(path) or HEAD
    entries = [dumps_yaml({"stages": to_lockfile(stage, **options)}).removeprefix("stages:\n") for stage in stages]
    ours = text.startswith(HEAD) and text.endswith("\n") and not OTHER.search(text, len(HEAD))
    if not ours or any(entry.startswith(LONG) for entry in entries):
        return by_dvc(file, stages, **options)
    changed = text
    for entry in entries:
        changed = replaced(changed, entry)
    if changed != text:
        write(path, changed)
        file.repo.scm_context.track_file(file.relpath)


def replaced(text: str, entry: str) -> str:
    """The text of a dvc.lock with this entry in place of the stage's older one, or behind all entries."""
    first = entry.partition("\n")[0]
    old = re.search(rf"^{re.escape(first)}\n(?:   .*\n|\n)*", text, re.MULTILINE)
    start, end = old.span() if old else (len(text), len(text))
    return text[:start] + entry + text[end:]
