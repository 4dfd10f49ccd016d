"""List what the entries of params.yaml have written, by path and digest.

    python -m pipeline.stages.index tasks TASK   data/contents, and of a task data/bench and data/blind
    python -m pipeline.stages.index page         data/{contents,bench,crops,calibrations} and metrics/{curves,images,select}

Writes data/index/TASK/{bench,blind}.json and data/index/page.json. These folders also hold what is left of entries
that are gone, and DVC hashes a folder as a whole. Stages that join what many entries have written depend on these lists
instead: what is left over runs this stage alone, here and in other clones.
"""
from collections.abc import Iterable
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import sha256, write_json
from pipeline.core.params import Params

INDEX = Path("data/index")


def digests(paths: Iterable[str]) -> dict[str, str]:
    """Path -> digest, of files and of the files in folders. What is not there is left out: who reads it says so."""
    files = [file for path in map(Path, paths) for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return {file.as_posix(): sha256(file) for file in files}


def of_curves(p: Params) -> list[str]:
    return [f"metrics/curves/{name}.csv" for name in sorted(p.trained() - set(p.adabn))]


def of_bench(p: Params, task: str) -> list[str]:
    sets = [f"data/contents/{key}.json" for key in sorted(p.sets)]
    return [*sets, *(f"data/bench/{task}/{key}.json" for key in entries(p, task))]


def of_blind(p: Params, task: str) -> list[str]:
    return [f"data/blind/{task}/{key}.json" for key in entries(p, task)]


def of_page(p: Params) -> list[str]:
    found = [*of_curves(p), *(f"data/calibrations/{key}" for key in sorted(p.calibrations))]
    for task in sorted(p.tasks):
        found += [*of_bench(p, task), f"metrics/select/{task}.json"]
        for key in entries(p, task):
            found += [f"data/crops/{task}/{key}", f"metrics/images/{key}.csv"]
    return found


def entries(p: Params, task: str) -> list[str]:
    """The entries of systems and rows that are scored for a task."""
    return sorted(key for section in (p.systems, p.rows) for key, entry in section.items() if entry.task == task)


def main(what: str, task: str = "") -> None:
    p = params.load()
    if what == "tasks":
        write_json(INDEX / task / "bench.json", digests(of_bench(p, task)))
        write_json(INDEX / task / "blind.json", digests(of_blind(p, task)))
    else:
        write_json(INDEX / "page.json", digests(of_page(p)))


if __name__ == "__main__":
    run_stage(main)
