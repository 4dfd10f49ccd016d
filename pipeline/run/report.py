"""Where the time of a run goes: `python -m pipeline repro --report`."""
from collections import defaultdict
from collections.abc import Iterator, Mapping

from rich.table import Table

from pipeline.run import times

JOBS = (1, 2, 4, 8)


def report(needs: Mapping[str, set[str]]) -> Iterator[Table | str]:
    """Tables and lines about the stages in `needs` that have run here."""
    records = {stage: record for stage, record in times.recorded().items() if stage in needs}
    took = times.seconds(needs, records)
    yield by_kind(records, took)
    if missing := [stage for stage in needs if stage not in records]:
        yield f"\nnot run here yet, and counted as 0 s: {', '.join(missing)}"
    chain = times.longest_chain(needs, took)
    yield f"\nlongest chain, {sum(map(took.get, chain)):.0f} s: {', '.join(f'{stage} {took[stage]:.0f}' for stage in chain)}"
    yield "\nif each stage took as long whatever runs beside it:"
    for jobs in JOBS:
        yield f"  {jobs} at a time: {times.simulated(needs, took, jobs):.0f} s"


def by_kind(records: Mapping[str, dict], took: Mapping[str, float]) -> Table:
    """The groups of stages, the longest first. Memory is that of the largest process."""
    kinds = defaultdict(list)
    for stage in records:
        kinds[stage.partition("@")[0]].append(stage)
    table = Table("kind", box=None, pad_edge=False)
    for heading in ("stages", "seconds", "CPU s", "of DVC", "MB"):
        table.add_column(heading, justify="right")
    for kind, stages in sorted(kinds.items(), key=lambda item: -sum(map(took.get, item[1]))) + [("all", [*records])]:
        sums = [sum(map(took.get, stages)), *(sum(records[stage][name] for stage in stages) for name in ("cpu", "dvc"))]
        peak = max((records[stage]["peak"] for stage in stages), default=0) / 1e6
        table.add_row(kind, str(len(stages)), *(f"{value:.1f}" for value in sums), f"{peak:.0f}")
    return table
