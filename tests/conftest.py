import atexit
import os
import pickle
import shutil
from functools import cache
from pathlib import Path

import browser
import numpy as np
import pytest
import warm
import yaml
from clone import build
from filelock import FileLock

from pipeline.core.presets import merge
from pipeline.core.reading import read_yaml
from pipeline.images.shards import ShardWriter

ROOT = Path(__file__).parent.parent
os.fsync = lambda file: None  # no test cuts the power, and many would wait for the disk more than anything else
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same values eight times as fast; tests read much
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
REAL = ("benchmarks/Set5/HR", "benchmarks/Set5/LR_bicubic", "benchmarks/Set14/HR", "weights/lpips-check")


def pytest_configure(config):
    """With -n the processes of the tests share a server of warm ones, which imports while they begin."""
    if hasattr(config, "workerinput"):  # of pytest-xdist
        atexit.register(os._exit, 0)  # the last of all: to take apart what was imported would take seconds
    elif config.getoption("numprocesses", None):
        config.warm = warm.share()


def pytest_collection_modifyitems(items):
    """The slow files first, so that two processes end at about the same time.

    The two files that share a clone do not begin together: the second would wait while the first makes it. Files that wait for
    other processes, such as test_cluster.py, run beside files that compute, such as test_published.py.
    """
    first = ("test_pipeline.py", "test_ranks.py", "test_resume.py", "test_graphs.py", "test_resilience.py", "test_published.py",
             "test_cluster.py", "test_repro.py", "test_transfer.py", "test_export.py", "test_extend.py", "test_likeness.py",
             "test_bench.py", "test_training.py", "test_cost.py", "test_check.py", "test_app_command.py", "test_tiles.py")
    items.sort(key=lambda item: first.index(item.path.name) if item.path.name in first else len(first))


@cache
def with_presets(*presets: str) -> str:
    """The text of params.yaml with these presets merged in, one after the other."""
    if not presets:
        return (ROOT / "params.yaml").read_text()
    return merge(with_presets(*presets[:-1]), (ROOT / "presets" / f"{presets[-1]}.yaml").read_text())


def params_with_all_systems() -> dict:
    """The values of params.yaml with the systems of super-resolution that the preset all has beside them, to change."""
    return pickle.loads(_with_all_systems())


@cache
def _with_all_systems() -> bytes:
    values, preset = (yaml.safe_load((ROOT / name).read_text()) for name in ("params.yaml", "presets/all.yaml"))
    oracles = ("sr-edsr-bicubic-oracle", "sr-srresnet-oracle")
    for section, keys in {"networks": ("sr-srresnet",), "systems": ("sr-edsr-bicubic", "sr-srresnet"), "oracles": oracles,
                          "adabn": ("sr-srresnet-adabn",), "rows": ("sr-srresnet-adabn", *oracles)}.items():
        values[section] |= {key: preset[section][key] for key in keys}
    del values["rows"]["sr-edsr-bicubic"]
    return pickle.dumps(values)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The project reproduced and committed under the smoke preset, once for all processes of the tests; left as it is."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(base / "built.lock"):
        if not (base / "built").is_dir():
            build(ROOT, base / "restage")
            (base / "restage").rename(base / "built")
    return base / "built"


@pytest.fixture(scope="module")
def clone(built, tmp_path_factory) -> Path:
    """A copy of it for the tests of a module, which leave it as they found it."""
    return shutil.copytree(built, tmp_path_factory.mktemp("clone") / "restage", symlinks=True)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real images that RESTAGE_DATA names; the test is skipped when it is unset and fails when it is unusable."""
    folder = os.environ.get("RESTAGE_DATA")
    if not folder:
        pytest.skip("RESTAGE_DATA is unset: no folder of real images to test on")
    missing = [name for name in REAL if not (Path(folder) / name).is_dir()]
    assert not missing, f"RESTAGE_DATA={folder} holds no {missing[0]}"
    return Path(folder).resolve()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Chromium(browser.program(), tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def gpu(monkeypatch):
    """The device of tests marked gpu, which trainings take too; they are skipped where there is no CUDA. With
    RESTAGE_GPU_TESTS=cpu it is the CPU: that shows that the tests run, and nothing of a GPU."""
    import torch

    from pipeline.core.device import pick

    name = os.environ.get("RESTAGE_GPU_TESTS", "cuda")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    monkeypatch.setenv("RESTAGE_DEVICE", name)
    yield pick()
    torch.use_deterministic_algorithms(False)


def change(**sections) -> None:
    """Merge settings into sections of the params.yaml in the current folder."""
    values = read_yaml("params.yaml")
    for section, settings in sections.items():
        values[section] |= settings
    Path("params.yaml").write_text(yaml.dump(values, Dumper=DUMPER))


def smooth_image(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A uint8 RGB image with some structure: coarse noise enlarged, plus an edge."""
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3))
    image = np.kron(coarse, np.ones((8, 8, 1)))[:height, :width]
    image[:, width // 3] = 255 - image[:, width // 3]
    return image.astype(np.uint8)


def write_shard(folder: Path, images: dict[str, np.ndarray]) -> None:
    """A shard of uint8 or uint16 images by name; each is its own scene."""
    with ShardWriter(folder, str(next(iter(images.values())).dtype)) as writer:
        for name, image in images.items():
            writer.add(name, name, image)


@cache
def tiny_params() -> str:
    values = params_with_all_systems()
    for section, steps in (("stage1", 12), ("stage2", 8), ("supervised", 8)):
        values[section] |= {"steps": steps, "batch": 2, "patch": 12, "validate_every": 5}
    values["threads"] = 1
    for network in values["networks"].values():
        network["options"] = {"scale": 2, "blocks": 1, "features": 8}
    values["pairs"]["sr"]["scale"] = 2
    return yaml.dump(values, Dumper=DUMPER)


def make_tiny_project(folder: Path) -> Path:
    """Write a project with x2 pairs, captures, truth and clean images of odd sizes, ready for the training stages."""
    (folder / "params.yaml").write_text(tiny_params())
    rng = np.random.default_rng(3)
    for split, count in (("train", 3), ("val", 1)):
        small = {f"{split}{i}": smooth_image(rng, 21 + i, 33) for i in range(count)}
        large = {name: np.kron(image, np.ones((2, 2, 1), np.uint8)) for name, image in small.items()}
        for name, images in (("pairs/sr/inputs", small), ("pairs/sr/targets", large), ("sets/sr-captures", small),
                             ("sets/sr-truth", large), ("sets/clean", large)):
            write_shard(folder / "data" / name / split, images)
    return folder


@pytest.fixture
def tiny_project(tmp_path, monkeypatch) -> Path:
    """Such a project, in the current folder."""
    monkeypatch.chdir(make_tiny_project(tmp_path))
    return tmp_path
