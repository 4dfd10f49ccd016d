"""A critic: how well a fresh classifier of fixed budget tells the outputs of a row from clean images.

A classifier two-sample test (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017), with the AUC in
place of the accuracy. The discriminators of the trainings cannot compare rows, as each has grown up with one; this one is new
for every row, with the same weights to start from, batches and patch positions. It learns on half of the scenes of both sides
and is asked about the other half, then the other way round, so that all images count and none is remembered. Its budget is
meant to be small: a large one tells anything from anything, and all rows come near 1.
"""
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.adam import Adam
from pipeline.core.seeds import rng, torch_seed
from pipeline.core.settings import Bench
from pipeline.images.shards import Shard
from pipeline.score.auc import auc
from pipeline.score.highpass import with_highpass

PATCHES = 512  # of each side, training and held out; one of each image when there are more
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Sample:
    """Patches of a set of images, uint8 (n, 3, patch, patch), and which half of the scenes each is from, (n,) of 0 and 1."""
    patches: torch.Tensor
    half: np.ndarray

    @cached_property
    def seen(self) -> torch.Tensor:
        """(n, 6, patch, patch): what a critic looks at. A few at a time, as the high-pass is quickest in the cache."""
        return torch.cat([with_highpass(part.float() / 255) for part in self.patches.split(64)])


def sample_patches(images: Shard, patch: int, seed: int) -> Sample:
    """Random patches, of each uint8 image equally many. Sets of the same sizes are cut at the same places.

    Scenes fall into the halves alternately, in the order of their names. Raises ValueError where there are fewer than two
    scenes, or an image is too small.
    """
    scenes = {scene: i % 2 for i, scene in enumerate(sorted(set(images.scenes)))}
    if len(scenes) < 2:
        raise ValueError(f"a critic held out by scene needs 2 scenes on each side; one has {len(scenes)}")
    share, rest = divmod(max(PATCHES, len(images)), len(images))
    cut, half = [], []
    for i, image in enumerate(images):
        height, width, _ = image.shape
        if min(height, width) < patch:
            raise ValueError(f"bench.critic_patch is {patch} pixels, an image is {width}x{height}")
        count, draw = share + (i < rest), rng(seed, "critic/positions", i)
        tops, lefts = draw.integers(height - patch + 1, size=count), draw.integers(width - patch + 1, size=count)
        cut += [image[top : top + patch, left : left + patch] for top, left in zip(tops, lefts)]
        half += [scenes[images.scenes[i]]] * count
    return Sample(torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).contiguous(), np.array(half))


def critic_auc(outputs: Sample, clean: Sample, settings: Bench, seed: int) -> float:
    """Mean over both ways of the AUC on patches of held-out scenes, clean being the positives: in [0, 1], lower is better, 0.5
    when it cannot tell, as for a sample and itself, below 0.5 by chance. Deterministic in `seed`."""
    found = []
    sides = [(side.seen, torch.from_numpy(side.half)) for side in (clean, outputs)]
    for held_out in (0, 1):
        network = _network(settings.critic_features, seed, held_out)
        known = [patches[half != held_out] for patches, half in sides]
        _train(network, *known, settings, rng(seed, "critic/batches", held_out))
        asked = [patches[half == held_out] for patches, half in sides]
        with torch.no_grad():
            found.append(auc(*(torch.cat([_opinion(network, part) for part in patches.split(64)]) for patches in asked)))
    return float(np.mean(found))


def _network(features: int, seed: int, index: int) -> nn.Module:
    """Three convolutions of stride 2, one to an opinion per place. The last begins at zero: at first it has none."""
    widths, layers = [6, features, 2 * features, 4 * features], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, f"critic/weights/{index}"))
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
            nn.init.kaiming_normal_(layers[-2].weight, a=0.2)
        layers.append(nn.Conv2d(widths[-1], 1, 3, padding=1))
    nn.init.zeros_(layers[-1].weight)
    for layer in layers[::2]:
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def _train(network, clean: torch.Tensor, outputs: torch.Tensor, settings: Bench, draw: np.random.Generator) -> None:
    """Adam on the binary cross-entropy of whole patches; a batch is `critic_batch` patches of each side."""
    optimizer = Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    wanted = torch.cat([torch.ones(settings.critic_batch), torch.zeros(settings.critic_batch)])
    for _ in range(settings.critic_steps):
        places = torch.from_numpy(draw.random(settings.critic_batch))
        batch = torch.cat([side[(places * len(side)).long()] for side in (clean, outputs)])
        loss = F.binary_cross_entropy_with_logits(_opinion(network, batch), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def _opinion(network, patches: torch.Tensor) -> torch.Tensor:
    """The mean logit of each patch, (n,), positive for clean."""
    return network(patches).mean((1, 2, 3))
