"""The training loop: supervised (stage 1, oracle, specialised networks) and with an adversary (stage 2 and later rounds).

Everything random is a function of the step, and the state holds the rest, so a run that was stopped anywhere and resumed
ends with the same bits as one that was not.
"""
import copy
import math
import os
import time
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from pipeline.core.progress import progress
from pipeline.core.settings import Stage2, Training
from pipeline.core.stop import Stop
from pipeline.train import ranks
from pipeline.train.checkpoint import Checkpoint
from pipeline.train.crops import Crops, reader
from pipeline.train.schedule import learning_rate

# How much work a kill -9 may cost. When a checkpoint is taken does not touch the result.
CHECKPOINT_SECONDS = float(os.environ.get("RESTAGE_CHECKPOINT_SECONDS", 15))
# Steps between two looks at what a GPU computed: each one waits for it.
GPU_STEPS = 10


class Diverged(RuntimeError):
    """The loss or the gradient is not finite."""


@dataclass(frozen=True)
class Data:
    train: Crops
    """Batches of (input, target)."""
    val: Crops | None
    """The same from the val split; None when it is empty."""


def train(network, settings: Training, data: Data, adversary, checkpoint: Checkpoint, device, title: str,
          content=None) -> list[dict]:
    """Train `network` in place (to its moving average if `settings.ema`). Returns the curve: a row every `validate_every`.

    `adversary` is a train.adversary.Adversary or None, `content` a train.srgan.Content that takes the place of the distance to
    the targets, or None; they are not imported here, so that work on them does not retrain stage 1.

    Raises Diverged, and SystemExit when asked to stop; the checkpoint then holds the state to go on from.
    """
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    network.to(device, memory_format=layout)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=settings.lr, betas=settings.betas, fused=True)
    average = copy.deepcopy(network) if settings.ema else network
    averaged = [[value.data for value in kept.parameters()] for kept in (average, network)]
    fidelity = content or getattr(network, "fidelity", None)
    warmup = settings.d_warmup if adversary else 0  # these steps train the discriminator alone
    step, curve, window, unread, note = 0, [], [], [], ""
    crops, on_gpu = reader(data.train, device), device.type == "cuda"

    def state():
        return {"step": step, "curve": curve, "window": window, "network": network.state_dict(),
                "average": average.state_dict(), "optimizer": optimizer.state_dict(),
                "adversary": adversary.state_dict() if adversary else {}}

    if (saved := ranks.from_first(checkpoint.load() if ranks.first() else None)) is not None:
        step, curve, window = saved["step"], saved["curve"], saved["window"]
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        if adversary:
            adversary.load_state_dict(saved["adversary"])
        print(f"{title}: resuming at step {step - warmup}", flush=True)

    to_training_mode(network, settings)
    forward = ranks.shared(network)
    if settings.compile:
        forward = torch.compile(forward)
    saved_at = time.monotonic()
    with Stop() as stop, progress(title, settings.steps + warmup, step) as bar:
        while step < settings.steps + warmup:
            inputs, targets = (batch.to(device, memory_format=layout, non_blocking=on_gpu) for batch in crops(step))
            warming = step < warmup
            with torch.set_grad_enabled(not warming), torch.autocast(device.type, torch.bfloat16, settings.precision == "bf16"):
                outputs = in_float(forward(inputs))
            record = {}
            if adversary:
                record["d_loss"], record["real"], record["fake"] = adversary.update(step, restored(outputs))
            if not warming:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(settings, step - warmup)
                terms, loss = losses(outputs, targets, settings, adversary, fidelity)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                norm = torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
                if settings.clip:
                    torch.nn.utils.clip_grads_with_norm_(weights, settings.clip, norm)
                optimizer.step()
                record |= {name: term.detach() for name, term in terms.items()} | {"loss": loss.detach(), "norm": norm}
                if settings.ema:
                    torch._foreach_lerp_(*averaged, 1 - settings.ema)
                    for kept, buffer in zip(average.buffers(), network.buffers()):
                        kept.lerp_(buffer, 1 - settings.ema) if buffer.is_floating_point() else kept.copy_(buffer)
            unread.append(record)
            step += 1
            done = step - warmup
            row = done > 0 and (done % settings.validate_every == 0 or done == settings.steps)
            if on_gpu and step % GPU_STEPS and not row:
                bar.advance(note)
                continue
            for past, record in enumerate(ranks.whole(unread), step - len(unread)):
                loss, norm = record.pop("loss", 0.0), record.pop("norm", 0.0)  # 0 in the discriminator's warm-up
                seen = {"discriminator loss": record.get("d_loss", 0.0), "loss": loss, "gradient norm": norm}
                if bad := ", ".join(f"{name} {value}" for name, value in seen.items() if not math.isfinite(value)):
                    raise Diverged(explain(title, past - warmup, bad, data.train.names(past), checkpoint))
                window.append(record)
            unread = []
            if row:
                curve.append({"step": done, "lr": learning_rate(settings, done - 1), **means(window),
                              **(adversary.summary(window) if adversary else {}), **validate(average, data.val, device)})
                window = []
                to_training_mode(network, settings)
            note = "discriminator warm-up" if done <= 0 else f"loss {loss:.5f}"
            bar.advance(note)
            asked = ranks.everyones((stop.asked(), time.monotonic() - saved_at > CHECKPOINT_SECONDS))
            reason = next((reason for reason, _ in asked if reason), None)
            if reason or any(due for _, due in asked):
                if ranks.first():
                    checkpoint.save(state())
                saved_at = time.monotonic()
            if reason:
                ranks.everyones("saved")  # torchrun stops all as soon as one is gone
                print(f"{title}: stopped at step {done} ({reason}); the next run goes on from here", flush=True)
                raise SystemExit(stop.exit_code)
    if average is not network:
        network.load_state_dict(average.state_dict())
    return curve


