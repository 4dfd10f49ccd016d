"""Training of reference methods that train several networks at once (CycleGAN, RBSR): the loop, and what leads to a network on
disk. As in train/loop.py everything random is a function of the step and the state holds the rest, so that a run that was
stopped anywhere and resumed ends with the same bits as one that was not.

A method is an object with

    network                       the one that is kept
    step(i) -> dict               trains step i; numbers for the curve, d_loss among them, and tensors for the summary
    learning_rate(i) -> float     of the kept network
    summary(records) -> dict      further numbers for the curve, of several steps' records
    names(i) -> list[str]         the images of step i
    state_dict(), load_state_dict(state)
"""
import math
import time
from contextlib import contextmanager
from pathlib import Path

import torch

from pipeline.core.files import sha256, sha256_of, write_json
from pipeline.core.progress import progress
from pipeline.core.seeds import torch_seed
from pipeline.core.stop import Stop
from pipeline.nets.catalogue import code_of
from pipeline.restore.network import save_network
from pipeline.train import loop
from pipeline.train.checkpoint import Checkpoint, only_one, work_folder
from pipeline.train.curves import write_curve


@contextmanager
def first_weights(seed: int, purpose: str):
    """Networks built in here begin with weights drawn for `purpose`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, purpose))
        yield


def take_steps(method, steps: int, validate_every: int, checkpoint: Checkpoint, title: str) -> list[dict]:
    """Train; returns the curve: a row every `validate_every` steps.

    Raises loop.Diverged, and SystemExit when asked to stop; the checkpoint then holds the state to go on from.
    """
    step, curve, window = 0, [], []
    if (saved := checkpoint.load()) is not None:
        step, curve, window = saved["step"], saved["curve"], saved["window"]
        method.load_state_dict(saved["method"])
        print(f"{title}: resuming at step {step}", flush=True)
    saved_at = time.monotonic()
    with Stop() as stop, progress(title, steps, step) as bar:
        while step < steps:
            record = method.step(step)
            numbers = {name: value for name, value in record.items() if isinstance(value, float)}
            if not all(map(math.isfinite, numbers.values())):
                values = ", ".join(f"{name} {value:g}" for name, value in numbers.items())
                raise loop.Diverged(loop.explain(title, step, values, method.names(step), checkpoint))
            window.append(record)
            step += 1
            if step % validate_every == 0 or step == steps:
                summary = {"lr": method.learning_rate(step - 1), **loop.means(window), **method.summary(window)}
                curve.append({"step": step, **summary})
                window = []
            bar.advance(f"discriminator {numbers['d_loss']:.5f}")
            reason = stop.asked()
            if reason or time.monotonic() - saved_at > loop.CHECKPOINT_SECONDS:
                checkpoint.save({"step": step, "curve": curve, "window": window, "method": method.state_dict()})
                saved_at = time.monotonic()
            if reason:
                print(f"{title}: stopped at step {step} ({reason}); the next run goes on from here", flush=True)
                raise SystemExit(stop.exit_code)
    return curve


def run(name: str, method, settings, arch: str, options: dict, made: dict, also: list) -> None:
    """Train the network `name`; write it to models/ and its curve to metrics/curves/<name>.csv.

    `made` goes into the manifest; it and `also` are all that shapes the training beside the code.
    """
    device = next(method.network.parameters()).device.type
    code = [sha256(path) for path in [*sorted(Path(__file__).parent.glob("*.py"))]] + [code_of(arch)]
    fingerprint = sha256_of([made, also, arch, options, device, torch.__version__, code])
    with only_one(name):
        checkpoint = Checkpoint(work_folder() / name / fingerprint[:16])
        started = time.monotonic()
        try:
            curve = take_steps(method, settings.steps, settings.validate_every, checkpoint, name)
            save_network(Path("models", name), method.network, arch, options, made)
        except (loop.Diverged, ValueError) as error:
            raise SystemExit(str(error)) from error
        write_curve(Path("metrics/curves", f"{name}.csv"), curve)
        seconds = round(time.monotonic() - started, 1)
        write_json(work_folder() / "times" / f"{name}.json", {"device": device, "seconds": seconds})
        checkpoint.remove()
