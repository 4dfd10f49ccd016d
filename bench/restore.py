"""Speed and memory of `restore`: `python -m bench.restore [--network NAME] [--megapixels M ...] [--tile T] [--help]`.

Beside each other, in turn, so that a busy machine slows all of them; compare ratios, not seconds:
- restore: a photo in memory into an array, in tiles that memory allows, as the command does it;
- the bare network on 192x192 pixels that are there as a tensor, after every fourth window of restore: what no tiling can
  beat. By the products that the convolutions take, so without what the overlap of the windows costs, which is printed apart;
- a plain tile loop with the settings of Real-ESRGAN's (https://github.com/xinntao/Real-ESRGAN): tiles of 256 pixels with 10
  around them, image and output as whole float tensors, and memory as malloc has it.
Restore and the plain loop have a process of their own for each size; its peak memory is above what it had before the first
run, with network and photo there. With --photo instead: the peak of a process that restores a JPEG of so many megapixels into
a JPEG, all in all. Linux alone tells these peaks. With --together instead: small photos one by one and in one pass.
"""
import argparse
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import psutil
import torch
from torch import nn

from pipeline.core.memory import keep_memory
from pipeline.nets.build import build
from pipeline.restore.memory import tile_for
from pipeline.restore.model import Model, in_bf16, model_of
from pipeline.restore.network import load_network
from pipeline.restore.tiles import in_one_pass, restore_into

BASELINE = {"scale": 2, "blocks": 16, "features": 64}  # of EDSR
PLAIN_TILE, PLAIN_PAD = 256, 10
SIDES, TOGETHER = (32, 64, 96, 128, 256), 8  # pixels of small photos, and how many
BARE_EVERY, BARE_SIDE = 4, 192  # windows; pixels of the bare network's, so small that its tail adds nothing to the peak memory
MB = 1e6


