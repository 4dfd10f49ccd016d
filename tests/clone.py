"""A clone of the project, as small as the smoke preset makes it, and the shell in it."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import warm

BIN = Path(sys.executable).parent
ENV = {key: value for key, value in os.environ.items() if not key.startswith("DVC")} | {
    "PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}


def sh(command: str, folder: Path, ok: bool = True, env: dict[str, str] | None = None) -> str:
    """What a command prints. `env`: what to add to the environment; by default that in which Python need not import anew."""
    env = ENV | (warm.environment() if env is None else env)
    done = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=1800)
    assert (done.returncode == 0) == ok, f"{command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def ran(output: str) -> set[str]:
    """The stages that a dvc command ran, not those it skipped or restored."""
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")}


def build(project: Path, folder: Path) -> None:
    """Clone the project, uncommitted files too, into `folder`; reproduce it under the smoke preset, and commit."""
    files = sh("git ls-files -z --cached --others --exclude-standard", project).split("\0")
    for file in filter(None, files):
        if (project / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / file, folder / file)
    (folder / "dvc.lock").unlink(missing_ok=True)
    with warm.anew() as env:
        sh("git init -q && git add -A && git commit -qm start && python -m pipeline preset smoke", folder, env=env)
        sh("python -m pipeline repro -j 2 && git add -A && git commit -qm baseline", folder, env=env)