def to_training_mode(network, settings: Training) -> None:
    """Training mode, but for batch norm whose statistics are frozen: it goes on as in the network that training began from."""
    network.train()
    if getattr(settings, "batch_norm", "train") == "frozen":  # stage 1 has no such setting: it learns the statistics
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.eval()


def in_float(outputs):
    """What a network gives in training, in float32: the image, or a tuple that begins with it."""
    return tuple(output.float() for output in outputs) if isinstance(outputs, tuple) else outputs.float()


def restored(outputs) -> torch.Tensor:
    """The image in what a network gives in training."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def losses(outputs, targets, settings, adversary, fidelity=None) -> tuple[dict, torch.Tensor]:
    """The terms of the loss by name, and their weighted sum. Means over all values of images in [0, 1].

    Supervised: L1 or MSE. Stage 2: MSE + anchor * MSE of 8x8 means + lambda * adversarial (Liu et al., eq. 6). `fidelity` is
    another way to apply L1 or MSE: the network's own (Liu et al., eq. 8) or that of VGG's features (train.srgan).
    """
    distance = F.mse_loss if isinstance(settings, Stage2) else {"l1": F.l1_loss, "mse": F.mse_loss}[settings.loss]
    terms = {"fidelity": fidelity(outputs, targets, distance) if fidelity else distance(outputs, targets)}
    if not isinstance(settings, Stage2):
        return terms, terms["fidelity"]
    outputs = restored(outputs)
    terms["anchor"] = F.mse_loss(F.avg_pool2d(outputs, 8), F.avg_pool2d(targets, 8))
    terms["grid"] = F.mse_loss(phase_means(outputs), phase_means(targets))
    loss = terms["fidelity"] + settings.anchor * terms["anchor"] + settings.grid * terms["grid"]
    if adversary:
        terms["adversarial"] = adversary.loss(outputs)
        loss = loss + settings.lambda_ * terms["adversarial"]
    return terms, loss


def phase_means(images: torch.Tensor) -> torch.Tensor:
    """NCHW -> means over about 16x16 pixels of every fourth pixel in each direction, for each of the 16 phases: the grid that a
    sub-pixel convolution of factor 2 or 4 can lay over its output, apart from what the image shows."""
    height, width = (side // 4 for side in images.shape[2:])
    phases = F.pixel_unshuffle(images[:, :, : 4 * height, : 4 * width], 4)
    return F.avg_pool2d(phases, (min(height, 4), min(width, 4)))


def means(window: list[dict]) -> dict:
    """The mean of every number that was recorded since the last row."""
    columns = {}
    for record in window:
        for name, value in record.items():
            if isinstance(value, float):
                columns.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in sorted(columns.items())}


@torch.no_grad()
def validate(network, crops: Crops | None, device) -> dict:
    """PSNR over one fixed batch of val crops, against their targets: the surrogates, in stage 2."""
    if crops is None or not ranks.first():
        return {}
    inputs, targets = (batch.to(device) for batch in crops(0))
    network.eval()
    errors = (network(inputs).clamp(0, 1) - targets).square().mean((1, 2, 3))
    return {"val_psnr": (-10 * torch.log10(errors.clamp_min(1e-10))).mean().item()}


def explain(title: str, step: int, values: str, names: list[str], checkpoint: Checkpoint) -> str:
    """What a diverged run says: where, on which images, and what is left."""
    kept = "there is no checkpoint yet"
    if last := checkpoint.load():
        kept = f"the last good checkpoint, after {last['step']} batches, is {checkpoint.path}"
    return (f"{title} diverged at step {step}: {values}. The batch holds {', '.join(sorted(set(names)))}; {kept}. "
            f"A smaller lr, d_lr or clip usually helps; nothing was written.")
