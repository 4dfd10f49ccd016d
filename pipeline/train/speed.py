"""How fast a network trains under each choice that changes speed and hardly what is computed."""
import itertools
import time

import torch

from pipeline.core.settings import Stage1Settings
from pipeline.nets.build import build
from pipeline.train.methods.supervised import Supervised

WARM_UP = 2


def time_steps(arch: str, options: dict, settings: Stage1Settings, device: torch.device, rounds: int,
            compile: bool = False) -> dict[tuple, float]:
    """{((setting, value), ...): median ms of a training step on one batch in memory} of channels_last and precision, and of
    compile too if asked for. They take turns, so that a machine that is busy with other things favours none."""
    choices = {"channels_last": (True, False), "precision": ("fp32", "bf16"), "compile": (False, True) if compile else (False,)}
    variants = [tuple(zip(choices, values)) for values in itertools.product(*choices.values())]
    steps = {variant: _step(arch, options, settings.model_copy(update=dict(variant)), device) for variant in variants}
    times = {variant: [] for variant in variants}
    for _ in range(WARM_UP + rounds):
        for variant, step in steps.items():
            start = time.perf_counter()
            step()
            times[variant].append(1000 * (time.perf_counter() - start))
    return {variant: sorted(spent[WARM_UP:])[rounds // 2] for variant, spent in times.items()}


def _step(arch: str, options: dict, settings: Stage1Settings, device: torch.device):
    network = build(arch, options)
    method = Supervised(settings, network, None, None, device)
    inputs, targets = (torch.rand(settings.batch, 3, side, side, device=device).to(memory_format=method.layout)
                       for side in (settings.patch, settings.patch * network.scale))
    return lambda: method.improve(0, *method.loss(method.outputs(inputs), targets))["loss"].item()  # waits for a GPU
