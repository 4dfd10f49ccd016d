"""A network whose statistics of batch norm are those of captures; no weight is trained: `python -m pipeline.stages.adabn KEY`.

A control of stage 2 for networks with batch norm: a gain that it has too needed neither surrogates nor adversary. Li, Wang,
Shi, Liu, Hou, Revisiting Batch Normalization For Practical Domain Adaptation, 2016 (arXiv 1603.04779), algorithm 1.
"""
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from pipeline.core import params
from pipeline.core.device import pick
from pipeline.core.edge import run_stage
from pipeline.core.progress import track
from pipeline.images.shards import Shard
from pipeline.restore.manifest import AbsentNetwork, read_manifest, save_absent
from pipeline.restore.network import load_network, save_network
from pipeline.restore.pixels import to_tensor
from pipeline.restore.tiles import TILE
from pipeline.train.method import given_to


def pieces(images: Shard) -> Iterator[torch.Tensor]:
    """Each image as float32 1CHW in [0, 1]; one larger than TILE pixels in pieces side by side, which bounds the memory."""
    for image in images:
        for top in range(0, image.shape[0], TILE):
            for left in range(0, image.shape[1], TILE):
                yield to_tensor(image[top : top + TILE, left : left + TILE])


@torch.no_grad()
def moments(network: nn.Module, layer: nn.Module, images: Shard, device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance per channel of what `layer` is given, over all pixels of all images; float64."""
    total, squares, count = 0, 0, 0
    for piece in pieces(images):
        values = given_to(layer, network, piece.to(device))
        values = (values.cpu() if device.type == "mps" else values).double().transpose(0, 1).flatten(1)
        total, squares, count = total + values.sum(1), squares + values.square().sum(1), count + values.shape[1]
    mean = total / count
    return mean, (squares / count - mean.square()).clamp_min(0)


def reestimate(network: nn.Module, layers: list[nn.Module], images: Shard, device, title: str) -> None:
    """Set the statistics of each layer in turn, so that it sees its input as the layers before it, already set, make it."""
    network.eval()
    for layer in track(layers, title, len(layers)):
        mean, variance = moments(network, layer, images, device)
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)


def main(key: str) -> None:
    def absent(reason: str) -> None:
        save_absent(Path("models", key), reason)
        print(f"{key}: not made: {reason}", flush=True)

    p = params.load()
    entry = p.entry("adabn", key)
    start, captures = entry.start, entry.captures
    images = Shard(Path("data/sets", captures, "train"))
    try:
        manifest = read_manifest(Path("models", start))
    except AbsentNetwork as reason:
        return absent(f"{start} is absent: {reason}")
    device = pick(p.threads)
    network = load_network(Path("models", start), device, trainable=True)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]  # in the order they are applied
    if not layers:
        raise ValueError(f"adabn.{key}.start: {start} is of arch {manifest['arch']}, which has no batch norm to adapt")
    if images.absent:
        return absent(images.absent)
    if not len(images):
        raise ValueError(f"adabn.{key}.captures: sets.{captures} has no images in its train split")
    reestimate(network, layers, images, device, f"{key}: statistics")
    save_network(Path("models", key), network, manifest["arch"], manifest["options"], {
        "start": start, "start_weights": manifest["weights"], "threads": p.threads, "inputs": images.sha256, "tile": TILE})


if __name__ == "__main__":
    run_stage(main)
