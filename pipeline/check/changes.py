"""Which stages `dvc repro` would run: those that are not as dvc.lock says, and those behind them.

What some stages write can be told beforehand, as what code each stage runs. These outs are foretold and compared with what
dvc.lock says of the stages that depend on them; `Repo.status` cannot tell which of these will run before the outs are there.
It also reads params.yaml once for each stage and dvc.lock three times over, which takes seconds.
"""
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.output import Output
from dvc.stage import Stage
from dvc.utils.serialize import load_path


class Workspace:
    """What files, folders and params are now, each read once, or will be where that is foretold."""

    def __init__(self, foretold: dict[Path, str]):
        self.foretold = foretold
        self.hashes: dict[str, Any] = {}
        self.params: dict[str, dict] = {}

    def changed(self, stage: Stage) -> bool:
        """Whether a stage's command, dependencies, params or outs are not as dvc.lock says."""
        return (stage.changed_stage() or stage.is_callback or stage.always_changed
                or not stage.frozen and any(self.differs(dep) for dep in stage.deps)
                or any(self.differs(out) or out.use_cache and out.changed_cache() for out in stage.outs))

    def forget(self, stage: Stage) -> None:
        """A stage has run: its outs, and what lies in them or around them, are read anew."""
        for out in stage.outs:
            for path in [path for path in self.hashes if out.fs.overlaps(path, out.fs_path)]:
                del self.hashes[path]

    def differs(self, item: Output) -> bool:
        """Whether a dependency or an out is not as dvc.lock says."""
        if isinstance(item, ParamsDependency):
            return self.tracked(item) != item.hash_info.value
        if (text := self.foretold.get(Path(item.def_path))) is not None:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != item.hash_info.value
        if item.fs_path not in self.hashes:
            self.hashes[item.fs_path] = item.get_hash() if item.exists else None
        return not item.hash_info or self.hashes[item.fs_path] != item.hash_info

    def tracked(self, item: ParamsDependency) -> dict[str, Any]:
        """The params that a stage depends on, but for those that are not there."""
        if item.fs_path not in self.params:
            self.params[item.fs_path] = load_path(item.fs_path, item.fs) if item.exists else {}
        found = {}
        for key in item.params or self.params[item.fs_path]:
            value = self.params[item.fs_path]
            try:
                for part in key.split("."):
                    value = value[part]
            except (KeyError, TypeError):
                continue
            found[key] = value
        return found


def changed(stages: Iterable[Stage], foretold: dict[Path, str]) -> set[str]:
    """The addresses of the stages that are not as dvc.lock says. `foretold` is file -> its text once the stage that writes it
    has run."""
    now = Workspace(foretold)
    return {stage.addressing for stage in stages if now.changed(stage)}


def pending(graph, changed: set[str], foretold: set[str]) -> list[str]:
    """The stages that `dvc repro` would run, each after those it needs: what changed and all that follows from it. In `graph`
    (`Repo.index.graph`) a stage points at those it needs. `foretold` are those whose outs are, from which nothing follows but
    what is among `changed`."""
    found = {}

    def visit(stage) -> bool:
        if stage not in found:
            found[stage] = False  # the graph has no circle
            behind = [visit(other) for other in sorted(graph.successors(stage), key=lambda each: each.addressing)]
            found[stage] = any(behind) or stage.addressing in changed
            order.append(stage)
        return found[stage] and stage.addressing not in foretold

    order: list = []
    for stage in sorted(graph, key=lambda each: each.addressing):
        visit(stage)
    return [stage.addressing for stage in order if found[stage]]
