"""The stages that a run may come to, as DVC has them, and which of them are not as dvc.lock says."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import Stage

from pipeline.check import lockfile
from pipeline.check.changes import Workspace
from pipeline.core.files import read_json, write_json

UNFINISHED = Path(".work/unfinished.json")
"""The entries of dvc.lock before the first of those commands that ended early, by a failure or a kill."""


@dataclass
class Dag:
    stages: dict[str, Stage]
    """Address -> stage, in the order in which `dvc repro` comes to them."""
    needs: dict[str, set[str]]
    """Address -> addresses of the stages that come before it."""
    missing: str | None
    """What was missing in dvc.lock, which has been mended."""
    workspace: Workspace

    def changed(self, address: str) -> bool:
        """Whether `dvc repro` would run the stage or restore its outs, now that those before it are done."""
        return self.workspace.changed(self.stages[address])

    def has_networks(self, address: str) -> bool:
        """Whether the stage trains or applies networks: then it depends on the number of threads to compute with."""
        return any("threads" in dep.params for dep in self.stages[address].params)

    def done(self, address: str) -> None:
        """DVC has run a stage."""
        self.workspace.forget(self.stages[address])


def read(targets: Sequence[str]) -> Dag:
    """What `dvc repro TARGETS` would walk through. A dvc.lock that was cut off is mended first.

    Raises DvcException, and ValueError for a target that is a group without stages, for which DVC would run everything.
    """
    repo = Repo(".")
    with lock_repo(repo):
        lockfile.release()
        missing = lockfile.mend() or lockfile.mend({stage.addressing for stage in repo.index.stages})
        if not missing:
            lockfile.keep()
            for target in targets:
                if not collect_stages(repo, [target]):
                    raise ValueError(f"{target}: there is no stage of this group, as params.yaml has no entry for one")
            graph = get_active_graph(repo.index.graph)
            order = plan_repro(graph, collect_stages(repo, targets or ["dvc.yaml"]))
            stages = {stage.addressing: stage for stage in order}
            needs = {address: {other.addressing for other in graph.successors(stage)} for address, stage in stages.items()}
            return Dag(stages, needs, None, Workspace({}))
    dag = read(targets)
    dag.missing = missing
    return dag


def begin() -> None:
    """To be called before stages run."""
    if not UNFINISHED.is_file():
        write_json(UNFINISHED, lockfile.entries(lockfile.read(lockfile.LOCK)))


def mend(dag: Dag) -> str | None:
    """To be called when dvc was killed: mend dvc.lock if that has cut it off. Returns what was missing."""
    with _free().lock:
        lockfile.release()
        return lockfile.mend(dag.stages)


def end(dag: Dag, finished: bool) -> str | None:
    """To be called when stages have run: bring new entries of dvc.lock into the order in which `dvc repro` would have written
    them. Returns what was missing in it. `finished`: no stage is left to run."""
    with _free().lock:
        missing = lockfile.mend(dag.stages)
        lockfile.order(read_json(UNFINISHED), dag.stages)
        lockfile.keep()
    if finished:
        UNFINISHED.unlink()
    return missing


def _free() -> Repo:
    """The repository; who takes its lock waits until it is free, as with `dvc --wait-for-lock`."""
    return Repo(".", _wait_for_lock=True)
