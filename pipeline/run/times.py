"""How long stages took when they last ran here, and what that says of running several at once."""
import heapq
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from pipeline.core.files import read_json, write_json
from pipeline.run.stage import Outcome

TIMES = Path(".work/stages")


def record(outcome: Outcome) -> None:
    """Write down what a stage took."""
    values = {name: round(value, 3) for name, value in outcome._asdict().items() if name in ("start", "end", "cpu", "dvc")}
    write_json(TIMES / f"{outcome.stage.replace('/', '_')}.json", {"stage": outcome.stage, "peak": outcome.peak} | values)


def recorded() -> dict[str, dict]:
    """Stage -> what it took when it last ran: start and end in seconds since 1970, CPU seconds of its command (cpu) and of DVC
    (dvc), and bytes of memory (peak)."""
    found = (read_json(path) for path in sorted(TIMES.glob("*.json")))
    return {values["stage"]: values for values in found}


def seconds(stages, records: Mapping[str, dict]) -> dict[str, float]:
    """Stage -> seconds by the clock when it last ran; 0 if it never did."""
    return {stage: records[stage]["end"] - records[stage]["start"] if stage in records else 0.0 for stage in stages}


def until_the_end(needs: Mapping[str, set[str]], took: Mapping[str, float]) -> dict[str, float]:
    """Stage -> seconds of the longest chain of stages that begins with it."""
    left = dict.fromkeys(needs, 0.0)
    for stage in reversed([*TopologicalSorter(needs).static_order()]):
        left[stage] += took[stage]
        for other in needs[stage]:
            left[other] = max(left[other], left[stage])
    return left


def longest_chain(needs: Mapping[str, set[str]], took: Mapping[str, float]) -> list[str]:
    """The stages that a run waits for however many run at once."""
    left = until_the_end(needs, took)
    chain, follow = [], set(needs)
    while follow:
        chain.append(max(follow, key=lambda stage: (left[stage], stage)))
        follow = {stage for stage in needs if chain[-1] in needs[stage]}
    return chain


def simulated(needs: Mapping[str, set[str]], took: Mapping[str, float], jobs: int) -> float:
    """Seconds of a run with so many stages at a time, each as long as it `took`; of those that are ready, the one with the
    longest chain behind it begins."""
    left, sorter = until_the_end(needs, took), TopologicalSorter(needs)
    sorter.prepare()
    now, ready, running = 0.0, [], []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=left.get)
        while ready and len(running) < jobs:
            heapq.heappush(running, (now + took[stage := ready.pop()], stage))
        now, stage = heapq.heappop(running)
        sorter.done(stage)
    return now
