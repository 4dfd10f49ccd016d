"""Degrade clean images into training pairs: `python -m pipeline.stages.synthesize KEY`, an entry of `pairs` in params.

Beside the shards of data/pairs/KEY it writes inputs/<split>/draws.json: for each pair, where its target was cut and what was
drawn. A random crop is of an image chosen with a probability proportional to its area. Validation and test images stay whole;
under a recipe of kind moire such a pair shows as much of its image as fits into the recipe's `whole` pixels.

Pair i of a split depends on (seed, KEY, split, i) and the clean images alone: it can be made again by itself
(`degrade.pairs.make_pair`), and the number of worker processes changes nothing.
"""
from pathlib import Path

import joblib
import numpy as np

from pipeline.core.edge import run_stage
from pipeline.core.files import need_space, read_json, write_json
from pipeline.core.params import load
from pipeline.core.progress import track
from pipeline.core.reading import read_yaml
from pipeline.core.recipes import Random, Recipe
from pipeline.core.sources import Pairs
from pipeline.degrade.calibrate import Estimate, Measured
from pipeline.degrade.pairs import is_cropped, make_pairs
from pipeline.degrade.recipe import hidden_camera
from pipeline.degrade.transfer_estimate import Transfer
from pipeline.images.shards import Shard, ShardWriter, write_absent

DATA = Path("data")
SPLITS = ("train", "val", "test")
IN_FLIGHT = 2**25  # pixels of targets between two waits for the workers: bounds the finished pairs held in memory
PER_WORKER = 2**24  # pixels of targets that are worth the second it takes to start one more worker


def check_split(shard: Shard, entry: Pairs, key: str, split: str) -> None:
    """Raise ValueError when pairs cannot be made of this split."""
    if shard.dtype != np.uint8:
        raise ValueError(f"sets.{entry.clean}: {split} holds {shard.dtype} images, wanted uint8")
    sides = [min(image["height"], image["width"]) for image in shard.images]
    if is_cropped(entry, split):
        if max(sides, default=0) < entry.size:
            raise ValueError(f"pairs.{key}.size: no {split} image of sets.{entry.clean} holds a crop of "
                             f"{entry.size}x{entry.size} pixels (there are {len(sides)} images)")
    elif sides and min(sides) < entry.step:
        name = shard.names[int(np.argmin(sides))]
        raise ValueError(f"pairs.{key}.scale: image {name!r} of sets.{entry.clean} is {min(sides)} pixels across, "
                         f"too small to be divided by {entry.step}")


def synthesize_split(clean: Path, output: Path, entry: Pairs, recipe: Recipe, camera: Measured | None, seed: int, key: str,
                     split: str, jobs: int | None) -> dict:
    """Write both shards of one split and the draws; returns its part of the manifest. `jobs` None: as many as pay."""
    shard = Shard(clean)
    if shard.absent:
        for side in ("inputs", "targets"):
            write_absent(output / side / split, shard.absent)
        return {"absent": shard.absent}
    check_split(shard, entry, key, split)
    sizes = [image["height"] * image["width"] for image in shard.images]
    count, pixels = len(shard), sum(sizes)
    if is_cropped(entry, split):
        count, pixels = entry.patches, entry.patches * entry.size**2
    elif recipe.kind == "moire":
        pixels = count * recipe.whole**2
    need_space(output, int(3 * pixels * (1 + 1 / entry.scale**2)), f"pairs.{key}")
    jobs = jobs or min(joblib.cpu_count(), 1 + pixels // PER_WORKER)
    slab = max(2 * jobs, IN_FLIGHT * count // max(pixels, 1))
    draws = []
    with ShardWriter(output / "inputs" / split) as inputs, ShardWriter(output / "targets" / split) as targets:
        made = make_pairs(jobs, count, slab, clean.resolve(), entry, recipe, camera, seed, key, split)
        for index, (image, target, place) in enumerate(track(made, f"{key}: degrading {split}", count)):
            source = shard.images[place["image"]]
            name = f"{source['name']}_{index:05d}" if is_cropped(entry, split) else source["name"]
            inputs.add(name, source["scene"], image)
            targets.add(name, source["scene"], target)
            draws.append(place | {"name": name, "image": source["name"]})
    write_json(output / "inputs" / split / "draws.json", draws)
    left_out = sum(min(image["height"], image["width"]) < entry.size for image in shard.images)
    left_out *= is_cropped(entry, split)
    return {"pairs": count, "images": len(shard) - left_out, "scenes": len(set(shard.scenes)), "clean": shard.sha256,
            "images_smaller_than_a_crop": left_out}


def synthesize(key: str, entry: Pairs, recipe: Recipe, seed: int, jobs: int | None = None) -> dict[str, dict]:
    """Make all pairs of the entry `pairs.key`; returns the manifest's word on each split."""
    clean, output = DATA / "sets" / entry.clean, DATA / "pairs" / key
    camera = measured(entry.calibration, recipe) if recipe.calibrated else None
    splits = {split: synthesize_split(clean / split, output, entry, recipe, camera, seed, key, split, jobs)
              for split in SPLITS}
    made = {"pairs": entry.model_dump(), "recipe": recipe.model_dump(mode="json"), "seed": seed, "splits": splits}
    if recipe.kind == "unknown":
        made["camera"] = hidden_camera(recipe)
    for side in ("inputs", "targets"):
        write_json(output / side / "manifest.json", made)
    return splits


def measured(calibration: str, recipe: Recipe) -> Measured:
    """What is known of a camera. Raises ValueError, with the reason, where the recipe needs what could not be estimated."""
    folder = DATA / "calibrations" / calibration
    transfer = Transfer(**read_json(folder / "transfer.json"))
    if transfer.refused and recipe.kind != "calibrated":
        raise ValueError(f"calibrations.{calibration}: {transfer.in_words()}. A recipe of kind updown with `factors` of "
                         "its own, such as [2, 2.5, 3], needs no estimate: `calibration: none`")
    return Measured(Estimate(**read_json(folder / "estimate.json")), transfer)


def narrowed(fit: str, recipe: Random) -> Random:
    """The recipe with the ranges of an entry of fits. Raises ValueError, with the reason, where these were refused."""
    path = DATA / "calibrations" / fit / "ranges.yaml"
    found = read_yaml(path)
    if found["refused"]:
        raise ValueError(f"fits.{fit}: {found['refused']}. `calibration: none` takes the recipe's own ranges")
    return Random.model_validate(recipe.model_dump() | found["ranges"])


def main(key: str) -> None:
    params = load()
    entry = params.entry("pairs", key)
    recipe = params.recipes[entry.recipe]
    if entry.calibration in params.fits:
        recipe = narrowed(entry.calibration, recipe)
    splits = synthesize(key, entry, recipe, params.seed)
    counts = ", ".join(f"{made.get('pairs', 'no')} {split}" for split, made in splits.items())
    print(f"synthesize@{key}: {counts} pairs")


if __name__ == "__main__":
    run_stage(main)
