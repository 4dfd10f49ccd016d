"""Compact, NAFNet and ESDNet as foreign.py has other networks: weights by the authors' names, and what they compute.

Nothing here is of pipeline.nets. `make` gives random weights, `forward` takes NCHW in [0, 1].
"""
import numpy as np
import torch
from foreign import Weights, apply
from torch.nn import functional as F


class Compact:
    def __init__(self, scale, layers, features):
        self.scale, self.layers, self.features = scale, layers, features

    def make(self):
        w, widths = Weights(), [3, *[self.features] * (self.layers + 1)]
        for place, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            w.conv(f"body.{2 * place}", inputs, outputs)
            w[f"body.{2 * place + 1}.weight"] = 0.1 + 0.3 * torch.rand(outputs)
        w.conv(f"body.{2 * self.layers + 2}", self.features, 3 * self.scale**2)
        return w

    def forward(self, w, x):
        y = x
        for place in range(self.layers + 1):
            y = apply(w, f"body.{2 * place}", y)
            y = y.clamp(min=0) + w[f"body.{2 * place + 1}.weight"].reshape(1, -1, 1, 1) * y.clamp(max=0)
        y = F.pixel_shuffle(apply(w, f"body.{2 * self.layers + 2}", y), self.scale)
        return y + x.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


class NAFNet:
    """`window`: of the means at each level, in its own pixels; None for the whole image."""

    def __init__(self, width, encoder, middle, decoder, window=None):
        self.width, self.encoder, self.middle, self.decoder, self.window = width, encoder, middle, decoder, window

    def make(self):
        w, widths = Weights(), [self.width * 2**level for level in range(len(self.encoder) + 1)]
        w.conv("intro", 3, self.width), w.conv("ending", self.width, 3)
        for name, count, level in self.blocks():
            for block in range(count):
                self.block(w, f"{name}.{block}", widths[level])
        for level, width in enumerate(widths[:-1]):
            w.conv(f"downs.{level}", width, 2 * width, 2)
        for place, width in enumerate(widths[:0:-1]):
            w.conv(f"ups.{place}.0", width, 2 * width, 1)
            del w[f"ups.{place}.0.bias"]
        return w

    def blocks(self):
        """Name, number of blocks and level of each part that has blocks."""
        levels = len(self.encoder)
        return [*((f"encoders.{level}", count, level) for level, count in enumerate(self.encoder)),
                ("middle_blks", self.middle, levels),
                *((f"decoders.{place}", count, levels - 1 - place) for place, count in enumerate(self.decoder))]

    @staticmethod
    def block(w, name, c):
        for part, outputs in (("conv1", 2 * c), ("conv3", c), ("sca.1", c), ("conv4", 2 * c), ("conv5", c)):
            w.conv(f"{name}.{part}", c, outputs, 1)
        w.conv(f"{name}.conv2", 1, 2 * c)
        for part in range(1, 6):
            w[f"{name}.conv{part}.weight"] *= 3  # so that gates, which are products, and means make a difference
        for part in ("norm1", "norm2"):
            w[f"{name}.{part}.weight"], w[f"{name}.{part}.bias"] = 0.5 + torch.rand(c), torch.rand(c) - 0.5
        w[f"{name}.beta"], w[f"{name}.gamma"] = torch.randn(1, c, 1, 1), torch.randn(1, c, 1, 1)

    def forward(self, w, x):
        y, skips = apply(w, "intro", x), []
        for name, count, level in self.blocks():
            if name.startswith("decoders"):
                place = name.partition(".")[2]
                y = F.pixel_shuffle(F.conv2d(y, w[f"ups.{place}.0.weight"]), 2) + skips.pop()
            for block in range(count):
                y = self.through(w, f"{name}.{block}", y, level)
            if name.startswith("encoders"):
                skips.append(y)
                y = F.conv2d(y, w[f"downs.{level}.weight"], w[f"downs.{level}.bias"], stride=2)
        return x + apply(w, "ending", y)

    def through(self, w, name, x, level):
        y = apply(w, f"{name}.conv1", normalised(w, f"{name}.norm1", x))
        y = F.conv2d(y, w[f"{name}.conv2.weight"], w[f"{name}.conv2.bias"], padding=1, groups=y.shape[1])
        y = gated(y)
        means = y.mean((2, 3), keepdim=True) if self.window is None else local_means(y, self.window[level])
        x = x + apply(w, f"{name}.conv3", y * apply(w, f"{name}.sca.1", means)) * w[f"{name}.beta"]
        y = gated(apply(w, f"{name}.conv4", normalised(w, f"{name}.norm2", x)))
        return x + apply(w, f"{name}.conv5", y) * w[f"{name}.gamma"]


