"""A tiny project whose scores, choices and crops the tests of the report write themselves."""
import csv
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml
from conftest import ROOT

from pipeline.core.files import write_json
from pipeline.degrade.transfer_estimate import Transfer
from pipeline.images.shards import ShardWriter, write_absent
from pipeline.report.crops import DETAIL, RANDOM
from pipeline.stages import page

SCENES_HERE = ("a", "b", 'c<i>"&', "d")
ENTRIES = {"sr-input": ["input"], "sr-edsr": ["sr-edsr", "sr-edsr+sharpen30", "sr-edsr-gan", "sr-edsr-stage2"],
           "sr-edsr-round2": ["sr-edsr-round2"], "sr-edsr-oracle": []}
ROWS = [row for rows in ENTRIES.values() for row in rows]
PSNR = {"input": 20.0, "sr-edsr": 21.0, "sr-edsr+sharpen30": 21.05, "sr-edsr-gan": 21.2, "sr-edsr-stage2": 21.4,
        "sr-edsr-round2": 20.8}
SPREAD = {"a": -0.06, "b": 0.02, 'c<i>"&': 0.05, "d": -0.01}  # what stage 2's PSNR differs by from its mean, scene by scene
TITLE = 'Sharper <b>"photos"</b> & more'


def psnr(row: str, scene: str) -> float:
    """Scenes differ much, and rows by about as much in all of them."""
    return PSNR[row] + 3 * SCENES_HERE.index(scene) + (SPREAD[scene] if row == "sr-edsr-stage2" else 0)


def picture(*seed: str) -> np.ndarray:
    return np.random.default_rng([sum(map(ord, text)) for text in seed]).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def write_scores(key: str, rows: list[str], metrics=("psnr", "niqe"), absent=()) -> None:
    """data/bench/sr and metrics/images of an entry; NIQE falls as PSNR rises."""
    found, test_sets = {}, ("captures", "captures-val")
    with open(f"metrics/images/{key}.csv", "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ["row", "test_set", "image", "scene", *metrics])
        writer.writeheader()
        for row in rows:
            for test_set in test_sets:
                lines = [{"psnr": psnr(row, scene), "niqe": 30 - psnr(row, scene), "lpips_alex": 1 - psnr(row, scene) / 40}
                         for scene in SCENES_HERE]
                for scene, line in zip(SCENES_HERE, lines):
                    chosen = {name: f"{line[name]:.4f}" for name in metrics}
                    writer.writerow({"row": row, "test_set": test_set, "image": f"{scene}-0", "scene": scene} | chosen)
                found.setdefault(row, {})[test_set] = {
                    name: round(float(np.mean([line[name] for line in lines])), 4) for name in metrics} | {"swd": 9.0}
    networks = {row: [row] for row in rows if row != "input" and "+" not in row}
    counts = {"images": len(SCENES_HERE), "scenes": len(SCENES_HERE)}
    write_json(f"data/bench/sr/{key}.json", {
        "rows": found, "absent": list(absent), "counts": dict.fromkeys((*test_sets, "reference"), counts),
        "parameters": dict.fromkeys(rows, 1234), "networks": networks, "flop": dict.fromkeys(networks, 1000),
        "manifests": {name: {"parameters": 1234, "weights": f"{name}-weights", "made": {"seed": 1}} for name in networks},
        "strengths": dict.fromkeys(networks, {"psnr": [20, 21, 22, 23, 22.5, 21, 20], "lpips_alex": [7, 6, 5, 4, 3, 2, 2.5]})})


def write_crops(key: str, rows: list[str], truth: bool = True) -> None:
    for name in ("inputs", "targets", "outputs"):
        if name == "targets" and not truth:
            write_absent(f"data/crops/sr/{key}/targets", "sets.sr-truth.folder is data/none")
            continue
        with ShardWriter(f"data/crops/sr/{key}/{name}") as writer:
            for row in rows if name == "outputs" else [name]:
                for scene in SCENES_HERE:
                    origin = {"test_set": "captures"} | ({"row": row} if name == "outputs" else {})
                    writer.add(f"{scene}-0", scene, picture(row, scene), place=DETAIL, **origin)
                    writer.add(f"{scene}-0", scene, picture(row, scene)[::-1], place=RANDOM, **origin)


def write_choice(chosen: str = "sr-edsr-stage2") -> None:
    candidates = [{"network": name, "niqe": 7.5, "drift": 1.0, "residual": 1.0, "verdict": "as it is"}
                  for name in ("sr-edsr", "sr-edsr-stage2")]
    choice = {"reason": "niqe 7.5 is the lowest", "candidates": candidates, "images": 4, "scenes": 4}
    write_json("metrics/select/sr.json", {"sr-edsr": choice | ({"chosen": chosen} if chosen else {})})


def write_curve(network: str, text: str) -> None:
    with open(f"metrics/curves/{network}.csv", "w") as handle:
        handle.write(text)


def write_transfer(refused: str = "") -> None:
    """An estimated camera that reduces by 2 and sharpens nothing."""
    f = [0.0, 0.125, 0.25, 0.375, 0.5]
    gain = [1.0, 0.8, 0.5, 0.2, 0.1]
    soft = {"value": 2.0, "low": 1.5, "high": 2.75, "unit": "factor", "at_bound": False}
    write_json("data/calibrations/sr/transfer.json", asdict(Transfer(
        parameters={"softness": soft}, frequency=f, measured=[1.0, 0.9, 0.5, 0.25, 0.15], gain=gain,
        low=[value / 2 for value in gain], high=[1.25 * value for value in gain], sharpening=[1.0] * 5, softness=gain,
        stray=[0.0, 0.1, 0.2, 0.3, 0.3], aliased=False, residual=0.1, end=0.45, captures=31, clean=37, refused=refused)))


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    rows = [key for key in ENTRIES if key != "sr-edsr"]
    for section, keys in {"systems": ("sr-edsr",), "rows": rows, "tasks": ("sr",)}.items():
        values[section] = {key: values[section][key] for key in keys}
    values["tasks"]["sr"] |= {"title": TITLE, "published": "Them (1999)"}
    values["rows"]["sr-edsr-round2"]["published"] = {"psnr": 28.907}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    for folder in ("images", "curves", "select"):
        (tmp_path / "metrics" / folder).mkdir(parents=True)
    no_truth = {"row": "sr-edsr-oracle", "test_set": "*", "metric": "*", "reason": "</script><b>no truth</b>"}
    for key, rows in ENTRIES.items():
        write_scores(key, rows, absent=() if rows else [no_truth])
        write_crops(key, rows)
    write_choice()
    write_transfer()
    write_curve("sr-edsr", "step,lr,fidelity,val_psnr\n100,0.1,0.5,19\n200,0.1,0.4,20.5\n")
    write_curve("sr-edsr-oracle", "step\n")
    return tmp_path


class Page(HTMLParser):
    """What a test asks of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.text, self.tags, self.attributes, self.words, self.open = text, [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.attributes if name == tag]

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def made() -> Page:
    page.main()
    return Page((page.PAGE).read_text(encoding="utf-8"))
