"""docs/extend.md, followed to the letter in a project of its own: what it adds is one file and one entry each."""
import json
import re
import textwrap

import numpy as np
import yaml
from clone import ran, sh
from conftest import ROOT, smooth_image

from pipeline.images.encode import write_png

TEXT = (ROOT / "docs/extend.md").read_text()
CODE = re.findall(r"((?:^    .*\n|^\n)+)", TEXT, re.MULTILINE)
BLOCKS = [textwrap.dedent(text).strip() + "\n" for text in CODE if text.strip()]


def block(start: str) -> str:
    return next(text for text in BLOCKS if text.startswith(start))


def edit(file, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def test_what_the_document_adds_runs(clone, tmp_path):
    for text in BLOCKS:
        if path := re.match(r"# (pipeline/\S+\.py)\n", text):
            (clone / path[1]).write_text(text)
    registry, kinds, methods, recipes = (clone / "pipeline" / path for path in (
        "score/registry.py", "degrade/recipe.py", "train/methods/by_name.py", "core/recipes.py"))
    edit(registry, "\nMETRICS", "from pipeline.score.mae import MAE\n\nMETRICS")
    edit(registry, "for metric in (\n", "for metric in (\n    MAE,\n")
    edit(kinds, "KINDS = {", 'from pipeline.degrade.gamma import degrade_gamma\n\nKINDS = {"gamma": degrade_gamma, ')
    gamma = block("class Gamma(Degradation)").partition("\nRecipe")[0]
    edit(recipes, "Recipe = Annotated[", f"{gamma}\n\nRecipe = Annotated[Gamma | ")
    edit(methods, "METHODS = {",
         'from pipeline.train.methods.huber import Huber\n\nMETHODS = {"huber": Huber, ')
    values = yaml.safe_load((clone / "params.yaml").read_text())
    for text in (block("recipes:\n"), block("networks:\n"), block("finetunes:\n"), block("sets:\n")):
        for section, entries in yaml.safe_load(text.partition("\n\n")[0]).items():
            values[section] |= entries
    values["pairs"]["sr-dark"] |= {"patches": 6, "size": 64}
    values["networks"]["sr-plain"]["stage1"] = {"steps": 10}
    values["finetunes"]["sr-huber"]["overrides"] = {"steps": 5}
    for k in range(3):
        photo = smooth_image(np.random.default_rng(k), 24 + k, 31)
        write_png(tmp_path / f"other/{k}.png", photo)
        write_png(tmp_path / f"other/truth/{k}.png", photo.repeat(4, 0).repeat(4, 1))
    values["sets"]["sr-other"]["folder"] = str(tmp_path / "other")
    (clone / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))

    output = sh("dvc repro synthesize@sr-dark finetune@sr-huber bench@sr-plain", clone)
    assert {"synthesize@sr-dark", "stage1@sr-plain", "finetune@sr-huber", "far@sr", "bench@sr-plain"} <= ran(output)
    assert "stage1@sr-edsr" not in ran(output)  # what is there already is not trained again
    draws = json.loads((clone / "data/pairs/sr-dark/inputs/train/draws.json").read_text())
    assert len(draws) == 6 and all(1.2 <= draw["gamma"] <= 2.2 for draw in draws)
    scores = json.loads((clone / "data/bench/sr/sr-plain.json").read_text())["rows"]["sr-plain"]
    assert scores["captures"]["mae"] > 0 and scores["captures-far"]["psnr"] > 0
    sh("git checkout -q . && git clean -qfd pipeline && dvc checkout -q", clone)
