"""The perception-distortion plane of a test set (Blau and Michaeli, "The perception-distortion tradeoff", CVPR 2018): each row,
and the control curve of each stage 1. A row on the curve gained nothing that sharpening, noise or mixing do not give."""
from pipeline.compare.kinds import first_stages
from pipeline.compare.scores import Scores
from pipeline.core.graph import Graph
from pipeline.report.svg import Axis, Path, Point, scatter
from pipeline.score.names import Control, control_rows
from pipeline.score.registry import METRICS, of_family

SHAPES = {"input": "square", "control": "dot", "stage 1": "circle", "stage 2": "triangle", "further round": "triangle",
          "fine-tuned": "triangle", "chain": "circle", "oracle": "star"}
OTHERS = "diamond"


def plots(graph: Graph, task: str, tests: str, group: Scores, test_set: str, kind: dict[str, str]) -> list[str]:
    """SVG of PSNR against LPIPS and against NIQE, or where there is neither against SWD; none without PSNR."""
    found = {metric for sets in group.rows.values() for metric in sets.get(test_set, {})}
    first = [next((metric for metric in of_family(family) if metric in found), None)
             for family in ("fidelity", "perceptual", "blind")]
    distortion, *rest = first
    perception = [metric for metric in rest if metric] or [metric for metric in ("swd",) if metric in found]
    if distortion is None:
        return []
    return [_plot(graph, task, tests, group, test_set, kind, distortion, metric) for metric in perception]


def _plot(graph: Graph, task: str, tests: str, group: Scores, test_set: str, kind: dict[str, str], distortion: str,
          perception: str) -> str:
    at = {row: (sets[test_set][distortion], sets[test_set][perception]) for row, sets in group.rows.items()
          if {distortion, perception} <= sets.get(test_set, {}).keys()}
    own, params = first_stages(graph, task, group), graph.params
    families = list(dict.fromkeys(own.values()))
    controls = {start: control_rows(start, params.bench, params.tests[tests]) for start in families}
    family = {row: start for start in families for row in (start, *controls[start])} | own
    colours = {start: 1 + i for i, start in enumerate(families)}  # 0: what belongs to no stage 1
    points = [Point(row, *place, SHAPES.get(kind[row], OTHERS), colours.get(family.get(row), 0), kind[row] != "control")
              for row, place in at.items()]
    paths = []
    for start in families:
        for dashed, names in curves(start, controls[start]):
            line = [at[name] for name in names if name in at]
            paths += [Path(line, colours[start], dashed)] if len(line) > 1 else []
    axes = [Axis(metric.title, metric.better, metric.digits) for metric in (METRICS[distortion], METRICS[perception])]
    title = f"{axes[0].title} against {axes[1].title} on {test_set}: {len(at)} rows, {len(paths)} control curves"
    words = "; ".join(f"{row} {x:.{axes[0].digits}f}, {y:.{axes[1].digits}f}" for row, (x, y) in at.items())
    return scatter(points, paths, *axes, title, words)


def curves(start: str, controls: dict[str, Control]) -> list[tuple[bool, list[str]]]:
    """The lines that join the controls of a stage 1: whether dashed, and the rows from the mildest to the strongest.

    From the input over stage 1 to the sharpest; the same with noise; and from stage 1 to the blurriest.
    """
    sharp: dict[float, list[tuple[float, str]]] = {0: [(0, start)]}
    blurred = [(0.0, start)]
    for name, control in controls.items():
        if control.blur:
            blurred.append((control.blur, name))
        elif control.input:
            sharp[0].append((-control.input, name))
        elif not control.tone:
            sharp.setdefault(control.noise, []).append((control.sharpen, name))
    lines = [(bool(noise), sorted(points)) for noise, points in sharp.items()] + [(True, sorted(blurred))]
    return [(dashed, [name for _, name in points]) for dashed, points in lines if len(points) > 1]
