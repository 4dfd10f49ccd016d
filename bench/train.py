"""Time of a training iteration, ours beside the bare network's: `python -m bench.train [NETWORK...]`, `--help` for sizes.

Ours is train/loop.py with all it does: crops from shards on disk, augmentation, moving average, curve, checkpoints. The bare
one is forward, backward and optimizer on one batch that lies in memory. The two take turns, so that a busy machine slows both;
compare ratios, not milliseconds. A ratio of CPU times counts threads that help, and not the time that others have the cores.
"""
import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import torch
import typer
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from bench.peers import basicsr
from pipeline.core import params
from pipeline.core.device import pick
from pipeline.core.model import override
from pipeline.images.shards import Shard, ShardWriter
from pipeline.nets.build import build
from pipeline.train import loop
from pipeline.train.checkpoint import Checkpoint
from pipeline.train.crops import Crops
from pipeline.train.methods.stage2 import Stage2
from pipeline.train.methods.supervised import Supervised

ROOT = Path(__file__).parent.parent
SCALE, IMAGES, SIDE = 4, 32, 480  # of the target images, enough that each fits the largest patch
CASES = {  # of the papers' sizes, and much smaller
    "edsr": ("edsr", {"scale": 4, "blocks": 16, "features": 64}, {"blocks": 2, "features": 16}),
    "srresnet": ("srresnet", {"scale": 4, "blocks": 16, "features": 64}, {"blocks": 2, "features": 16}),
    "rcan": ("rcan", {"scale": 4, "groups": 10, "blocks": 20, "features": 64}, {"groups": 2, "blocks": 2, "features": 16}),
    "dmnet": ("dmnet", {"blocks": 16, "features": 64, "layers": 20, "fine_features": 64},
              {"blocks": 2, "features": 16, "layers": 4, "fine_features": 16}),
    "gan": ("edsr", {"scale": 4, "blocks": 16, "features": 64}, {"blocks": 2, "features": 16}),  # stage 2's step
}
GPU_TURN = 20  # iterations in a row on a GPU, which is asked for the time at their end alone


def bare_step(method, inputs, targets, clean):
    """A function that trains the method's network on these tensors once, by its losses."""
    settings, opponent = method.settings, getattr(method, "adversary", None)

    def step():
        outputs = method.outputs(inputs)
        if opponent:
            opponent.network.requires_grad_(True)
            real, fake = opponent.network(clean), opponent.network(outputs.detach())
            d_loss = (F.binary_cross_entropy_with_logits(real, torch.full_like(real, settings.d_real))
                      + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)))
            opponent.optimizer.zero_grad()
            d_loss.backward()
            opponent.optimizer.step()
        loss = method.loss(outputs, targets)[1]
        method.optimizer.zero_grad()
        loss.backward()
        method.optimizer.step()

    return step


class Turns:
    """Called before each iteration of the loop, it lets the bare step have its turn; wall and CPU seconds of either."""

    def __init__(self, bare, device):
        self.bare, self.device, self.length = bare, device, GPU_TURN if device.type == "cuda" else 1
        self.count, self.ours, self.theirs = 0, [], []

    def __call__(self, *_):
        if self.count % self.length == 0:
            now = self.now()
            if self.count:
                self.ours.append((now - self.since) / self.length)
            before = self.now()
            for _ in range(self.length):
                self.bare()
            self.since = self.now()
            self.theirs.append((self.since - before) / self.length)
        self.count += 1

    def now(self) -> np.ndarray:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return np.array([time.perf_counter(), time.process_time()])


