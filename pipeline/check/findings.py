"""Whether a run can start, what it will do, and what to repair first: `python -m pipeline check`."""
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from pipeline.core.files import fault_of
from pipeline.core.params import Params
from pipeline.core.sources import TRUTH, Set
from pipeline.images.decode import IMAGE_SUFFIXES, BadImage, read_size
from pipeline.images.find import find_images, has_truth, passed_over
from pipeline.images.splits import SplitError
from pipeline.images.video import VIDEO_SUFFIXES

BUILTIN = Path("data/builtin")
NONE = Path("data/none")
TRUNKS = {"alex": "alexnet_features.pth", "vgg": "vgg16_features.pth", "squeeze": "squeezenet1_1_features.pth"}
SAMPLED = 16  # files of a folder whose headers are read
SHOWN = 3  # leftovers that are named
COPIES = 2  # of what a stage writes: in the workspace and in DVC's cache, where the disk cannot link them
MEMORY = 2 * 2**30  # bytes
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # of NVIDIA, of WSL, of AMD
PLACES = ("data/sets/*", "data/contents/*", "data/pairs/*", "data/labels/*", "data/calibrations/*", "data/tests/*",
          "data/bench/*/*", "data/blind/*/*", "data/crops/*/*", "data/index/*", "models/*", "metrics/*.json",
          "metrics/calibrations/*", "metrics/fits/*", "metrics/curves/*", "metrics/images/*", "metrics/select/*",
          "metrics/tables/*")
"""Where the entries of params.yaml have outs of their own."""


class Finding(NamedTuple):
    level: str  # ok, note, or fix: what a run would stop at
    text: str


def folders(params: Params) -> Iterator[Finding]:
    """The folders of the sets and the files of the imports; those of the built-in data are made when they are needed."""
    for key, entry in params.sets.items():
        folder, where = Path(entry.folder), f"sets.{key}.folder"
        if folder == NONE or BUILTIN in folder.parents:
            continue
        if fault := fault_of(folder):
            yield Finding("fix", f"{where}: {fault}")
        else:
            yield images(entry, where)
    for key, entry in params.imports.items():
        if not Path(entry.file).is_file():
            yield Finding("fix", f"imports.{key}.file: {entry.file} is not there")


def images(entry: Set, where: str) -> Finding:
    """What ingestion would take from the folder of a set."""
    try:
        files, others = files_of(entry, where, IMAGE_SUFFIXES | (VIDEO_SUFFIXES if entry.video_every else set()))
    except SplitError as error:
        return Finding("fix", str(error))
    videos = len([path for path in files if path.suffix.lower() in VIDEO_SUFFIXES])
    words = f"{where}: {len(files) - videos} images{f' and {videos} videos' if videos else ''} in {entry.folder}"
    return Finding("ok", words + (f"; {passed_over(others)}" if others else ""))


def files_of(entry: Set, where: str, suffixes: set[str]) -> tuple[list[Path], list[str]]:
    """The files of a set with one of these endings, and the others. Raises SplitError as `find_images`."""
    files, others, _ = find_images(Path(entry.folder), where, suffixes, TRUTH if has_truth(entry) else "")
    return [Path(entry.folder, file) for file in files], others


