"""DVC's plots without a network."""
import re
from pathlib import Path

from conftest import ROOT
from dvc_render.html import render_html
from dvc_render.vega import VegaRenderer


def test_the_template_draws_with_the_scripts_that_dvc_would_fetch(tmp_path):
    scripts = dict(re.findall(r"npm/([\w-]+)@([\d.]+)", VegaRenderer.SCRIPTS))
    assert len(scripts) == 3
    told = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    assert all(f"{name}@{version}" in told for name, version in scripts.items())
    points = [{"step": step, "fidelity": 1 / step, "rev": "workspace", "filename": "a.csv"} for step in (1, 2)]
    renderer = VegaRenderer(points, "a.csv", x="step", y="fidelity", template="linear")
    text = Path(render_html([renderer], tmp_path / "index.html", ROOT / ".dvc/offline.html")).read_text()
    sources = re.findall(r'<script[^>]*\bsrc\s*=\s*"(.*?)"', text)
    assert sources == [f"../../.dvc/vega/{name}.js" for name in scripts] and "vegaEmbed(" in text
