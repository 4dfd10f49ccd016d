"""The training loop of every method.

Everything random is a function of the step, and the state holds the rest, so a run that was stopped anywhere and resumed ends
with the same bits as one that was not.
"""
import math
import os
import time
from collections.abc import Callable

from pipeline.core.progress import progress
from pipeline.core.stop import Stop
from pipeline.train import ranks
from pipeline.train.checkpoint import Checkpoint
from pipeline.train.method import Method

# How much work a kill -9 may cost. When a checkpoint is taken does not touch the result.
CHECKPOINT_SECONDS = float(os.environ.get("RESTAGE_CHECKPOINT_SECONDS", 15))
# Steps between two looks at what a GPU computed: each one waits for it.
GPU_STEPS = 10
# Scalars that are watched, but are not in the curve: it has the terms of the loss.
WATCHED = {"loss": "loss", "norm": "gradient norm"}


class Diverged(ValueError):
    """A loss or a gradient is not finite."""


def train(method: Method, steps: int, validate_every: int, checkpoint: Checkpoint, title: str,
          watch: Callable[[list[dict]], None]) -> list[dict]:
    """Take the method's warm-up and then `steps` steps. Returns the curve: a row every `validate_every` steps. `watch` is given
    what there is of it whenever it has a new row. Raises Diverged, and SystemExit when asked to stop; the checkpoint then holds
    the state to go on from."""
    step, curve, window, unread, note = 0, [], [], [], ""
    warmup, on_gpu = method.warmup, method.device.type == "cuda"
    if (saved := ranks.broadcast(checkpoint.load() if ranks.first() else None)) is not None:
        step, curve, window = saved["step"], saved["curve"], saved["window"]
        method.load_state_dict(saved["method"])
        print(f"{title}: resuming at step {step - warmup}", flush=True)
        watch(curve)
    saved_at = time.monotonic()
    with Stop() as stop, progress(title, steps + warmup, step) as bar:
        while step < steps + warmup:
            unread.append(method.step(step))
            step += 1
            done = step - warmup
            row = done > 0 and (done % validate_every == 0 or done == steps)
            if on_gpu and step % GPU_STEPS and not row:
                bar.advance(note)
                continue
            for past, record in enumerate(ranks.gather_records(unread), step - len(unread)):
                if bad := not_finite(record):
                    raise Diverged(divergence_report(title, past - warmup, bad, method.names(past), checkpoint))
                window.append(record)
            unread = []
            if row:
                curve.append({"step": done, "lr": method.learning_rate(done - 1), **record_means(window),
                              **method.summary(window)})
                window = []
                watch(curve)
            note = "discriminator warm-up" if done <= 0 else f"loss {record['loss']:.5f}"
            bar.advance(note)
            asked = ranks.gather((stop.asked(), time.monotonic() - saved_at > CHECKPOINT_SECONDS))
            reason = next((reason for reason, _ in asked if reason), None)
            if reason or any(due for _, due in asked):
                if ranks.first():
                    checkpoint.save({"step": step, "curve": curve, "window": window, "method": method.state_dict()})
                saved_at = time.monotonic()
            if reason:
                ranks.gather("saved")  # torchrun stops all as soon as one is gone
                print(f"{title}: stopped at step {done} ({reason}); the next run goes on from here", flush=True)
                raise SystemExit(stop.exit_code)
    return curve


def not_finite(record: dict) -> str:
    """The scalars of a record that are not finite, by name, or nothing."""
    names = WATCHED | {"d_loss": "discriminator loss"}
    return ", ".join(f"{names.get(name, name)} {value}" for name, value in record.items()
                     if isinstance(value, float) and not math.isfinite(value))


def record_means(window: list[dict]) -> dict:
    """The mean of every scalar of the curve that was recorded since its last row."""
    names = {name for record in window for name, value in record.items() if isinstance(value, float)} - WATCHED.keys()
    columns = {name: [record[name] for record in window if name in record] for name in sorted(names)}
    return {name: sum(values) / len(values) for name, values in columns.items()}


def divergence_report(title: str, step: int, values: str, names: list[str], checkpoint: Checkpoint) -> str:
    """What a diverged run says: where, on which images, and what is left."""
    kept = "there is no checkpoint yet"
    if last := checkpoint.load():
        kept = f"the last good checkpoint, after {last['step']} batches, is {checkpoint.path}"
    return (f"{title} diverged at step {step}: {values}. The batch holds {', '.join(sorted(set(names)))}; {kept}. "
            f"A smaller lr, d_lr or clip usually helps; no network was written.")