class Counted(Model):
    """A model of one network. Counts what it is given and the products that its convolutions take for it, and after every so
    many windows lets the bare network have a turn, timed and counted by itself."""

    def __init__(self, model: Model):
        (network, _), = model.networks
        super().__init__([model], model.scale, model.multiple, model.radius, model.networks)
        self.model, self.network = model, network
        self.resident = torch.rand(1, 3, BARE_SIDE, BARE_SIDE).contiguous(memory_format=torch.channels_last)
        self.products, self.window = 0, None
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                layer.register_forward_hook(self.count)
        self.begin()

    def begin(self) -> None:
        self.windows, self.used, self.bare, self.bare_used, self.apart = 0, 0, [], 0, 0.0

    def count(self, layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        places = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        self.products += places[:, 0].numel() * layer.weight.numel()

    @property
    def pixels(self) -> int:
        return self.windows * self.window[0] * self.window[1]

    @property
    def work(self) -> float:
        """In pixels, as many as the bare network could have taken in with the products of the convolutions."""
        return self.used / self.bare_used * BARE_SIDE**2

    def forward(self, x, keep=None):
        self.products = 0
        restored, start = self.model(x, keep), time.perf_counter()
        self.used, self.window = self.used + self.products, tuple(x.shape[2:])
        if self.windows % BARE_EVERY == 0:
            self.products = 0
            self.bare.append(self.pass_alone())
            self.bare_used = self.products
        self.windows += 1
        self.apart += time.perf_counter() - start
        return restored

    @torch.inference_mode()
    def pass_alone(self) -> float:
        """Seconds."""
        start = time.perf_counter()
        self.model(self.resident)
        return time.perf_counter() - start


def photo_of(megapixels: float) -> np.ndarray:
    """Noise, 4:3, uint8 RGB."""
    height = round((0.75e6 * megapixels) ** 0.5)
    return np.random.default_rng(0).integers(0, 256, (height, round(height * 4 / 3), 3), np.uint8)


def network_of(name: str | None) -> torch.nn.Module:
    if name:
        return load_network(Path("models", name))
    torch.manual_seed(0)
    return build("edsr", BASELINE).eval().requires_grad_(False)


def model(options) -> Model:
    single = model_of(network_of(options.network))
    return in_bf16(single) if options.precision == "bf16" else single


def restoring(options, photo: np.ndarray) -> dict:
    """What the process of `restore` can be asked to do, by name."""
    keep_memory()
    counted = Counted(model(options))
    tile = options.tile or tile_for(counted)

    def restore():
        counted.begin()
        start = time.perf_counter()
        output = np.empty((photo.shape[0] * counted.scale, photo.shape[1] * counted.scale, 3), np.uint8)
        used = restore_into(output, counted, photo, tile)
        seconds = time.perf_counter() - start - counted.apart
        return {"seconds": seconds, "processed": counted.pixels / 1e6, "work": counted.work / 1e6,
                "bare": float(np.mean(counted.bare)) / BARE_SIDE**2 * 1e6, "window": counted.window,
                "tile": used, "margin": counted.margin, "scale": counted.scale}

    return {"restore": restore}


def looping(options, photo: np.ndarray) -> dict:
    """What the process of the plain tile loop can be asked to do, by name."""
    network = network_of(options.network)
    return {"loop": lambda: {"shape": plain_loop(network, photo).shape}}


@torch.inference_mode()
def plain_loop(network: torch.nn.Module, photo: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(np.ascontiguousarray((photo.astype(np.float32) / 255).transpose(2, 0, 1)))[None]
    scale, (height, width) = network.scale, photo.shape[:2]
    output = x.new_zeros(1, 3, height * scale, width * scale)
    for top in range(0, height, PLAIN_TILE):
        for left in range(0, width, PLAIN_TILE):
            bottom, right = min(top + PLAIN_TILE, height), min(left + PLAIN_TILE, width)
            y, z = max(top - PLAIN_PAD, 0), max(left - PLAIN_PAD, 0)
            answer = network(x[:, :, y : min(bottom + PLAIN_PAD, height), z : min(right + PLAIN_PAD, width)])
            output[:, :, top * scale : bottom * scale, left * scale : right * scale] = answer[
                :, :, (top - y) * scale : (bottom - y) * scale, (left - z) * scale : (right - z) * scale]
    return (output[0].clamp(0, 1).numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)


def peak() -> float:
    """Bytes that this process had at most, so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def serve(connection, make, options, megapixels: float) -> None:
    """A process: does what it is asked for by name, and says how long it took and what memory."""
    work = make(options, photo_of(megapixels))
    start = psutil.Process().memory_info().rss
    while name := connection.recv():
        began = time.perf_counter()
        found = work[name]()
        spent = time.perf_counter() - began
        connection.send({"seconds": spent, "peak": max(peak() - start, 0)} | found)


class Worker:
    def __init__(self, make, options, megapixels: float):
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, make, options, megapixels), daemon=True)
        self.process.start()

    def do(self, name: str | None) -> dict | None:
        self.connection.send(name)
        return self.connection.recv() if name else self.process.join()


def compare(options, megapixels: float) -> None:
    height, width = photo_of(megapixels).shape[:2]
    ours, plain = Worker(restoring, options, megapixels), Worker(looping, options, megapixels)
    runs = [ours.do("restore") | {"loop": plain.do("loop")} for _ in range(options.repeats)]
    ours.do(None), plain.do(None)
    first, size, work = runs[0], height * width / 1e6, runs[0]["work"]
    each = np.array([run["seconds"] for run in runs]) / work
    bare, loop = (np.array(values) for values in ([run["bare"] for run in runs], [run["loop"]["seconds"] for run in runs]))
    print(f"{width}x{height} to {width * first['scale']}x{height * first['scale']}, tiles of {first['tile']} with a margin of "
          f"{first['margin']}, windows of {first['window'][1]}x{first['window'][0]}")
    print(f"    restore            {spread(each)} s for the products of a megapixel through the bare network")
    print(f"    bare network       {spread(bare)} s, so restore has {np.median(bare / each):.2f} of its throughput")
    print(f"    overlap            {first['processed'] / size:.2f} times the photo's pixels are in windows, "
          f"for {work / size:.2f} times the products")
    print(f"    restore            {spread(each * work / size)} s per megapixel of the photo")
    print(f"    plain tile loop    {spread(loop / size)} s, {np.median(loop / (each * work)):.2f} times restore's")
    peaks = runs[0]["peak"] / MB, runs[0]["loop"]["peak"] / MB
    print(f"    peak memory        {peaks[0]:.0f} MB above the start, plain tile loop {peaks[1]:.0f} MB", flush=True)


def together(options) -> None:
    """Small photos through the network in one pass beside one by one."""
    keep_memory()
    single, draw = model(options), np.random.default_rng(0)
    for side in SIDES:
        photos, times = [draw.integers(0, 256, (side, side, 3), np.uint8) for _ in range(TOGETHER)], []
        for _ in range(options.repeats + 1):
            start = time.perf_counter()
            alone = [in_one_pass(single, [photo])[0] for photo in photos]
            middle = time.perf_counter()
            most = max(np.abs(one - other).max() for one, other in zip(alone, in_one_pass(single, photos)))
            times.append((middle - start, time.perf_counter() - middle))
        alone, joined = np.array(times[1:]).T / TOGETHER * 1000
        print(f"{side}x{side}: {spread(alone)} ms a photo one by one, {spread(joined)} ms {TOGETHER} at once, "
              f"{np.median(alone / joined):.2f} times as fast, at most {255 * most:.2g} levels apart", flush=True)


def spread(values: np.ndarray) -> str:
    return f"{np.median(values):6.2f} [{values.min():.2f}-{values.max():.2f}]"


def whole_process(options) -> None:
    """The peak of a process, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        cv2.imwrite(f"{folder}/photo.jpg", photo_of(options.photo), [cv2.IMWRITE_JPEG_QUALITY, 50])
        process = get_context("spawn").Process(target=restore_photo, args=(options, folder))
        process.start()
        process.join()


def restore_photo(options, folder: str) -> None:
    from pipeline.restore.restorer import Restorer  # with decoders that bench.gpu, which imports this module, can do without

    began, restorer = time.perf_counter(), Restorer(options.network, precision=options.precision, tile=options.tile)
    restorer.file(f"{folder}/photo.jpg", f"{folder}/restored.jpg")
    print(f"a JPEG of {options.photo:g} megapixels by {options.network}: {time.perf_counter() - began:.0f} s, "
          f"peak memory of the whole process {peak() / MB:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.restore", description=__doc__.partition("\n")[0])
    parser.add_argument("--network", help="below models/; by default EDSR's baseline x2, its weights random")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.75, 1.5, 3], help="of the photo; several sizes")
    parser.add_argument("--tile", type=int, help="of restore; by default what memory allows")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of restore and the bare network")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--photo", type=float, help="megapixels: only the memory of a whole process, with --network")
    parser.add_argument("--together", action="store_true", help="only small photos, one by one and in one pass")
    options = parser.parse_args()
    if options.together:
        return together(options)
    if options.photo:
        if not options.network:
            parser.error("--photo: name a --network below models/")
        return whole_process(options)
    for megapixels in options.megapixels:
        compare(options, megapixels)


if __name__ == "__main__":
    main()
