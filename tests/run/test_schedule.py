"""Which stages run at once, on what, and what is shown meanwhile."""
import io
import pickle
import re
import time
from concurrent.futures import Executor, Future
from types import SimpleNamespace

import joblib
import networkx
import numpy as np
from rich.console import Console

from pipeline.core import memory
from pipeline.run import dag as dags
from pipeline.run import times
from pipeline.run.execute import Run
from pipeline.run.show import Show
from pipeline.run.slots import Slots, slots
from pipeline.run.stage import Job, log_of


def random_graph(count: int) -> tuple[dict[str, set[str]], dict[str, float]]:
    rng = np.random.default_rng(5)
    names = [f"s{index}" for index in range(count)]
    needs = {name: {names[other] for other in range(index) if rng.random() < 0.1} for index, name in enumerate(names)}
    return needs, {name: float(rng.integers(1, 100)) for name in names}


def test_the_longest_chain_is_that_of_networkx_and_bounds_every_schedule():
    needs, took = random_graph(60)
    graph = networkx.DiGraph([(other, stage, {"weight": took[other]}) for stage in needs for other in needs[stage]])
    longest = max(sum(took[stage] for stage in chain) for chain in (
        networkx.dag_longest_path(networkx.compose(graph, networkx.DiGraph([(stage, "end", {"weight": took[stage]})
                                                                            for stage in needs])))[:-1],))
    chain = times.longest_chain(needs, took)
    assert sum(map(took.get, chain)) == longest
    assert all(first in needs[then] for first, then in zip(chain, chain[1:]))
    seconds = [times.simulated(needs, took, jobs) for jobs in (1, 2, 3, 60)]
    assert seconds[0] == sum(took.values()) and seconds[-1] == longest
    assert all(max(longest, seconds[0] / jobs) <= time <= longest + seconds[0] / jobs for jobs, time in zip((1, 2, 3), seconds))


class Nobody(Executor):
    """Never runs what it is handed, which could be sent to another machine."""

    def submit(self, function, job):
        assert pickle.loads(pickle.dumps((function, job))) == (function, job)
        return Future()


def started(slots: Slots, peaks: dict[str, int], monkeypatch) -> list[str]:
    """Of four stages that are ready."""
    stages = dict.fromkeys("abcd")
    dag = SimpleNamespace(stages=stages, needs={stage: set() for stage in stages}, changed=lambda stage: True,
                          has_networks=lambda stage: False)
    records = {stage: {"start": 0, "end": 10 - index, "peak": peaks[stage]} for index, stage in enumerate(peaks)}
    monkeypatch.setattr(times, "recorded", lambda: records)
    monkeypatch.setattr(dags, "begin", lambda: None)
    run = Run(dag, Nobody(), slots, SimpleNamespace(started=lambda stage: None))
    run.start()
    return [job.stage + job.env.get("CUDA_VISIBLE_DEVICES", "") for job in run.running.values()]


def test_stages_start_while_there_is_room(monkeypatch):
    peaks = {"a": 4 * 2**30, "b": 2**30, "c": 2**30}  # d never ran
    assert started(Slots(3, 2**40), peaks, monkeypatch) == ["a", "b", "c"]  # what took longest first
    assert started(Slots(4, 2**40, ["0", "1"]), peaks, monkeypatch) == ["a0", "b1", "c0", "d1"]
    assert started(Slots(4, 7 * 2**30), peaks, monkeypatch) == ["a", "b"]
    assert started(Slots(4, 2**20), peaks, monkeypatch) == ["a"]  # one always


def test_a_stage_gets_the_gpu_that_the_fewest_have():
    running = [Job("a", False, 0, True, {"CUDA_VISIBLE_DEVICES": gpu}) for gpu in ("3", "4", "3")]
    placed = Slots(4, 0, ("3", "4")).place(Job("b", False, 0, False), running)
    assert placed == Job("b", False, 0, False, {"CUDA_VISIBLE_DEVICES": "4"})


def test_as_many_stages_as_gpus_or_as_threads_have_cores(monkeypatch):
    for name in ("GPUS", "RESTAGE_DEVICE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    monkeypatch.setattr(memory, "free", lambda: 10)
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")
    assert slots(0, [], 1) == Slots(8, 10, []) and slots(0, [], 3).jobs == 2 and slots(3, [], 16).jobs == 3
    monkeypatch.setenv("RESTAGE_DEVICE", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert slots(0, [], 1) == Slots(2, 10, ["2", "5"]) and slots(4, ["7"], 1) == Slots(4, 10, ["7"])
    monkeypatch.setenv("GPUS", "2")  # one training has all
    assert slots(0, [], 1) == Slots(1, 10)


def test_the_board_tells_what_runs_and_how_long_the_rest_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needs = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}
    seconds = {"a": 5, "b": 300, "c": 200, "d": 100}
    monkeypatch.setattr(times, "recorded", lambda: {stage: {"start": 0, "end": end} for stage, end in seconds.items()})
    show = Show(SimpleNamespace(stages=dict.fromkeys(needs), needs=needs, missing=None), 2)
    show.console = Console(width=80, record=True, file=io.StringIO())
    show.passed("a")
    show.running = {"b": time.monotonic() - 60, "c": time.monotonic() - 60}  # not started, as that takes over the terminal
    log_of("b").parent.mkdir(parents=True)
    log_of("b").write_text("first\nb: 10/50  1.0/s\n\n")
    show.console.print(show.board())
    text = show.console.export_text()
    assert re.search(r"^b +60 s +b: 10/50  1\.0/s *$", text, re.MULTILINE)
    assert "1 of 4 done, 2 run, 1 wait, 6 min left" in text  # 240 s of b, then 100 of d
    seconds.pop("d")
    assert Show(show.dag, 2).time_left() == ""  # where a stage never ran nobody knows
