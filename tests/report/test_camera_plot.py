"""The estimated camera on the page."""
import re
from pathlib import Path

import numpy as np
import yaml
from tiny import made, project, write_transfer  # noqa: F401

from pipeline.core.params import load
from pipeline.report.camera import cameras
from pipeline.report.lines import Band, Curve, plot


def places(path: str) -> np.ndarray:
    return np.array([[float(value) for value in pair.split(",")] for pair in path.strip("Mz").split("L")])


def test_curves_and_band_lie_where_their_values_do():
    curves = [Curve("rises", [(0, 0), (1, 1), (2, 2)], 1), Curve("dots", [(0, 2), (2, 1)], 2, "dots")]
    text = plot(curves, "x <", "y", "title", Band("band", [(0, 0.5), (2, 0.5)], [(0, 1.5), (2, 1)], 3), at=1)
    line = places(re.search(r'class="line c1 line" d="(M.*?)"', text)[1])
    assert line[0][0] < line[1][0] < line[2][0] and line[0][1] > line[1][1] > line[2][1]
    assert np.allclose(line[1], line[[0, 2]].mean(axis=0), atol=0.1)
    band = places(re.search(r'class="band c3" d="(M[^h]*?)z"', text)[1])
    assert np.allclose(band[:2, 0], line[[0, 2], 0]) and len(band) == 4  # there along the low end, back along the high one
    assert np.allclose(band[2], (line[2][0], line[1][1])) and band[3][1] < line[1][1]
    dots = np.array(re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="3"/>', text)[:2], float)
    assert np.allclose(dots, [(line[0][0], line[2][1]), (line[2][0], line[1][1])])
    marked = re.search(r'class="line c0 dashed" d="M([\d.]+),', text)[1]
    assert float(marked) == line[1][0] and "x &lt;" in text and {"rises", "dots", "band"} <= set(re.findall(">([a-z]+)<", text))


def test_the_page_shows_the_camera_of_its_captures(project):  # noqa: F811
    found = made()
    assert "as soft as reduced by 2.00 [1.50, 2.75]" in found.said and "31 captures and 37 clean images" in found.said
    assert {"measured", "softness", "sharpening", "incoherent share", "its 95 % interval"} <= set(found.words)
    assert 'class="band c2"' in found.text
    write_transfer("the captures lose no detail")
    assert "no camera can be estimated: the captures lose no detail" in made().said
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["sets"]["sr-captures"]["folder"] = "/photos"
    values["calibrations"]["sr"]["captures"] = "demoire-captures"
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert "The camera, as estimated" not in made().said


def test_a_camera_belongs_to_the_captures_of_its_folder(project):  # noqa: F811
    params = load()
    assert [*cameras(params, "sr-captures", Path("data/calibrations"))] == ["sr"]
    assert cameras(params, "demoire-captures", Path("data/calibrations")) == {} == cameras(params, "none", Path("nowhere"))
