"""CPU time of the architectures: `python -m bench.nets [ARCH ...] [--side 512] [--rounds 3]`.

Each restores the same image by one thread, in turn with the others, so that a busy machine slows all of them. Printed are
weights, seconds of CPU time for a megapixel of the input, median and range, and how many times those of EDSR's baseline of the
same scale that is. Weights are random: they do not change the time.
"""
import argparse
import time
from statistics import median

import torch

from pipeline.core.memory import keep_memory
from pipeline.core.seeds import rng
from pipeline.nets.build import build
from pipeline.restore.model import Model, model_of
from pipeline.restore.tiles import restore

NETS = {  # the authors' networks, by name and scale
    "edsr": ("edsr", {"scale": 1}), "compact": ("compact", {"scale": 1}), "nafnet": ("nafnet", {}), "esdnet": ("esdnet", {}),
    "esdnet-l": ("esdnet", {"sams": 2}), "edsr x4": ("edsr", {"scale": 4}), "compact x4": ("compact", {"scale": 4}),
    "compact-32 x4": ("compact", {"scale": 4, "layers": 32}), "rcan x4": ("rcan", {"scale": 4})}
BESIDE = {1: "edsr", 4: "edsr x4"}  # scale -> the baseline of EDSR


def seconds(model: Model, image) -> float:
    start = time.process_time()
    restore(model, image)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.nets", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NETS)}; EDSR is always among them")
    parser.add_argument("--side", type=int, default=512, help="pixels of the image's sides")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in NETS]:
        parser.error(f"{unknown[0]}: there are {', '.join(NETS)}")
    names = [name for name in NETS if not options.names or name in options.names]
    names = list(dict.fromkeys([*(BESIDE[NETS[name][1].get("scale", 1)] for name in names), *names]))
    keep_memory()
    torch.set_num_threads(1)
    image = rng(0, "bench/nets").integers(0, 256, (options.side, options.side, 3), "uint8")
    models = {name: model_of(build(*NETS[name]).eval()) for name in names}
    times = {name: [] for name in names}
    for turn in range(options.rounds + 1):
        for name, model in models.items():
            spent = seconds(model, image if turn else image[:128, :128])  # the first turn warms up
            if turn:
                times[name].append(spent / (options.side**2 / 1e6))
    for name, model in models.items():
        weights = sum(weight.numel() for weight in model.parameters())
        ours, edsr = median(times[name]), median(times[BESIDE[model.scale]])
        print(f"{name:14s} {weights:12,} weights  {ours:7.1f} s [{min(times[name]):.1f}-{max(times[name]):.1f}] for a "
              f"megapixel, {ours / edsr:5.2f} times EDSR's")


if __name__ == "__main__":
    main()
