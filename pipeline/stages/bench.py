"""Score networks on the test sets of their task.

    python -m pipeline.stages.bench systems KEY   stage 1 with its controls, KEY-gan and KEY-stage2
    python -m pipeline.stages.bench rows KEY      one network, or the input, enlarged by bicubic, with its controls

data/blind has what of data/bench the choice of a network may see, metrics/images a line per image, data/crops pictures for the
report. Outputs are rounded to 8 bits, kept in .work while they are scored, and read one at a time.
"""
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.core.device import pick
from pipeline.core.edge import run_stage
from pipeline.core.files import need_space, write_json
from pipeline.core.graph import Graph, TableRow, graph
from pipeline.core.params import load
from pipeline.core.progress import track
from pipeline.core.seeds import rng
from pipeline.degrade.bicubic import resize_uint8
from pipeline.images.shards import Shard, ShardWriter
from pipeline.images.test_sets import FAR, test_images
from pipeline.report.crops import SceneCrops
from pipeline.restore.manifest import AbsentNetwork, leaves, read_manifest, tree_of
from pipeline.restore.named import built
from pipeline.restore.tiles import restore
from pipeline.score.control import blurred, match_tone, mix_with_input, set_tone, sharpened
from pipeline.score.cost import training_flop
from pipeline.score.names import CHOICE_SET, CONTROL_SETS, TEST_SETS, Control, control_rows, input_control_rows
from pipeline.score.registry import asked_for, check_metric
from pipeline.score.score import Result, Scorer
from pipeline.score.strength import strength_curves

MODELS, TRUNKS = Path("models"), Path("data/trunks")

Restorer = Callable[[np.ndarray], np.ndarray]  # uint8 HWC -> uint8 HWC


def eligible(lineage: Graph, rows: list[TableRow]) -> list[str]:
    """The rows among which a network may be chosen: no input, no control and no oracle."""
    return [row.name for row in rows
            if row.chain and not {lineage.nodes[name].kind for name in lineage.members(row.network)} & {"gan", "oracle"}]


def kept(network: str) -> Path | None:
    """The folder of a row's outputs, by test set, where no network could make them anew: an entry of zssr."""
    folder = MODELS / network / "outputs"
    return folder if folder.is_dir() else None


def restorer(network: str, scale: int, device) -> tuple[Restorer | None, int]:
    """A row as a function, None where its outputs are kept, and its number of weights. Raises AbsentNetwork."""
    if network == "none":
        return lambda image: resize_uint8(image, scale * image.shape[0], scale * image.shape[1]), 0
    if kept(network):
        return None, read_manifest(MODELS / network)["parameters"]
    tree = tree_of(network, MODELS)
    model = built(tree, MODELS, device, {})
    weights = sum(read_manifest(MODELS / name)["parameters"] for name in dict.fromkeys(leaves(tree)))  # once if there twice
    return lambda image: restore(model, image), weights


def scale_of_tests(folder: Path) -> int:
    """How many times larger the truth is than the input, from the first test set that has both; 1 when none has."""
    for name in TEST_SETS:
        inputs, targets = (test_images(folder, side, name) for side in ("inputs", "targets"))
        if len(inputs) and len(targets):
            return targets.images[0]["height"] // inputs.images[0]["height"]
    return 1


def restore_shard(process: Restorer, inputs: Shard, folder: Path, what: str) -> Shard:
    """The outputs for a whole test set, as a shard in `folder`."""
    with ShardWriter(folder) as writer:
        for entry, image in track(zip(inputs.images, inputs), what, len(inputs)):
            writer.add(entry["name"], entry["scene"], process(image))
    return Shard(folder)


def kept_shard(folder: Path, inputs: Shard) -> Shard:
    """The outputs that a row keeps. Raises ValueError when they are of other images."""
    outputs = Shard(folder)
    if not outputs.absent and outputs.names != inputs.names:
        raise ValueError(f"{outputs.folder} holds other images than {inputs.folder}")
    return outputs


def controlled(inputs: Shard, outputs: Shard, clean: Shard, folder: Path, row: str, control: Control, seed: int) -> Shard:
    """The outputs after a control; `clean` are images whose tone they may be given."""
    tones = (set_tone(outputs), set_tone(clean)) if control.tone else ()
    with ShardWriter(folder) as writer:
        for i, (entry, degraded, image) in enumerate(zip(outputs.images, inputs, outputs)):
            image = mix_with_input(image, degraded, control.input) if control.input else image
            image = blurred(image, control.blur) if control.blur else image
            image = match_tone(image, *tones) if control.tone else image
            writer.add(entry["name"], entry["scene"],
                       sharpened(image, control.sharpen, control.noise, rng(seed, f"bench/{row}", i)))
    return Shard(folder)