def gated(x):
    half = x.shape[1] // 2
    return x[:, :half] * x[:, half:]


def normalised(w, name, x):
    centred = x - x.mean(1, keepdim=True)
    deviation = (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
    return centred / deviation * w[f"{name}.weight"].reshape(1, -1, 1, 1) + w[f"{name}.bias"].reshape(1, -1, 1, 1)


def local_means(x, window):
    """Of the square around each pixel, one more to the right and below where the window is even, moved to lie in the image."""
    images, (height, width) = x.detach().double().numpy(), x.shape[2:]
    means = np.empty_like(images)
    for row in range(height):
        top = max(min(row - (window - 1) // 2, height - window), 0)
        for column in range(width):
            left = max(min(column - (window - 1) // 2, width - window), 0)
            means[:, :, row, column] = images[:, :, top : top + window, left : left + window].mean((2, 3))
    return torch.from_numpy(means).float()


class ESDNet:
    def __init__(self, width, inner, decoder_width, decoder_inner, sams):
        self.width, self.inner, self.decoder_width, self.decoder_inner, self.sams = (
            width, inner, decoder_width, decoder_inner, sams)

    def levels(self):
        """Name, width and inner width of each level."""
        return [*((f"encoder.encoder_{level}", self.width * 2 ** (level - 1), self.inner) for level in (1, 2, 3)),
                *((f"decoder.decoder_{level}", self.decoder_width, self.decoder_inner) for level in (1, 2, 3))]

    def make(self):
        w, n, m = Weights(), self.width, self.decoder_width
        w.conv("encoder.conv_first.0", 12, n, 5)
        w["encoder.conv_first.0.weight"] *= 10  # so that the image matters beside the biases
        for level in (1, 2):
            w.conv(f"encoder.encoder_{level}.down.0", n * 2 ** (level - 1), n * 2**level)
        for level, inputs in ((1, n + m), (2, 2 * n + m), (3, 4 * n)):
            w.conv(f"decoder.preconv_{level}.conv.0", inputs, m), w.conv(f"decoder.decoder_{level}.conv.conv", m, 12)
        for name, width, inner in self.levels():
            self.dense(w, f"{name}.rdb", width, inner, 3)
            for sam in range(self.sams):
                sam = f"{name}.sam_blocks.{sam}"
                for branch in ("basic_block", "basic_block_2", "basic_block_4"):
                    self.dense(w, f"{sam}.{branch}", width, inner, 5)
                narrow = 3 * width // 4
                w.conv(f"{sam}.fusion.compress1", 3 * width, narrow, 1), w.conv(f"{sam}.fusion.compress2", narrow, narrow, 1)
                w.conv(f"{sam}.fusion.excitation", narrow, 3 * width, 1)
                for part in ("compress1", "compress2"):
                    w[f"{sam}.fusion.{part}.bias"] += 1  # so that no gate is shut for every image
                    w[f"{sam}.fusion.{part}.weight"] *= 3
        return w

    @staticmethod
    def dense(w, name, width, inner, layers):
        for place in range(layers):
            w.conv(f"{name}.conv_layers.{place}.conv.0", width + place * inner, inner)
        w.conv(f"{name}.conv_post.conv", width + layers * inner, width, 1)

    def forward(self, w, x):
        """All three images."""
        y = F.relu(apply(w, "encoder.conv_first.0", F.pixel_unshuffle(x, 2)))
        seen = []
        for level in (1, 2, 3):
            seen.append(self.level(w, f"encoder.encoder_{level}", y))
            if level < 3:
                name = f"encoder.encoder_{level}.down.0"
                y = F.relu(F.conv2d(seen[-1], w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1))
        images, below = [], None
        for level in (3, 2, 1):
            y = seen[level - 1] if below is None else torch.cat([seen[level - 1], doubled(below)], 1)
            below = self.level(w, f"decoder.decoder_{level}", F.relu(apply(w, f"decoder.preconv_{level}.conv.0", y)))
            images.insert(0, F.pixel_shuffle(apply(w, f"decoder.decoder_{level}.conv.conv", below), 2))
        return tuple(images)

    def level(self, w, name, x):
        x = x + branch(w, f"{name}.rdb", x, (1, 2, 1))
        for sam in range(self.sams):
            sam = f"{name}.sam_blocks.{sam}"
            scales = (1, 2, 3, 2, 1)
            quarter = branch(w, f"{sam}.basic_block_4", mean_of_four(x, 1, 4), scales)
            parts = [branch(w, f"{sam}.basic_block", x, scales),
                     doubled(branch(w, f"{sam}.basic_block_2", mean_of_four(x, 0, 2), scales)), interpolated(quarter, 4)]
            means = torch.cat([part.mean((2, 3), keepdim=True) for part in parts], 1)
            gates = apply(w, f"{sam}.fusion.compress1", means)
            gates = apply(w, f"{sam}.fusion.excitation", F.relu(apply(w, f"{sam}.fusion.compress2", F.relu(gates))))
            gates, width = 1 / (1 + torch.exp(-gates)), x.shape[1]
            x = x + sum(part * gates[:, i * width : (i + 1) * width] for i, part in enumerate(parts))
        return x


def branch(w, name, x, dilations):
    for place, dilation in enumerate(dilations):
        key = f"{name}.conv_layers.{place}.conv.0"
        found = F.relu(F.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"], padding=dilation, dilation=dilation))
        x = torch.cat([found, x], 1)
    return apply(w, f"{name}.conv_post.conv", x)


def mean_of_four(x, first, step):
    """Of 2x2 pixels that begin `first` pixels into each block of `step` pixels a side."""
    return sum(x[:, :, first + i :: step, first + j :: step] for i in (0, 1) for j in (0, 1)) / 4


def interpolated(x, factor):
    """`factor` times larger by bilinear interpolation between the centres of pixels; the border is repeated."""
    def matrix(length):
        places = ((torch.arange(factor * length, dtype=torch.double) + 0.5) / factor - 0.5).clamp(0, length - 1)
        return (1 - (places[:, None] - torch.arange(length)).abs()).clamp(min=0).float()

    return torch.einsum("ij,ncjk,lk->ncil", matrix(x.shape[2]), x, matrix(x.shape[3]))


def doubled(x):
    return interpolated(x, 2)


PUBLISHED = {  # with project, our architecture and our options
    "compact x1": (Compact(1, 1, 5), ("realesrgan", "compact", {"scale": 1, "layers": 1, "features": 5})),
    "compact x2": (Compact(2, 0, 6), ("realesrgan", "compact", {"scale": 2, "layers": 0, "features": 6})),
    "compact x4": (Compact(4, 3, 6), ("realesrgan", "compact", {"scale": 4, "layers": 3, "features": 6})),
    "nafnet": (NAFNet(4, [1, 2], 2, [1, 1]), ("nafnet", "nafnet", {
        "features": 4, "encoder": [1, 2], "middle": 2, "decoder": [1, 1], "window": 384})),
    "nafnet, small": (NAFNet(4, [0, 1], 1, [1, 0]), ("nafnet", "nafnet", {
        "features": 4, "encoder": [0, 1], "middle": 1, "decoder": [1, 0], "window": 384})),
    "nafnet, a level without blocks": (NAFNet(3, [1, 0, 1], 1, [2, 0, 1]), ("nafnet", "nafnet", {
        "features": 3, "encoder": [1, 0, 1], "middle": 1, "decoder": [2, 0, 1], "window": 384})),
    "esdnet": (ESDNet(6, 4, 5, 3, 1), ("uhdm", "esdnet", {
        "features": 6, "inner": 4, "decoder_features": 5, "decoder_inner": 3, "sams": 1})),
    "esdnet-l": (ESDNet(4, 3, 6, 2, 2), ("uhdm", "esdnet", {
        "features": 4, "inner": 3, "decoder_features": 6, "decoder_inner": 2, "sams": 2})),
}
