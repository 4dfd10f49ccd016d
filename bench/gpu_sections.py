"""The sections of bench/gpu.py that measure. Each is given a report, the folder of images, the device's name and what sections
before it found."""
import os
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.restore import peak, photo_of
from bench.train import ROOT, compare, write_images
from pipeline.core import params
from pipeline.core.device import pick
from pipeline.core.model import override
from pipeline.nets.build import build
from pipeline.restore.memory import tile_for
from pipeline.restore.model import in_bf16, model_of
from pipeline.restore.tiles import restore_into
from pipeline.train.speed import time_steps

EDSR = {"scale": 4, "blocks": 16, "features": 64}  # the baseline of its authors
SMALL = {"blocks": 2, "features": 16}  # what a CPU takes in its place
SIZES = {False: {"batch": 16, "patch": 48}, True: {"batch": 4, "patch": 16}}
AT_MOST = 1.05  # times the bare step


def device_of(name: str) -> torch.device:
    """One thread of a CPU: it is there to see that all runs, and several wait for each other where others take the cores."""
    return pick(1 if name == "cpu" else params.load(ROOT / "params.yaml").threads, name)


def tests(report, data: Path, device: str, before: dict) -> None:
    """The tests marked gpu, and by how much each found the device to differ from the CPU, where it says so."""
    os.environ["RESTAGE_GPU_TESTS"] = device_of(device).type
    files = sorted(str(path) for path in (ROOT / "tests").rglob("test_*.py") if "pytest.mark.gpu" in path.read_text())
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results.xml")
        code = pytest.main(["-q", "-m", "gpu", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "--tb=short",
                            "-o", "junit_family=xunit1", f"--junitxml={results}", *files])
        cases = [*xml.parse(results).iter("testcase")]
    outcomes = {"passed": [], "failure": [], "error": [], "skipped": []}
    for case in cases:
        kind = next((child.tag for child in case if child.tag in outcomes), "passed")
        outcomes[kind].append(f"{case.get('classname')}::{case.get('name')}")
    report("outcomes", outcomes, ", ".join(f"{len(names)} {kind}" for kind, names in outcomes.items()))
    apart = {case.get("name"): float(found.get("value")) for case in cases for found in case.iter("property")}
    most = [f"{name} {apart[name]:.2g}" for name in sorted(apart, key=apart.get, reverse=True)[:5]]
    report("differences", apart, f"the largest differences from the CPU, or of a resumed training: {', '.join(most)}")
    if code or not outcomes["passed"]:
        raise AssertionError(f"pytest ended with {code}: {', '.join(outcomes['failure'] + outcomes['error'])}")


def loop(report, data: Path, device: str, before: dict) -> None:
    """A step of the training loop as a multiple of the bare one, and that one's share of a product of matrices."""
    target, small = device_of(device), device == "cpu"
    changes = SIZES[small] | {"validate_every": 10**6, "schedule": "constant"}
    with tempfile.TemporaryDirectory() as folder:
        shards = write_images(Path(folder), png=False)
        for case, precision in (("edsr", "fp32"), ("edsr", "bf16"), ("gan", "bf16"), ("dmnet", "bf16")):
            found = compare(case, small, shards, changes | {"precision": precision}, 2 if small else 5, target)
            times = found["ours_over_bare"]
            report(f"{case} {precision}", found | {"met": bool(times <= AT_MOST)},
                   f"{case} in {precision}: {times:.3f} times the bare step, where at most {AT_MOST} is wanted; "
                   f"{found['share_of_product']:.0%} of a matrix product")


def speed(report, data: Path, device: str, before: dict) -> None:
    """Which settings train EDSR fastest, as `python -m pipeline speed` finds it. torch.compile is tried on a GPU alone."""
    target, small = device_of(device), device == "cpu"
    settings = params.load(ROOT / "params.yaml").stage1
    settings = override(settings, SIZES[small], "bench")
    times = time_steps("edsr", EDSR | (SMALL if small else {}), settings, target, 3 if small else 20, compile=not small)
    for variant, ms in sorted(times.items(), key=lambda item: item[1]):
        name = ", ".join(f"{key} {str(value).lower()}" for key, value in variant)
        report(name, ms, f"{ms:8.2f} ms  {name}")
    fastest = dict(min(times, key=times.get))
    report("fastest", fastest, f"fastest: {fastest}")


def restore(report, data: Path, device: str, before: dict) -> None:
    """Photos of 12 and 48 megapixels enlarged twice by EDSR: seconds, and the most memory of the GPU and of the process."""
    target, small = device_of(device), device == "cpu"
    for megapixels in (0.05, 0.2) if small else (12, 48):
        photo = photo_of(megapixels)
        output = np.zeros((2 * photo.shape[0], 2 * photo.shape[1], 3), np.uint8)
        for precision in ("fp32", "bf16"):
            torch.manual_seed(0)
            network = build("edsr", EDSR | (SMALL if small else {}) | {"scale": 2}).to(target).eval().requires_grad_(False)
            model = in_bf16(model_of(network)) if precision == "bf16" else model_of(network)
            tile = tile_for(model)
            restore_into(output[:128, :128], model, photo[:64, :64])  # what a device does the first time
            if not small:
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            used = restore_into(output, model, photo, tile, halve=True)
            spent = time.perf_counter() - start
            memory = {"process": peak() / 1e9} | ({} if small else {"gpu": torch.cuda.max_memory_reserved() / 1e9})
            name = f"{megapixels} megapixels in {precision}"
            report(name, {"seconds": spent, "tile": used, "gigabytes": memory},
                   f"{name}: {spent:.1f} s, tiles of {used}, most memory: "
                   + ", ".join(f"{place} {size:.1f} GB" for place, size in memory.items()))
