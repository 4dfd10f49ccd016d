"""Run every stage as soon as those that it needs are done, several at a time."""
import math
import signal
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from graphlib import TopologicalSorter

from pipeline.core.stop import Stop
from pipeline.run import dag as dags
from pipeline.run import times
from pipeline.run.dag import Dag
from pipeline.run.show import Show
from pipeline.run.slots import Slots
from pipeline.run.stage import PATIENCE, Job, Outcome

UNKNOWN = 2 * 2**30
"""Bytes of memory that a stage is taken to need that has not run here yet."""
ROOM = 1.25
"""Of what it took when it last ran."""
POLL = 0.2  # seconds


class Run:
    def __init__(self, dag: Dag, executor: Executor, slots: Slots, show: Show, force: bool = False):
        self.dag, self.executor, self.slots, self.show, self.force = dag, executor, slots, show, force
        records = times.recorded()
        self.need = {stage: ROOM * records[stage]["peak"] if stage in records else UNKNOWN for stage in dag.stages}
        self.left = times.until_the_end(dag.needs, times.seconds(dag.stages, records))
        self.sorter = TopologicalSorter(dag.needs)
        self.sorter.prepare()
        self.ready: list[str] = []
        self.running: dict[Future, Job] = {}
        self.done: set[str] = set()
        self.failed: list[str] = []
        self.started = False

    def __call__(self) -> int:
        """Returns the exit code: 0, 1 if a stage failed, and 128 + the signal's number after one."""
        try:
            with Stop() as stop, self.show:
                code = self.loop(stop)
        except BaseException:
            self.slots.signal_all(signal.SIGINT)
            raise
        if self.started:
            self.show.mended(dags.end(self.dag, len(self.done) == len(self.dag.stages)))
        self.show.end([stage for stage in self.dag.stages if stage not in self.done and stage not in self.failed], self.failed)
        return code or int(bool(self.failed))

    def loop(self, stop: Stop) -> int:
        """Returns 128 + the number of the signal that has stopped it, or 0."""
        code, patience = 0, math.inf
        while True:
            if not code:
                self.start()
            if not self.running:
                return code
            finished, _ = wait(self.running, POLL, FIRST_COMPLETED)
            for future in finished:
                self.finish(self.running.pop(future), future.result())
            if stop.asked():
                # asked a second time, they have no time to save what they have
                self.slots.signal_all(signal.SIGKILL if code else signal.SIGINT)
                code, stop.signal, patience = stop.exit_code, None, time.monotonic() + PATIENCE
                self.show.stopping(self.running.values())
            elif time.monotonic() > patience:
                self.slots.signal_all(signal.SIGTERM)
                patience = math.inf

    def start(self) -> None:
        """Start what is ready and has room, first what has the longest chain of stages behind it."""
        self.ready = sorted([*self.ready, *self.changed()], key=self.left.get, reverse=True)
        for stage in [*self.ready]:
            job = Job(stage, self.force, self.need[stage], self.dag.has_networks(stage))
            if (job := self.slots.place(job, self.running.values())) is None:
                continue
            if not self.started:
                dags.begin()
                self.started = True
            self.ready.remove(stage)
            self.running[self.executor.submit(self.slots.run_stage, job)] = job
            self.show.started(stage)

    def changed(self) -> Iterator[str]:
        """Those of the stages that have become ready that are not as dvc.lock says; the others are done at once."""
        while found := self.sorter.get_ready():
            for stage in found:
                if self.force or self.dag.changed(stage):
                    yield stage
                else:
                    self.pass_by(stage)

    def pass_by(self, stage: str) -> None:
        self.done.add(stage)
        self.sorter.done(stage)
        self.show.passed(stage)

    def finish(self, job: Job, outcome: Outcome) -> None:
        if outcome.code == 0:
            if outcome.how == "ran":
                times.record(outcome)
            self.dag.done(job.stage)
            self.done.add(job.stage)
            self.sorter.done(job.stage)
        else:
            self.failed.append(job.stage)
        self.show.finished(outcome)
        if outcome.code is None:
            self.show.mended(dags.mend(self.dag))
