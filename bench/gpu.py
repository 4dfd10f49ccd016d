"""What a GPU does with Restage: `python -m bench.gpu --data FOLDER [-o FILE]`, at most 8 minutes on one modern GPU.

FOLDER holds `clean/photos`, `clean/screens`, `benchmarks/Set5/HR` and `benchmarks/Set14/HR`. Each section has a process of its
own and a share of --seconds, after which it is ended. One that fails is reported, and the others go on; the exit status is 1
when any failed. DVC is not imported. `--device cpu --seconds 60` shows on small sizes that all of it runs.
"""
import argparse
import json
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
import traceback
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

SECTIONS = {  # name -> its function; what it is; its share of the time on a GPU, and on a CPU
    "tests": ("gpu_sections.tests", "tests marked gpu", 0.20, 0.45),
    "loop": ("gpu_sections.loop", "the training loop beside the bare step", 0.10, 0.15),
    "speed": ("gpu_sections.speed", "layouts, precisions and torch.compile", 0.12, 0.05),
    "restore": ("gpu_sections.restore", "large photos", 0.11, 0.08),
    "sr": ("gpu_train.sr", "EDSR x4 trained on photos", 0.30, 0.13),
    "demoire": ("gpu_train.demoire", "DM-Net trained on screens", 0.15, 0.12)}
NEEDED = {  # module -> the package that has it
    "torch": "torch", "numpy": "numpy", "scipy": "scipy", "cv2": "opencv-python-headless", "skimage": "scikit-image",
    "pydantic": "pydantic", "ruamel.yaml": "ruamel.yaml", "yaml": "pyyaml", "psutil": "psutil", "rich": "rich",
    "filelock": "filelock", "safetensors": "safetensors", "joblib": "joblib", "typer": "typer", "pytest": "pytest"}
OLDEST = {"Python": (3, 11), "torch": (2, 11)}


def missing() -> list[str]:
    """What has to be installed, in words; nothing when all is there."""
    absent = [package for module, package in NEEDED.items() if not _there(module)]
    found = [f"missing packages: {' '.join(absent)}"] if absent else []
    versions = {"Python": platform.python_version()} | ({} if "torch" in absent else {"torch": metadata.version("torch")})
    return found + [f"{name} {version} is older than {'.'.join(map(str, OLDEST[name]))}" for name, version in versions.items()
                    if tuple(map(int, version.split(".")[:2])) < OLDEST[name]]


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the module that it is part of
        return False


class Report:
    """The figures of a section: printed, and kept in a file as soon as they are known, should the section be ended."""

    def __init__(self, path: Path, seconds: float):
        self.path, self.figures, self.end = path, {}, time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the section is ended."""
        return self.end - time.monotonic()

    def __call__(self, name: str, value, words: str) -> None:
        self.figures[name] = value
        print(f"  {words}", flush=True)
        self.write()

    def write(self, error: str | None = None) -> None:
        self.path.write_text(json.dumps({"figures": self.figures} | ({"error": error} if error else {}), default=str))


def run_section(name: str, options: argparse.Namespace, seconds: float, before: dict, path: Path) -> None:
    """In a process of its own. `before`: the figures of the sections before it, by name."""
    if hasattr(os, "setsid"):
        os.setsid()  # so that what it starts can be ended with it
    os.environ["RESTAGE_DEVICE"] = options.device
    report, (module, _, function) = Report(path, seconds), SECTIONS[name][0].rpartition(".")
    report.write()
    try:
        getattr(import_module(f"bench.{module}"), function)(report, options.data.resolve(), options.device, before)
    except BaseException as error:
        report.write("".join(traceback.format_exception(error)[-8:]))
        raise SystemExit(1) from None


def measure(name: str, options: argparse.Namespace, before: dict, folder: Path) -> dict:
    """Run a section; `figures`, `seconds`, and `error` where it failed."""
    _, title, *shares = SECTIONS[name]
    limit, path = shares[options.device == "cpu"] * options.seconds, folder / f"{name}.json"
    print(f"{name}: {title}, at most {limit:.0f} s", flush=True)
    process = _processes().Process(target=run_section, args=(name, options, limit, before, path))
    process.start()  # the first one waits here until torch is imported
    began = time.monotonic()
    process.join(limit)
    if late := process.is_alive():
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.join()
    found = json.loads(path.read_text()) if path.is_file() else {"figures": {}}
    if late:
        found["error"] = f"ended after its {limit:.0f} s"
    elif process.exitcode and "error" not in found:
        found["error"] = f"its process ended with {process.exitcode}"
    found["seconds"] = round(time.monotonic() - began, 1)
    print(f"  {'FAILED: ' + found['error'] if 'error' in found else 'done'}, {found['seconds']} s", flush=True)
    return found


def _processes():
    """New ones begin with torch imported, as a fork of one that has; where there is no fork, they import it."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.gpu_sections", "bench.gpu_train"])
    return context


def machine(device: str) -> dict:
    """What the figures are of. Raises SystemExit when there is no such device."""
    import torch

    found = {"device": device, "python": platform.python_version(), "torch": torch.__version__, "cpus": os.cpu_count()}
    if device == "cpu":
        return found
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device; `--device cpu --seconds 60` shows on small sizes that all of it runs")
    about = torch.cuda.get_device_properties(0)
    return found | {"gpu": about.name, "gpu_memory_gb": round(about.total_memory / 1e9), "cuda": torch.version.cuda,
                    "cudnn": torch.backends.cudnn.version()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="of images, as above")
    parser.add_argument("-o", dest="output", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=480, help="for all sections together (480)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=[*SECTIONS], metavar="SECTION",
                        help=f"of {', '.join(SECTIONS)}; each keeps its share of the time")
    options = parser.parse_args()
    if words := missing():
        print("\n".join(words))
        return 1
    about, found = machine(options.device), {}
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    folder = Path(tempfile.mkdtemp())
    try:
        for name in [name for name in SECTIONS if name in options.only]:
            found[name] = measure(name, options, {name: section["figures"] for name, section in found.items()}, folder)
            if options.output:
                options.output.write_text(json.dumps({"machine": about, "sections": found}, indent=1) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = [name for name, section in found.items() if "error" in section]
    print(f"{len(found) - len(failed)} of {len(found)} sections done" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
