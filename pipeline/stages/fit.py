"""Narrow ranges of a recipe of kind random to captures without truth: `python -m pipeline.stages.fit KEY`, an entry of `fits`.

Writes data/calibrations/KEY/ranges.yaml, which pairs whose `calibration` is KEY are drawn from, and what to look at: the
diagnostics metrics/fits/KEY.json and the picture KEY.png. Where the captures are unlike anything simulated it says so, and no
pairs are made of it.
"""
from pathlib import Path

import numpy as np
import yaml

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import write, write_json
from pipeline.core.recipes import Random
from pipeline.core.sources import Fit
from pipeline.degrade.fit import Bank, Found, folds, ranges, search, told_apart
from pipeline.degrade.fit_bank import of_captures, side_of, simulate
from pipeline.images.shards import Shard
from pipeline.report.fit import draw_fit

SETS = Path("data/sets")
TRIED = 1000  # simulated crops that a classifier is given
HEAD = """\
# Ranges of recipes.{recipe}, narrowed to the captures of sets.{captures}. An entry of pairs is drawn from them by
# `calibration: {key}`. metrics/fits/{key}.json says how sure they are.
"""


def halves(bank: Bank, captures, recipe: Random, entry: Fit, seed: int) -> list[dict]:
    """The ranges by one half of the clean scenes and by the other: how much hangs on which scenes there were."""
    half = folds(bank.scenes, 2, seed)
    found = (search(bank.part(half == side), captures, recipe, entry.parameters, seed) for side in (0, 1))
    return [ranges(recipe, entry.parameters, one.ends) for one in found]


def auc(bank: Bank, captures, scenes, entry: Fit, narrowed: Random, side: int, seed: int, key: str) -> dict[str, float]:
    """How well captures are told from crops simulated by the recipe's own ranges, and by the narrowed ones."""
    clean = SETS / entry.clean / "train"
    after = simulate(clean, narrowed, (), entry.scale, side, TRIED, seed, f"fits/{key}/after")
    tried = {"before": bank.part(np.arange(min(TRIED, entry.crops))), "after": after}
    return {name: round(told_apart(crops, captures, scenes, seed), 3) for name, crops in tried.items()}


def numbers(found: Found, narrowed: dict, recipe: Random, entry: Fit, counts: dict) -> dict:
    """The diagnostics, as `dvc metrics` shows and compares them."""
    about = {name: {"r2": round(float(r2), 3), "own": list(recipe.ranges[name]), "narrowed": narrowed[name]}
             for name, r2 in zip(entry.parameters, found.r2)}
    return {"parameters": about, "effective_sample_size": round(found.ess, 1), "refused": found.refused} | counts


def main(key: str) -> None:
    p = params.load()
    entry, seed = p.entry("fits", key), p.seed
    recipe = p.recipes[entry.recipe]
    captures, clean = (Shard(SETS / name / "train") for name in (entry.captures, entry.clean))
    for name, shard in ((entry.captures, captures), (entry.clean, clean)):
        if not len(shard):
            raise ValueError(f"the set {name} has no train images to fit ranges to ({shard.absent or 'empty'})")
    side = side_of(captures, clean, entry.scale)
    described, scenes = of_captures(captures, side)
    bank = simulate(clean.folder, recipe, entry.parameters, entry.scale, side, entry.crops, seed, f"fits/{key}")
    found = search(bank, described, recipe, entry.parameters, seed)
    narrowed = ranges(recipe, entry.parameters, found.ends)
    both = halves(bank, described, recipe, entry, seed)
    after = Random.model_validate(recipe.model_dump() | narrowed)
    tried = auc(bank, described, scenes, entry, after, side, seed, key)
    told = numbers(found, narrowed, recipe, entry, {"auc": tried, "halves": both, "captures": len(described),
                                                    "crops": entry.crops, "side": side})
    values = yaml.safe_dump({"ranges": narrowed, "refused": found.refused}, sort_keys=False, default_flow_style=None)
    write(Path("data/calibrations", key, "ranges.yaml"),
          HEAD.format(recipe=entry.recipe, captures=entry.captures, key=key) + values)
    write_json(Path("metrics/fits", f"{key}.json"), told)
    draw_fit(told, Path("metrics/fits", f"{key}.png"), key)
    for name, one in told["parameters"].items():
        print(f"fit@{key}: {name}: {one['own']} -> {one['narrowed']} (R2 {one['r2']:.2f})")
    print(f"fit@{key}: " + (f"refused: {found.refused}" if found.refused else
                            f"{found.ess:.0f} simulated crops count for a capture; AUC {tried['before']} -> {tried['after']}"))


if __name__ == "__main__":
    run_stage(main)