def space(params: Params) -> int:
    """About how many bytes the sets of the user's folders and the patches of pairs take once they are decoded. Frames of
    videos, whose number takes long to find, and faces are not among them."""
    total = 0
    for entry in params.sets.values():
        folder = Path(entry.folder)
        if folder == NONE or BUILTIN in folder.parents or not folder.is_dir():
            continue
        found, sides = [], []
        with suppress(SplitError):  # the findings of `folders` name it
            found = [] if entry.faces else files_of(entry, "", IMAGE_SUFFIXES)[0]
        for path in found[:: max(1, len(found) // SAMPLED)]:
            try:
                sides.append(read_size(path, params.ingest.max_megapixels))
            except (BadImage, OSError):
                continue  # ingest names it
        pixels = len(found) * sum(height * width for height, width in sides) / max(1, len(sides))
        total += 3 * int(pixels) + 3 * entry.patches * entry.size**2
    return total + sum(3 * entry.patches * entry.size**2 * 2 for entry in params.pairs.values())


def machine(params: Params) -> Iterator[Finding]:
    """Disk, memory, cores."""
    free, wanted = shutil.disk_usage(".").free, COPIES * space(params)
    words = f"disk: {free / 2**30:,.1f} GiB free; the images of params.yaml need about {wanted / 2**30:,.1f} GiB"
    way_out = "cut large sets into `patches`, or use another disk"
    yield Finding("ok", words) if free > wanted else Finding("fix", f"{words}: {way_out}")
    there = psutil.virtual_memory().available
    words = f"memory: {there / 2**30:,.1f} GiB free"
    yield Finding("ok", words) if there > MEMORY else Finding("note", f"{words}; a training may need {MEMORY / 2**30:g} GiB")
    if params.threads > (cores := os.cpu_count() or 1):
        yield Finding("note", f"threads: {params.threads}, but there are {cores} cores")


def cut_off(wrong: str, level: str) -> Finding:
    """`wrong` is what `lockfile.damage` says of dvc.lock; it is a note where DVC can read the file all the same."""
    return Finding(level, f"dvc.lock is cut off, as after a kill: {wrong}. `python -m pipeline repro` repairs it. `git "
                          "checkout dvc.lock` takes the file of the last commit instead")


def trunks(params: Params, folder: Path = Path("data/trunks")) -> Iterator[Finding]:
    """The weights that LPIPS and SRGAN compare features of."""
    for net in params.bench.lpips:
        if not (folder / TRUNKS[net]).is_file():
            yield Finding("note", f"bench.lpips: LPIPS with {net} will not be computed, as {folder / TRUNKS[net]} is missing. "
                                  "`python -m pipeline fetch-trunks` downloads it")
    for key, entry in params.srgan.items():
        if not any(folder.glob(f"{entry.backbone}_*.pth")):
            yield Finding("note", f"srgan.{key}.backbone: it will not be trained, as {folder} holds no {entry.backbone}_*.pth")


def device() -> Finding:
    """What trainings run on; torch, which takes seconds to import, is asked only where there may be a GPU."""
    wanted = os.environ.get("RESTAGE_DEVICE")
    if wanted == "cpu":
        return Finding("ok", "device: the CPU, as RESTAGE_DEVICE says")
    if not wanted and sys.platform != "darwin" and not any(map(os.path.exists, DRIVERS)):
        return Finding("ok", "device: the CPU, as there is no GPU")
    import torch

    if torch.cuda.is_available():
        return Finding("ok", f"device: {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Finding("ok", "device: Apple's GPU, by MPS")
    words = f"torch {torch.__version__} sees no GPU"
    return Finding("fix", f"RESTAGE_DEVICE={wanted}: {words}") if wanted else Finding("note", f"device: the CPU, as {words}")


def what_will_run(stages: list[str], changed: set[str], times: dict[str, dict], trained: dict[str, str]) -> Finding:
    """What will run, and how long its trainings took when they last ran here. `stages` are those that would run, in their
    order, `changed` those among them that are not as dvc.lock says; `times` is network -> seconds, `trained` is stage -> the
    network that it trains."""
    if not stages:
        return Finding("ok", "nothing to run: every stage is up to date")
    words = f"will run, unless DVC's cache has the result: {grouped([stage for stage in stages if stage in changed])}"
    if after := grouped([stage for stage in stages if stage not in changed]):
        words += f"; and if these give another result than before: {after}"
    networks = [trained[stage] for stage in stages if stage in trained]
    known = [times[name]["seconds"] for name in networks if name in times]
    last = f"; {len(networks)} of these stages train a network, "
    last += (f"and {len(known)} took {sum(known) / 60:,.1f} minutes when they last ran here" if known else
             "none of which has run here yet, so the time is not known")
    return Finding("ok", words + (last if networks else ""))


def grouped(stages: list[str]) -> str:
    """The groups of stages, as in dvc.yaml, and how many of each."""
    counts = Counter(stage.partition("@")[0] for stage in stages)
    return ", ".join(group if count == 1 else f"{count} {group}" for group, count in counts.items())


def told(left: list[Path], deleted: bool) -> Finding:
    """One line about what `leftovers` found."""
    names = ", ".join(map(str, left[:SHOWN])) + (f" and {len(left) - SHOWN} more" if len(left) > SHOWN else "")
    return Finding("note", f"left from entries that params.yaml no longer has: {names}; "
                           + ("deleted" if deleted else "`python -m pipeline check --prune` deletes this"))


def leftovers(outs: set[Path]) -> list[Path]:
    """What lies where entries of params.yaml have their outs, and is none of theirs: of entries that are gone. `outs` are those
    of all stages. What stands for "none", and networks without a manifest, are let alone."""
    found = []
    for path in sorted(path for place in PLACES for path in Path().glob(place)):
        mine = path in outs or any(path in out.parents or out in path.parents for out in outs)
        if mine or path.name in ("none", "README.md") or path.name.startswith("."):
            continue
        if path.parent != Path("models") or (path / "manifest.json").is_file():
            found.append(path)
    return found
