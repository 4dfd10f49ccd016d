"""Stages on the workers of a Dask cluster: `python -m pipeline repro --dask ADDRESS`.

The workers share the project's folder, and with it DVC's cache, the logs and the checkpoints. So a job is no more than a
stage's name, and if a worker is lost, Dask hands its job to another one.
"""
import multiprocessing
import os
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib import import_module

import dask
from distributed import Client, KilledWorker, get_worker

from pipeline.run.stage import Job, Outcome, run_stage, signal_all


class Cluster:
    def __init__(self, client: Client, limit: int):
        self.client, self.limit = client, limit
        self.others: list[str] = []
        """The addresses of the workers without a GPU, where there are others with one."""
        self.count()
        self.jobs = self.gpus + self.threads

    def count(self) -> None:
        """Count the stages that run at once on workers with a GPU, by this resource, and on others, by their threads."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        gpus = {address: int(worker["resources"].get("GPU", 0)) for address, worker in workers.items()}
        threads = {address: worker["nthreads"] for address, worker in workers.items() if not gpus[address]}
        self.others = [*threads] if any(gpus.values()) else []
        self.gpus, self.threads, self.counted = sum(gpus.values()), sum(threads.values()), time.monotonic()

    def place(self, job: Job, running: Collection[Job]) -> Job | None:
        """The job with the kind of its worker; None while there is no room for it beside those that run. One always has room.

        Where there are workers with a GPU and others, stages with networks run on the first and all others on the second.
        """
        if time.monotonic() > self.counted + 1:  # workers come and go
            with self.told():
                self.count()
        job = job._replace(gpu=self.gpus > 0 and (job.networks or not self.threads))
        beside = sum(other.gpu == job.gpu for other in running)
        full = beside >= (self.gpus if job.gpu else self.threads) or self.limit and len(running) >= self.limit
        return None if running and full else job

    def run_stage(self, job: Job) -> Outcome:
        """Run a stage on a worker and wait for it."""
        start, where = time.time(), {}
        if job.gpu:
            where = {"resources": {"GPU": 1}}
        elif self.others:
            where = {"workers": self.others, "allow_other_workers": True}
        with self.told():
            try:
                key = f"{job.stage}-{start}"
                return self.client.submit(there(run_here), os.getcwd(), *job, key=key, **where).result()
            except KilledWorker:
                return Outcome(job.stage, None, "unchanged", start, time.time(), 0.0, 0.0, 0, "one worker after the other")

    def signal_all(self, number: int) -> None:
        """Send a signal to all stages on the workers, and to all processes of theirs."""
        with suppress(OSError, CancelledError):  # without a scheduler, workers stop their stages by themselves
            self.client.run(there(signal_all), number, on_error="ignore")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in one line that the scheduler is gone."""
        try:
            yield
        except (OSError, CancelledError) as error:
            raise ConnectionError(
                f"the connection to the Dask scheduler {self.client.scheduler.address} was lost. The stages on its workers "
                "save what they have and stop. When scheduler and workers run again, the same command goes on") from error


@contextmanager
def cluster(address: str, limit: int) -> Iterator[Cluster]:
    """The cluster of a scheduler, once it has a worker. No more than `limit` stages run at a time; 0 is no limit.

    Raises OSError without a scheduler, and ValueError for a worker that has another folder.
    """
    with Client(address, timeout=10, set_as_default=False) as client:
        if not client.nthreads():
            print(f"waiting for workers of {address}", flush=True)
            client.wait_for_workers(1)
        try:
            client.run(there(enter), os.getcwd())
        except ImportError as error:
            raise ValueError(f"a Dask worker cannot import the project ({error}): start it in {os.getcwd()}, "
                             "with `python -m dask worker`") from error
        yield Cluster(client, limit)


def there(function: Callable) -> Callable:
    """The same, but imported by the worker that calls it. So the scheduler, which reads what it hands on, needs nothing of the
    project."""
    module, name = function.__module__, function.__name__

    def call(*arguments):
        return getattr(import_module(module), name)(*arguments)

    return call


def enter(folder: str) -> None:
    """In a worker: get ready for stages."""
    if os.getcwd() != folder:
        raise ValueError(f"a Dask worker runs in {os.getcwd()}: start it in {folder}")
    multiprocessing.current_process().daemon = False  # Dask's are, and could have no processes; a stage ends with its worker
    for name, value in dask.config.get("distributed.nanny.pre-spawn-environ").items():
        if os.environ.get(name) == str(value):  # a stage has its own number of threads
            del os.environ[name]


def run_here(folder: str, *job) -> Outcome:
    """In a worker: run a stage, as long as the scheduler wants it. `job`: the fields of a Job."""
    enter(folder)
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing" and worker.status.name in ("running", "paused")

    return run_stage(Job(*job), wanted)._replace(worker=worker.address)
