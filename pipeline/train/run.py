"""From shards to a network on disk: what stage 1, stage 2, the oracle and further rounds have in common."""
import time
from contextlib import nullcontext
from pathlib import Path

import torch

from pipeline.core.device import pick
from pipeline.core.files import sha256, sha256_of, write_json
from pipeline.core.seeds import torch_seed
from pipeline.core.settings import Stage2, Training
from pipeline.images.shards import Shard, check_pairing
from pipeline.nets.build import build
from pipeline.nets.catalogue import code_of
from pipeline.restore.manifest import AbsentNetwork, read_manifest, save_absent
from pipeline.restore.network import load_network, save_network
from pipeline.train import ranks
from pipeline.train.checkpoint import Checkpoint, only_one, work_folder
from pipeline.train.crops import Crops
from pipeline.train.curves import write_curve
from pipeline.train.loop import Data, Diverged, train

VAL_CROPS = 64


def run(name: str, settings: Training, seed: int, threads: int, inputs: str, targets: str, *, adversary=None,
        clean: str | None = None, start: str | None = None, arch: str | None = None, options: dict | None = None,
        content=None) -> None:
    """Train the network `name` and write it to models/ and its curve to metrics/curves/<name>.csv.

    `inputs` and `targets` are sets below data/, `clean` one below data/sets; it begins from the network `start`, or anew from
    `arch` and `options`. `content`, a train.srgan.Content, is in place of the distance to the targets. When something is absent
    (captures without truth), the network is written as absent, with the reason.

    With GPUS=n in the environment n processes train (train/ranks.py), and under torchrun as many as it says.
    """
    shards = {side: {split: Shard(Path("data", path, split)) for split in ("train", "val")}
              for side, path in (("inputs", inputs), ("targets", targets))}
    for side in shards.values():
        if side["train"].absent:
            return absent(name, side["train"].absent)
    scale = check_pairing(shards["inputs"]["train"], shards["targets"]["train"], None, f"data/{inputs}", f"data/{targets}")
    if start:
        try:
            manifest = read_manifest(Path("models", start))
        except AbsentNetwork as reason:
            return absent(name, f"{start} is absent: {reason}")
        arch, options = manifest["arch"], manifest["options"]
        network = load_network(Path("models", start), trainable=True)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_seed(seed, f"{name}/weights"))
            network = build(arch, options)
    if network.scale != scale:
        raise ValueError(f"{name}: {arch} enlarges {network.scale} times, but data/{targets} is {scale} times data/{inputs}")

    adversarial = isinstance(settings, Stage2) and settings.lambda_ > 0
    unpaired = Shard(Path("data/sets", clean, "train")) if adversarial else None
    if adversarial and unpaired.absent:
        return absent(name, unpaired.absent)
    processes = ranks.wanted()
    if settings.batch % processes:
        raise ValueError(f"{name}: {processes} processes cannot share a batch of {settings.batch} evenly")
    if ranks.to_launch():
        return ranks.launch(threads)
    ranks.join()
    begun = {key: value.clone() for key, value in network.state_dict().items()}
    device = pick(threads)
    told = settings.model_dump(by_alias=True, exclude=None if settings.compile else {"compile"})  # false changes nothing
    made = {"seed": seed, "threads": threads, "settings": told, "start": start,
            "start_weights": manifest["weights"] if start else None, "inputs": shards["inputs"]["train"].sha256,
            "targets": shards["targets"]["train"].sha256, "clean": unpaired.sha256 if unpaired else None}
    if processes > 1:
        made["processes"] = processes  # sums are rounded differently, as with other threads
    if content:
        made["content"] = content.made
        content.to(device)
    fingerprint = sha256_of([made, options, device.type, torch.__version__, _code(arch),
                             shards["inputs"]["val"].sha256, shards["targets"]["val"].sha256])
    first = ranks.first()
    with only_one(name) if first else nullcontext():
        checkpoint = Checkpoint(work_folder() / name / fingerprint[:16])
        data = Data(Crops([(shards["inputs"]["train"], 1), (shards["targets"]["train"], scale)], settings.patch,
                          settings.batch, seed, f"{name}/crops", ranks.part()),
                    _validation(shards, scale, settings.patch, seed))
        opponent = None
        if adversarial:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(torch_seed(seed, f"{name}/discriminator"))
                patches = Crops([(unpaired, 1)], settings.patch * scale, settings.batch, seed, f"{name}/clean", ranks.part())
                opponent = adversary(settings, patches, device)
        started = time.monotonic()
        try:
            curve = train(network, settings, data, opponent, checkpoint, device, name, content)
            ranks.leave()
            if not first:
                return
            if isinstance(settings, Stage2):
                blend(network, begun, settings.blend)
            save_network(Path("models", name), network, arch, options, made)
        except (Diverged, ValueError) as error:
            raise SystemExit(str(error)) from error
        write_curve(Path("metrics/curves", f"{name}.csv"), curve)
        seconds = round(time.monotonic() - started, 1)
        write_json(work_folder() / "times" / f"{name}.json", {"device": device.type, "seconds": seconds})
        checkpoint.remove()


@torch.no_grad()
def blend(network, begun: dict, share: float) -> None:
    """Move the weights to begun + share * (trained - begun): network interpolation (Wang et al., "ESRGAN", 2018, eq. 4).

    Less of what training changed, for the cost of nothing: stage 2's perception against stage 1's fidelity.
    """
    for key, value in network.state_dict().items():
        if share < 1 and value.is_floating_point():
            value.copy_(torch.lerp(begun[key].to(value.device), value, share))


def absent(name: str, reason: str) -> None:
    """Write the network `name` as one that could not be trained."""
    save_absent(Path("models", name), reason)
    write_curve(Path("metrics/curves", f"{name}.csv"), [])
    print(f"{name}: not trained: {reason}", flush=True)


def _validation(shards: dict, scale: int, patch: int, seed: int) -> Crops | None:
    inputs, targets = shards["inputs"]["val"], shards["targets"]["val"]
    if not len(inputs):
        return None
    check_pairing(inputs, targets, scale, str(inputs.folder), str(targets.folder))
    return Crops([(inputs, 1), (targets, scale)], patch, VAL_CROPS, seed, "validation crops")


def _code(arch: str) -> list[str]:
    """Hashes of the files that decide how a step is computed: a checkpoint of other code is not resumed."""
    return [sha256(path) for path in [*sorted(Path(__file__).parent.glob("*.py"))]] + [code_of(arch)]
