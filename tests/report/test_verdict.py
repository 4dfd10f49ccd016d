"""Which row to use, and what is said of stage 1 on bicubic pairs beside it."""
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from pipeline.compare.paired import Paired
from pipeline.compare.revisions import parse_images
from pipeline.core.files import write_json
from pipeline.core.graph import graph
from pipeline.core.params import parse
from pipeline.report.verdict import decide
from pipeline.stages.evaluate import collect

PSNR = {"input": 20.0, "sr-edsr": 22.0, "sr-edsr-bicubic": 20.5, "sr-edsr-calibrated": 21.0}


@pytest.mark.parametrize("test_set", ["captures", "synthetic"])
def test_the_gain_over_bicubic_pairs_is_told_where_the_inputs_are_captures(test_set, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lineage = graph(parse(yaml.safe_load((ROOT / "params.yaml").read_text())))
    lines = ["row,test_set,image,scene,psnr"]
    for row, score in PSNR.items():
        lines += [f"{row},{test_set},{scene}-0,{scene},{score + 3 * scene}" for scene in range(5)]
    for key in [row.key for row in lineage.rows("sr")]:
        rows = [row for row in (["input"] if key == "sr-input" else [key]) if row in PSNR]
        write_json(f"data/bench/sr/{key}.json", {
            "rows": {row: {test_set: {"psnr": PSNR[row]}} for row in rows}, "absent": [], "flop": {}, "manifests": {},
            "parameters": dict.fromkeys(rows, 1), "counts": dict.fromkeys((test_set, "reference"), {"images": 5, "scenes": 5}),
            "networks": {row: [row] for row in rows if row != "input"}})
    group = collect(lineage, "sr", Path("data/bench/sr"))["sr"]
    found = decide(lineage, "sr", "sr", group, Paired([parse_images("\n".join(lines))], test_set), test_set, {})
    said = [reason for reason in found.reasons if "bicubic pairs" in reason]
    assert found.row == "sr-edsr"
    assert len(said) == (test_set == "captures")
    assert all("Against `sr-edsr-bicubic`" in reason and "+1.50 [+1.50, +1.50]" in reason for reason in said)
