"""The sections of bench/gpu.py that train for some time on the folder's images, and say how good the networks have become."""
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from bench.gpu_sections import EDSR, ROOT, SIZES, SMALL, device_of
from pipeline.core import params
from pipeline.core.model import override
from pipeline.degrade.bicubic import downscale, resize_uint8
from pipeline.images.shards import Shard, ShardWriter
from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.tiles import restore
from pipeline.score.fidelity import psnr
from pipeline.stages.synthesize import synthesize
from pipeline.train import loop
from pipeline.train.checkpoint import Checkpoint
from pipeline.train.crops import Crops
from pipeline.train.methods.supervised import Supervised

SCALE = EDSR["scale"]
DMNET = {"blocks": 16, "features": 64, "layers": 20, "fine_features": 64, "start": "identity"}
SMALL_DMNET = {"blocks": 1, "features": 8, "layers": 3, "fine_features": 8}
TRIED = {"cuda": 20, "cpu": 3}  # steps that are timed, to know how many there are time for, after as many that warm up
FEW = 6  # images that a CPU takes
# Of the section's time, once steps have been timed: on a GPU two minutes of the 144 s of sr, one of demoire's 72. A CPU needs
# time for the test images.
FOR_TRAINING = {"cuda": 0.85, "cpu": 0.4}
VALIDATION = 6  # screens


def images_of(folder: Path, most: int | None = None) -> dict[str, np.ndarray]:
    """uint8 RGB by name, of the first `most` files. Raises FileNotFoundError when there is none."""
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp"))
    if not files:
        raise FileNotFoundError(f"{folder}: no PNG, JPEG or BMP files there")
    return {file.stem: np.ascontiguousarray(cv2.imread(str(file))[..., ::-1]) for file in files[:most]}


def whole(image: np.ndarray) -> np.ndarray:
    """Cut to sides that are multiples of the scale."""
    height, width = (side // SCALE * SCALE for side in image.shape[:2])
    return image[:height, :width]


def write_shard(folder: Path, images: dict[str, np.ndarray]) -> Shard:
    with ShardWriter(folder) as writer:
        for name, image in images.items():
            writer.add(name, name, image)
    return Shard(folder)


def trained(method: Supervised, report) -> torch.nn.Module:
    """The network after most of what is left of the section's time, its learning rate falling to zero over that. It keeps what
    it has learned in the steps that are timed, too."""
    tried = TRIED[method.device.type]
    for step in range(2 * tried):
        if step == tried:
            wait(method.device)
            began = time.perf_counter()
        method.step(step)
    wait(method.device)
    each = (time.perf_counter() - began) / tried
    steps = max(int(FOR_TRAINING[method.device.type] * report.left() / each), 1)
    method.settings = override(method.settings, {"steps": steps, "validate_every": steps}, "bench")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        (row,) = loop.train(method, steps, steps, Checkpoint(Path(folder, "state")), "bench", lambda rows: None)
        spent = time.perf_counter() - began
    report("training", {"steps": steps, "seconds": spent, "loss": row["fidelity"]},
           f"{steps} steps in {spent:.0f} s, {steps / spent:.1f} a second; the loss ends at {row['fidelity']:.5f}")
    return method.finish().eval()


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def settings_of(small: bool, before: dict, **more):
    """Of stage 1, with what the section speed found fastest, if it got that far."""
    fastest = before.get("speed", {}).get("fastest", {})
    changes = SIZES[small] | {"lr": 2e-4, "ema": 0.999, "schedule": "cosine"} | fastest | more
    return override(params.load(ROOT / "params.yaml").stage1, changes, "bench")


def sr(report, data: Path, device: str, before: dict) -> None:
    """EDSR x4 on bicubic pairs of the photos; mean PSNR-Y on Set5 and Set14 beside bicubic's, borders of 4 pixels left out."""
    target, small = device_of(device), device == "cpu"
    settings = settings_of(small, before)
    sets = {name: images_of(data / "benchmarks" / name / "HR") for name in ("Set5", "Set14")}
    with tempfile.TemporaryDirectory() as folder:
        photos = {name: whole(image) for name, image in images_of(data / "clean/photos", FEW if small else None).items()}
        sides = [({name: downscale(image, SCALE) for name, image in photos.items()}, 1), (photos, SCALE)]
        shards = [(write_shard(Path(folder, str(scale)), images), scale) for images, scale in sides]
        network = build("edsr", EDSR | {"start": "bilinear"} | (SMALL if small else {}))
        method = Supervised(settings, network, Crops(shards, settings.patch, settings.batch, 1, "bench/sr"), None, target)
        network = trained(method, report)
        for name, images in sets.items():
            ours, bicubic = (psnr_y(images, enlarge) for enlarge in (
                lambda image: restore(model_of(network), image),
                lambda image: resize_uint8(image, SCALE * image.shape[0], SCALE * image.shape[1])))
            report(name, {"psnr_y": ours, "bicubic_psnr_y": bicubic}, f"{name}: PSNR-Y {ours:.2f} dB, bicubic {bicubic:.2f}")


def psnr_y(images: dict[str, np.ndarray], enlarge: Callable[[np.ndarray], np.ndarray]) -> float:
    found = []
    for image in images.values():
        image = whole(image)
        found.append(psnr(enlarge(downscale(image, SCALE)), image, SCALE, "y"))
    return float(np.mean(found))


def demoire(report, data: Path, device: str, before: dict) -> None:
    """DM-Net on screens that the moire simulator photographs; mean PSNR of other screens, beside that of their captures."""
    target, small, values = device_of(device), device == "cpu", params.load(ROOT / "params.yaml")
    entry = override(values.pairs["demoire"], {"clean": "screens", "patches": 64 if small else 3000, "size": 128}, "bench")
    settings = settings_of(small, before, loss="mse", patch=32 if small else 96, compile=False)  # which takes most of a minute
    screens = [*images_of(data / "clean/screens", 2 * FEW if small else None).items()]
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # synthesize works in the project's folder
        try:
            for split, part in (("train", screens[VALIDATION:]), ("val", screens[:VALIDATION]), ("test", [])):
                write_shard(Path("data/sets/screens", split), dict(part))
            synthesize("demoire", entry, values.recipes[entry.recipe], 1)
            shards = {split: [Shard(Path("data/pairs/demoire", side, split)) for side in ("inputs", "targets")]
                      for split in ("train", "val")}
            crops = Crops([(shard, 1) for shard in shards["train"]], settings.patch, settings.batch, 1, "bench/demoire")
            network = build("dmnet", DMNET | (SMALL_DMNET if small else {}))
            network = trained(Supervised(settings, network, crops, None, target), report)
            model = model_of(network)
            ours, inputs = (float(np.mean([psnr(change(image), truth) for image, truth in zip(*shards["val"])]))
                            for change in (lambda image: restore(model, image), np.asarray))
        finally:
            os.chdir(here)
    report("screens", {"psnr": ours, "input_psnr": inputs}, 
           f"{VALIDATION} other screens: PSNR {ours:.2f} dB, their captures {inputs:.2f}")