def compare(case: str, small: bool, shards: dict, changes: dict, iterations: int, device) -> dict[str, float]:
    """Print one case; returns ms of an iteration, ours and bare, their ratios, and the bare one's share of a matrix product."""
    arch, options, smaller = CASES[case]
    options = options | smaller if small else options
    sections = params.load(ROOT / "params.yaml")
    settings = sections.stage2 if case == "gan" else sections.stage1
    turn = GPU_TURN if device.type == "cuda" else 1
    settings = override(settings, changes | {"steps": (iterations + 2) * turn + 1}, "bench")
    if case == "gan" and not small:
        settings = override(settings, {"d_features": 64}, "bench")
    networks = [build(arch, options) for _ in range(2)]
    scale = networks[0].scale
    patch = settings.patch * SCALE // scale  # as many pixels of the target for all
    aligned = [(shards["inputs" if scale > 1 else "targets"], 1), (shards["targets"], scale)]
    crops = Crops(aligned, patch, settings.batch, 1, "bench")
    clean = Crops([(shards["targets"], 1)], patch * scale, settings.batch, 1, "bench clean")
    kind, more = (Stage2, {"clean": clean}) if case == "gan" else (Supervised, {})
    method, other = (kind(settings, network, crops, None, device, **more) for network in networks)
    bare = bare_step(other, *other.batch(0), clean(0)[0].to(device))
    with FlopCounterMode(display=False) as counter:
        bare()
    turns = Turns(bare, device)
    networks[0].register_forward_pre_hook(turns)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        loop.train(method, settings.steps, settings.validate_every, Checkpoint(Path(folder)), case, lambda rows: None)
    ours, theirs = (1000 * np.array(times[-iterations:]) for times in (turns.ours, turns.theirs))
    (ms, cpu), (bare_ms, bare_cpu) = (np.median(times, axis=0) for times in (ours, theirs))
    rate = counter.get_total_flops() / bare_ms / 1e6
    share = rate / product_rate(settings.precision, device, small)
    print(f"{case:9s} ours {ms:8.1f} ms [{ours[:, 0].min():.1f}-{ours[:, 0].max():.1f}]  bare {bare_ms:8.1f} ms "
          f"[{theirs[:, 0].min():.1f}-{theirs[:, 0].max():.1f}]  ours / bare = {ms / bare_ms:.3f}, CPU time "
          f"{cpu / bare_cpu:.3f}; bare {rate:.0f} GFLOP/s, {share:.0%} of a matrix product's", flush=True)
    return {"ours_ms": ms, "bare_ms": bare_ms, "ours_over_bare": ms / bare_ms, "cpu_time": cpu / bare_cpu,
            "gflop_per_s": rate, "share_of_product": share}


def product_rate(precision: str, device, small: bool) -> float:
    """GFLOP/s of a product of two square matrices: what this machine can do, not what its data sheet says."""
    side = 8192 if device.type == "cuda" else 512 if small else 2048
    matrix = torch.rand(side, side, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    times = []
    for _ in range(5):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for a GPU
        times.append(time.perf_counter() - start)
    return 2 * side**3 / min(times) / 1e9


def reading(shards: dict, patch: int, batch: int) -> None:
    """Print how many pairs of crops a core reads, cuts, turns and converts in a second."""
    crops = Crops([(shards["inputs"], 1), (shards["targets"], SCALE)], patch, batch, 1, "bench reading")
    spent = []
    for step in range(40):
        start = time.process_time()
        crops(step)
        spent.append(time.process_time() - start)
    print(f"reading   {batch / np.median(spent[5:]):,.0f} pairs per second and core, of {patch}x{patch} and "
          f"{SCALE * patch}x{SCALE * patch} pixels")


def write_images(folder: Path, png: bool) -> dict[str, Shard]:
    """Shards of random images, of the targets' size and of a quarter of it; and the same as PNG, for a peer."""
    draw = np.random.default_rng(0)
    for side, size in (("inputs", SIDE // SCALE), ("targets", SIDE)):
        (folder / "png" / side).mkdir(parents=True)
        with ShardWriter(folder / side) as writer:
            for index in range(IMAGES):
                coarse = draw.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
                image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
                writer.add(f"{index}", f"{index}", image)
                if png:
                    cv2.imwrite(str(folder / "png" / side / f"{index}.png"), image)
    return {side: Shard(folder / side) for side in ("inputs", "targets")}


def main(
    networks: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(CASES)}; by default all.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Networks of two blocks: seconds, to see that it works.")] = False,
    batch: int = 16,
    patch: Annotated[int, typer.Option(help="Pixels of an input that is enlarged 4 times.")] = 24,
    iterations: Annotated[int, typer.Option(help="Of each, after two that warm up; on a GPU so many times 20.")] = 7,
    precision: Literal["fp32", "bf16"] = "fp32",
    threads: Annotated[int | None, typer.Option(help="Of a CPU; by default params' threads.")] = None,
    peer: Annotated[Literal["basicsr"] | None, typer.Option(help="Its training of EDSR too, where it is installed.")] = None,
):
    device = pick(threads or params.load(ROOT / "params.yaml").threads)
    if wrong := set(networks or []) - set(CASES):
        raise SystemExit(f"{wrong.pop()}: wanted one of {', '.join(CASES)}")
    changes = {"batch": batch, "patch": patch, "precision": precision, "validate_every": 10**6, "schedule": "constant"}
    with tempfile.TemporaryDirectory() as folder:
        shards = write_images(Path(folder), peer is not None)
        reading(shards, patch, batch)
        found = {case: compare(case, small, shards, changes, iterations, device) for case in networks or CASES}
        theirs = basicsr(Path(folder), SCALE, patch, batch, iterations) if peer else None
        if theirs and "edsr" in found and not small:
            print(f"basicsr / ours = {theirs / found['edsr']['ours_ms']:.2f} for EDSR in {precision}")


if __name__ == "__main__":
    typer.run(main)