def check_sizes(outputs: Shard, targets: Shard, row: str) -> None:
    """Raise ValueError unless each output has the size of its truth, where there is one."""
    for ours, theirs in zip(outputs.images, targets.images):
        if (ours["height"], ours["width"]) != (theirs["height"], theirs["width"]):
            raise ValueError(f"{row} makes {ours['width']}x{ours['height']} pixels of {ours['name']!r}, its truth has "
                             f"{theirs['width']}x{theirs['height']}")


def bench(lineage: Graph, key: str, rows: list[TableRow], tests: Path,
          work: Path) -> tuple[Result, dict[str, int], SceneCrops, dict[str, dict]]:
    """The scores of an entry's rows, the number of weights behind each row, crops of what was scored, and what rows of networks
    score at other strengths, on captures with truth."""
    strengths: dict[str, dict] = {}
    params, result, parameters, scale = lineage.params, Result(), {}, scale_of_tests(tests)
    device = pick(params.threads)
    reference, crops = Shard(tests / "reference"), SceneCrops(tests, scale, params.bench.seed)
    entry = params.tests[tests.name]
    for name in entry.metrics:
        check_metric(f"tests.{tests.name}.metrics", name, asked_for())
    scorer = Scorer(params.bench, reference, TRUNKS, device, entry.metrics, params.threads)
    start = params.systems[key].start if key in params.systems else None
    for row, network in ((row.name, row.network) for row in rows):
        try:
            process, weights = restorer(network, scale, device)
        except AbsentNetwork as reason:
            result.miss(row, "*", "*", str(reason))
            continue
        controls = input_control_rows(row, entry) if network == "none" else {}
        if row == start:
            controls = control_rows(row, params.bench, entry)
        for name in [name for name, control in controls.items() if control.tone and reference.absent]:
            result.miss(name, "*", "*", f"no clean reference: {reference.absent}")
            del controls[name]
        parameters |= dict.fromkeys([row, *controls], weights)
        for test_set in [name for name in TEST_SETS if name != FAR or tests.name in params.far]:
            inputs, targets = (test_images(tests, side, test_set) for side in ("inputs", "targets"))
            if inputs.absent:
                result.miss(row, test_set, "*", inputs.absent)
                continue
            pixels = scale**2 * sum(image["height"] * image["width"] for image in inputs.images)
            need_space(work, 6 * pixels, f"bench of {row}")  # the outputs and a control of them
            outputs = restore_shard(process, inputs, work / "outputs", f"{row}: {test_set}, restoring") if process else \
                kept_shard(kept(network) / test_set, inputs)
            if outputs.absent:
                result.miss(row, test_set, "*", outputs.absent)
                continue
            check_sizes(outputs, targets, row)
            scorer.score(result, row, test_set, inputs, outputs, targets)
            crops.take(row, test_set, outputs)
            if test_set == "captures" and network != "none" and not targets.absent:
                strengths[row] = strength_curves(scorer, inputs, outputs, targets)
            for name, control in controls.items() if test_set in CONTROL_SETS else ():
                changed = controlled(inputs, outputs, reference, work / "control", name, control, params.bench.seed)
                scorer.score(result, name, test_set, inputs, changed, targets)
                crops.take(name, test_set, changed)
    return result, parameters, crops, strengths


def counts(tests: Path) -> dict[str, dict[str, int]]:
    """Images and scenes of each test set and of the reference."""
    shards = {name: test_images(tests, "inputs", name) for name in TEST_SETS} | {"reference": Shard(tests / "reference")}
    return {name: {"images": len(shard), "scenes": len(set(shard.scenes))} for name, shard in shards.items()}


def main(kind: str, key: str) -> None:
    work = Path(".work/bench", key)
    try:
        lineage = graph(params := load())
        entry = params.entry(kind, key)
        task = entry.task
        tests = Path("data/tests", task if kind == "systems" else entry.tests)
        rows = [row for row in lineage.rows(task) if row.key == key]
        result, parameters, crops, strengths = bench(lineage, key, rows, tests, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    chains = {row.name: [*row.chain] for row in rows if row.chain and row.name in parameters}
    members = {name for chain in chains.values() for link in chain for name in lineage.members(link)}
    manifests = {name: read_manifest(MODELS / name) for name in sorted(members)}
    write_json(Path("data/bench", task, f"{key}.json"), {
        "rows": result.rows, "absent": result.absent, "counts": counts(tests), "parameters": parameters, "networks": chains,
        # floating-point operations of a training step per pixel of its input
        "flop": {name: training_flop(manifest["arch"], manifest["options"]) for name, manifest in manifests.items()},
        # of entries of zssr: steps, and pixels of their patches, that learning from an image takes on average
        "per_image": {name: manifest["per_image"] for name, manifest in manifests.items() if kept(name)},
        "manifests": manifests, "strengths": strengths})
    blind = result.without_truth(eligible(lineage, rows), CHOICE_SET)
    write_json(Path("data/blind", task, f"{key}.json"), blind | {"counts": counts(tests)[CHOICE_SET]})
    result.write_images(Path("metrics/images", f"{key}.csv"))
    crops.write(Path("data/crops", task, key))


if __name__ == "__main__":
    run_stage(main)
