"""The report as one HTML page that needs nothing else: what to use, how sure that is, and all that it rests on.

Everything is in the file: styles, script, plots as SVG, pictures as PNG. The same inputs give the same bytes.
"""
import json
import math
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.compare.kinds import kinds, made_by
from pipeline.compare.paired import Paired
from pipeline.compare.revisions import Images, Revision, joined
from pipeline.compare.scores import Scores, computed_metrics
from pipeline.compare.seeds import Section, minus, sections
from pipeline.compare.seeds_text import Comparison
from pipeline.compare.text import count, heading
from pipeline.core.graph import Graph
from pipeline.report import costs, summary
from pipeline.report.camera import cameras
from pipeline.report.gallery import Shown, gallery
from pipeline.report.lines import Curve, plot
from pipeline.report.reference import of_another_kind
from pipeline.report.svg import chart
from pipeline.report.tables import cells, conventions, figures, not_computed, reached, scored
from pipeline.report.tradeoff import plots
from pipeline.report.verdict import LEVELS, Verdict, apart, decide
from pipeline.score.names import CHOICE_SET, STRENGTH_IMAGES, STRENGTHS, TEST_SETS
from pipeline.score.registry import METRICS, diagnostics

WEB = Path(__file__).with_name("web")
BUILTIN = Path("data/builtin")
PICTURES = 14 * 2**20  # bytes of pictures; the page is to stay below 20 MB
PANELS = {"training loss": ["fidelity", "cycle"], "validation PSNR, dB": ["val_psnr"], "AUC of the discriminator": ["d_auc"]}


@dataclass
class Sources:
    """What the page is made of, read by the stage."""
    graph: Graph
    scores: dict[str, dict[str, Scores]]  # task -> entry of `tests` -> scores
    images: dict[str, Images]  # entry of systems or rows -> scores of each image
    choices: dict[str, dict]  # task -> system -> what `select` chose
    crops: Path  # data/crops
    calibrations: Path  # data/calibrations
    curves: Path  # metrics/curves
    times: dict[str, dict] = field(default_factory=dict)
    """Network -> device and seconds of its training on this machine; empty in the stage, as they differ from run to run."""


def render_page(sources: Sources) -> tuple[str, dict]:
    """The page, and metrics/report/summary.json: `groups`, an entry for each entry of `tests`, and what is `missing`."""
    groups = sum(len(found) for found in sources.scores.values())
    tasks = [_task(sources, task, PICTURES // max(1, groups)) for task in sources.graph.params.tasks]
    shown = [group for task in tasks for group in task["groups"]]
    made_up = any(group["builtin"] or group["verdict"].test_set == "synthetic" for group in shown)
    text = _templates().get_template("page.html").render(
        tasks=tasks, levels=LEVELS, metrics=METRICS, seed=sources.graph.params.seed, timed=bool(sources.times), made_up=made_up)
    return text, {"groups": [group["summary"] for group in shown], "missing": summary.missing(sources.scores)}


@cache
def _templates() -> Environment:
    environment = Environment(loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    environment.filters["prose"] = prose
    return environment


def prose(text: str) -> Markup:
    """Text with the code and bold of Markdown."""
    found = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", found))


def _task(sources: Sources, task: str, budget: int) -> dict:
    params, scores = sources.graph.params, sources.scores[task]
    names = [name for name in TEST_SETS if not name.endswith("-val")]
    rows = {row: sets for group in scores.values() for row, sets in group.rows.items()}
    compared = [*sections([Revision("this run", params, {task: rows}, sources.images)], [task], names, None)]
    groups = [_group(sources, task, tests, [item for item in compared if item.tests == tests], budget) for tests in scores]
    lines = conventions(params.bench, next(iter(scores.values())).counts, computed_metrics(scores),
                        [params.tests[tests] for tests in scores]) if scores else []
    return {"key": task, "title": params.tasks[task].title, "published": params.tasks[task].published, "groups": groups,
            "choices": _choices(sources.graph, sources.choices[task]), "networks": _networks(sources, scores),
            "costs": _costs(sources.graph, scores), "cost_headings": ["row", *costs.HEADING],
            "cost_meaning": costs.meaning(sources.graph, scores), "missing": _unwrapped(not_computed(scores)),
            "conventions": _unwrapped(lines) + [line for group in scores.values() for line in reached(group)],
            "figures": any(group.published for group in scores.values())}


def _group(sources: Sources, task: str, tests: str, compared: list[Section], budget: int) -> dict:
    """The rows that are scored on one entry of `tests`."""
    params, group = sources.graph.params, sources.scores[task][tests]
    keys = [key for key, name in sources.graph.entries(task).items() if name == tests]
    images = joined([sources.images[key] for key in keys])
    kind = kinds(sources.graph, task, tests, group)
    scored = [name for name in TEST_SETS if any(name in sets for sets in group.rows.values())]
    pairs = {name: Paired([images], name) for name in TEST_SETS}
    where = next((name for name in ("captures", "synthetic") if name in scored), "")
    found = Verdict("none", reasons=["Nothing was scored."])
    if where:
        found = decide(sources.graph, task, tests, group, pairs[where], where, sources.choices[task])
    row = found.row or next(iter([*group.networks, *group.rows]), "")
    chain = group.networks.get(found.row, [])
    captures, several = params.tests[tests].captures, len(sources.scores[task]) > 1
    tables = [_score_table(group, pairs[name], name, kind) for name in scored]
    comparison = Comparison(params, [params.seed], None, compared)
    differences = [(block, comparison.notes(section)) for section in compared for block in [*comparison.blocks(section)][1:]]
    return {"key": f"{task}-{tests}", "tests": tests, "verdict": found, "tables": tables, "differences": differences,
            "remarks": comparison.conventions(), "counts": count(group.counts[where]) if where else "",
            "command": f"--model {found.row}" if chain and not set(chain) & set(params.zssr) else "",
            "warning": of_another_kind(params, tests),
            "builtin": captures if where == "captures" and Path(params.sets[captures].folder).is_relative_to(BUILTIN) else "",
            "controls": any(kind[row] == "control" and where in sets for row, sets in group.rows.items()),
            "strengths": _strengths(group, found.row), "strength_images": STRENGTH_IMAGES,
            "summary": summary.entry(params.tasks[task].title, tests if several else "", found, group),
            "cameras": cameras(params, captures, sources.calibrations),
            "plots": [Markup(plot) for plot in plots(sources.graph, task, tests, group, where, kind)],
            "gallery": gallery([sources.crops / task / key for key in keys], kind, Shown(row, found.input, found.control),
                               pairs, params.bench.seed, budget)}


def _strengths(group: Scores, row: str) -> list[tuple[str, str]]:
    """Of each metric that was measured at several strengths of a row: where it is best, in words, and its curve."""
    found = []
    for name, values in group.strengths.get(row, {}).items():
        metric, points = METRICS[name], [*zip(STRENGTHS, values)]
        best, value = (max if metric.better == "up" else min)(points, key=lambda point: point[1])
        text = f"{metric.title} is best at {best:g}: {metric.text(value)}"
        text += "." if best == 1 else f"; at 1 it is {metric.text(dict(points)[1])}."
        better = "more" if metric.better == "up" else "less"
        found.append((text, plot([Curve("", points, 1)], "strength", f"{metric.title}, {better} is better",
                                 f"{metric.title} by strength", at=1)))
    return found


class TableCell(NamedTuple):
    text: str
    value: float | None  # what it is sorted by; None where nothing was computed
    mark: str = ""  # best, tie, or nothing


def _score_table(group: Scores, paired: Paired, test_set: str, kind: dict[str, str]) -> dict:
    """The rows in reading order. Ties are told from the first of the best by the images that both have scores of."""
    texts, best = cells(group, test_set)
    published, lines = figures(group, test_set, texts.index), []
    first = {metric: next((row for row in texts.index if best.at[row, metric]), None) for metric in texts}
    for row in texts.index:
        found = []
        for metric, text in texts.loc[row].items():
            tie = text and row not in group.oracles and _tie(paired, row, first[metric], metric)
            mark = "best" if best.at[row, metric] else "tie" if tie else ""
            found.append(TableCell(text, group.rows[row][test_set].get(metric), mark))
        for figure in published.loc[row]:
            found.append(TableCell("", None) if math.isnan(figure) else TableCell(f"{figure:g}", figure))
        lines.append({"row": row, "kind": kind[row], "weights": group.parameters[row], "cells": found})
    headings = [(heading(metric), METRICS[metric].better) for metric in texts]
    headings += [(f"{METRICS[metric].title}, paper", METRICS[metric].better) for metric in published]
    return {"test_set": test_set, "counts": count(group.counts[test_set]), "headings": headings, "lines": lines}


def _tie(paired: Paired, row: str, best: str | None, metric: str) -> bool:
    """Whether a row cannot be told from the best; never for what is a score of a whole set, such as SWD."""
    if best is None or row == best or metric not in paired.metrics:
        return False
    difference = minus(paired, row, best, [metric]).get(metric)
    return difference is not None and difference.interval.low is not None and not apart(difference)


def _unwrapped(lines: list[str]) -> list[str]:
    """The items of a Markdown list without its marks and line breaks."""
    return [" ".join(item.split()) for item in "\n".join(["", *lines]).split("\n- ")[1:]]


def _choices(graph: Graph, choices: dict[str, dict]) -> dict:
    """What `select` chose for each system, with the candidates' scores.

    It does not know which images are those of truth, as this tells of truth; here it is known.
    """
    metric = graph.params.select.metric
    truths = {system: graph.truth(choice["chosen"]) for system, choice in choices.items() if "chosen" in choice}
    systems = [{"system": system, "chosen": choice.get("chosen", ""), "counts": count(choice),
                "reason": choice["reason"] + (f"; but truth reached it by {truths[system]}" if truths.get(system) else ""),
                "candidates": [*zip(choice["candidates"], scored(choice, metric).to_numpy().tolist())]}
               for system, choice in choices.items()]
    return {"headings": [METRICS[name].title for name in (metric, *diagnostics())], "systems": systems, "set": CHOICE_SET}


def _costs(graph: Graph, scores: dict[str, Scores]) -> list[list[tuple[str, str | float]]]:
    """What the trainings behind each row took, apart from any machine: texts, and what they are sorted by."""
    return [[(text, text if column < 2 else float(text.split()[0].replace(",", ""))) for column, text in enumerate(line)]
            for line in costs.cost_table(graph, scores).itertuples()]


def _networks(sources: Sources, scores: dict[str, Scores]) -> list[dict]:
    """Every network behind the rows, with what made it and its training curve."""
    graph, manifests, absent = sources.graph, {}, {}
    for group in scores.values():
        manifests |= group.manifests
        absent |= {item["row"]: item["reason"] for item in group.absent if item["test_set"] == item["metric"] == "*"}
    rows = [row for row in absent if row in graph.nodes]
    used = [network for group in scores.values() for chain in group.networks.values() for network in chain]
    found = []
    for network in graph.ancestors([*used, *rows]):
        node, manifest = graph.nodes[network], manifests.get(network, {})
        found.append({
            "name": network, "origin": node, "kind": made_by(graph, node), "absent": absent.get(network, ""),
            "weights": manifest.get("parameters"),
            "truth": graph.truth(network) if node.kind != "oracle" else "",
            "settings": json.dumps(node.facts, sort_keys=True),
            "hash": manifest.get("weights", ""), "manifest": json.dumps(manifest, indent=1, sort_keys=True) if manifest else "",
            "charts": _charts(sources.curves / f"{network}.csv"), "time": sources.times.get(network)})
    return found


def _charts(path: Path) -> list[Markup]:
    """The curves of a training as SVG; none when nothing was trained."""
    if not path.is_file():
        return []
    table, found = pd.read_csv(path, dtype=float), []
    for title, columns in PANELS.items():
        curves = {name: table[["step", name]].dropna().to_numpy().tolist() for name in columns if name in table}
        curves = {name: points for name, points in curves.items() if points}
        if curves:
            found.append(Markup(chart(curves, title)))
    return found
