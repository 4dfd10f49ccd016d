"""Which row of a task to use for photos like its captures, and how sure that is, in words.

With truth: the row that comes closest to it in LPIPS, or in PSNR where there is no LPIPS. Without: what `select` chose, of
several systems the one with the lowest score. Neither controls, which are no networks, nor oracles can be used.
"""
from dataclasses import dataclass, field

from pipeline.compare.choice import BOUNDED
from pipeline.compare.kinds import first_stages, input_of, kinds
from pipeline.compare.paired import Difference, Paired
from pipeline.compare.scores import Scores
from pipeline.compare.seeds import beyond, controls, minus
from pipeline.compare.seeds_text import FEW_SCENES
from pipeline.compare.text import heading
from pipeline.core.graph import Graph
from pipeline.core.params import Params
from pipeline.report.tables import reached
from pipeline.score.names import input_control_rows
from pipeline.score.registry import METRICS, of_family

LEVELS = {
    "clear": "clear",
    "close": "a close call",
    "control": "a plain filter does as much",
    "start": "stage 1: further training gains no more than a plain filter",
    "nothing": "no gain shown",
    "unproven": "unproven: no truth",
    "none": "no answer",
}

Filters = dict[str, dict[str, float]]
"""Row that is a control -> metric -> its score."""


@dataclass
class Verdict:
    level: str  # a key of LEVELS
    test_set: str = ""
    metric: str = ""  # what it was decided by; empty when nothing could be
    row: str = ""
    input: str = ""  # the row of the input itself; empty where it was not scored
    control: str = ""  # the best plain filter that was scored here; empty where none was
    start: str = ""  # the row to use, where that is the stage 1 of the best row and not the best row itself
    nearest: str = ""  # the best that the input is without learning: itself, blurred or with another tone
    gain: str = ""  # what it gains over that; empty when it was not measured
    beyond: str = ""  # what it gains over the plain filters; empty when that was not measured
    ties: list[str] = field(default_factory=list)  # the rows that cannot be told from it
    reasons: list[str] = field(default_factory=list)  # sentences


def decide(graph: Graph, task: str, tests: str, group: Scores, paired: Paired, test_set: str,
           choices: dict[str, dict]) -> Verdict:
    """What to use of the rows of one entry of `tests`; `paired` are the scores per image on `test_set`."""
    params = graph.params
    scored = [row for row in group.rows if row in group.networks and test_set in group.rows[row]]
    usable = [row for row in scored if row not in group.oracles]
    if scored and not usable:
        return Verdict("none", test_set, reasons=["Truth reached every network that is scored here: all are oracles.",
                                                  *reached(group)])
    scores = {row: group.rows[row][test_set] for row in usable}
    own, inputs = first_stages(graph, task, group), input_of(graph, task, tests, group, test_set)
    kind = kinds(graph, task, tests, group)
    filters = {row: sets[test_set] for row, sets in group.rows.items() if test_set in sets and kind[row] == "control"}
    metric = next((name for name in (*of_family("perceptual"), *of_family("fidelity"))
                   if any(name in values for values in scores.values())), None)
    if metric is None:
        alone = {group.networks[row][0]: row for row in usable if len(group.networks[row]) == 1}
        return _blind(params, alone, own, inputs, test_set, choices, paired, filters)
    ranked = best_first(metric, {row: values[metric] for row, values in scores.items() if metric in values})
    row = ranked[0]
    found = Verdict("clear", test_set, metric, row, inputs or "")
    rivals = {other: minus(paired, other, row, [metric]).get(metric) for other in ranked[1:]}
    found.ties = [other for other, difference in rivals.items() if not apart(difference)]
    if found.ties:
        found.level = "close"
        found.reasons.append(f"These {len(paired.scenes)} scenes cannot distinguish it from {len(found.ties)} of {len(rivals)} "
                             f"other rows: {_names(found.ties)}.")
    elif rivals:
        others = f"each of the other {len(rivals)} rows" if len(rivals) > 1 else f"{_names(ranked[1:])}, the only other row"
        found.reasons.append(f"It is better than {others}, by more than other scenes would change.")
    else:
        found.reasons.append("No other row can be used.")
    if METRICS[metric].family == "fidelity":
        found.reasons.append("LPIPS was not computed, so this is by PSNR alone, which likes smooth pictures better than "
                             "people do.")
    start = own.get(row, row)  # the row itself, where it is a stage 1
    names = [name for name in controls(params, tests, start) if name in paired.rows[0]]
    names = [] if names == [row] else names  # nothing was done to its outputs: it is no stage 1
    _against_controls(found, start if names else "", names or [*filters], filters, paired)
    if found.level == "control" and names and start in usable:
        found.level = "start"
        if row != start:
            found.row = found.start = start
            found.reasons.insert(0, f"`{row}` has the best {METRICS[metric].title}.")
            found.reasons.append(f"So the stage 1 itself, `{start}`, is the one to use: what was trained on from it costs more "
                                 "and gains no more.")
    _against_input(found, nearest_input(params, tests, group, test_set, inputs, metric), paired)
    if len(paired.scenes) < FEW_SCENES:
        found.reasons.append(f"Few scenes ({len(paired.scenes)}): all of this is rough.")
    found.reasons += _other_sides(scores, found, paired) + _over_bicubic(params, usable, group, found, paired)
    return found


def nearest_input(params: Params, tests: str, group: Scores, test_set: str, inputs: str | None, metric: str) -> str | None:
    """The best in the metric of the input and what it is after a blur or another tone; None where it was not scored."""
    rows = [inputs, *input_control_rows(inputs, params.tests[tests])] if inputs else []
    values = {row: group.rows[row][test_set][metric] for row in rows if metric in group.rows.get(row, {}).get(test_set, {})}
    return next(iter(best_first(metric, values)), None)


def best_first(metric: str, values: dict[str, float]) -> list[str]:
    """The rows from the best to the worst; the earlier of two equal ones first."""
    return sorted(values, key=lambda row: -values[row] if METRICS[metric].better == "up" else values[row])


def apart(difference: Difference | None) -> bool:
    """Whether a difference is larger than what other scenes would change."""
    return difference is not None and difference.interval.low is not None and not difference.interval.tie


def gained(metric: str, difference: Difference | None) -> bool:
    """Whether a difference is a gain, beyond what other scenes would change."""
    return apart(difference) and (difference.interval.value > 0) == (METRICS[metric].better == "up")


def interval_in_words(metric: str, difference: Difference) -> str:
    """Such as `PSNR ↑ +0.31 [+0.20, +0.42]`."""
    text, found = METRICS[metric].text, difference.interval
    limits = "no interval, as there is one scene"
    if found.low is not None:
        limits = f"{text(found.low, '+')}, {text(found.high, '+')}"
    return f"{heading(metric)} {text(found.value, '+')} [{limits}]"


def _other_sides(scores: dict[str, dict[str, float]], found: Verdict, paired: Paired) -> list[str]:
    """What it would be by other metrics, and what that costs."""
    said = []
    for metric in (*of_family("fidelity")[:1], *of_family("blind")[:1]):
        values = {row: each[metric] for row, each in scores.items() if metric in each}
        if metric == found.metric or found.row not in values:
            continue
        row = best_first(metric, values)[0]
        if row == found.row:
            said.append(f"No other row that can be used has a better {METRICS[metric].title}.")
            continue
        differences = minus(paired, row, found.row, [metric, found.metric])
        words = ", ".join(interval_in_words(name, difference) for name, difference in differences.items())
        doubt = ", which needs no truth but is fooled by sharpening and noise" if METRICS[metric].family == "blind" else ""
        said.append(f"By {METRICS[metric].title}{doubt}, it would be `{row}`: against `{found.row}`, {words}.")
    return said


def _over_bicubic(params: Params, usable: list[str], group: Scores, found: Verdict, paired: Paired) -> list[str]:
    """What it gains over stage 1 on bicubic pairs, as most enlarging networks are trained; nothing on images that were reduced
    so themselves."""
    said = []
    for row in usable if found.test_set.startswith("captures") else ():
        network = params.networks.get(group.networks[row][0]) if len(group.networks[row]) == 1 else None
        pairs = params.pairs.get(network.inputs.split("/")[1]) if network and network.inputs.startswith("pairs/") else None
        if row != found.row and pairs and params.recipes[pairs.recipe].kind == "bicubic":
            metrics = dict.fromkeys([*of_family("fidelity")[:1], found.metric])
            differences = minus(paired, found.row, row, list(metrics))
            words = ", ".join(interval_in_words(name, difference) for name, difference in differences.items())
            said += [f"Against `{row}`, stage 1 on bicubic pairs: {words}."] if words else []
    return said


def _against_input(found: Verdict, base: str | None, paired: Paired) -> None:
    """Whether it is better than leaving the photos as they are, or a little blurred or toned, whichever is the best."""
    difference = minus(paired, found.row, base, [found.metric]).get(found.metric) if base else None
    if difference is None:
        found.reasons.append("Whether it beats the input itself was not measured.")
        return
    found.nearest, found.gain = base, (words := interval_in_words(found.metric, difference))
    changed = "+" in base
    what = f"`{base}`, the best that the input is without any learning" if changed else "the input itself"
    if gained(found.metric, difference):
        reason = f"It is better than {what}: {words}."
    elif difference.interval.low is None:
        found.level, reason = "close", f"Against {what}: {words}. One scene tells nothing of others."
    elif apart(difference):
        found.level, reason = "nothing", f"It is worse than {what}: {words}."
        reason += "" if changed else " Leave the photos as they are."
    else:
        found.level, reason = "nothing", f"These scenes cannot distinguish it from {what}: {words}."
        reason += "" if changed else " Leaving the photos as they are does as well."
    found.reasons.append(reason)


def _against_controls(found: Verdict, start: str, names: list[str], filters: Filters, paired: Paired) -> None:
    """Whether its gain is more than what plain filters reach at its PSNR: those on `start`, its stage 1, and that stage 1
    itself; or without one all that were scored here."""
    difference = beyond(paired, found.row, names, [found.metric], []).get(found.metric) if names else None
    if difference is None:
        return
    better = gained(found.metric, difference)
    found.level, found.beyond = found.level if better else "control", interval_in_words(found.metric, difference)
    found.control = next(iter(best_first(found.metric, {name: filters[name][found.metric] for name in names if name in filters
                                                        and found.metric in filters[name]})), "")
    of = "itself" if start == found.row else f"`{start}`, the stage 1 it came from"
    on = f" on {of}" if start else f", of which `{found.control}` is the best here"
    at = "" if found.metric == "psnr" else " of at least its PSNR"
    found.reasons.append(f"It is {'better' if better else 'no better'} than plain filters{at}{on} (sharpening, noise or the "
                         f"like, which learn nothing): {found.beyond}.")


def _blind(params: Params, usable: dict[str, str], own: dict[str, str], inputs: str | None, test_set: str,
           choices: dict[str, dict], paired: Paired, filters: Filters) -> Verdict:
    """Without truth: what `select` chose; `usable` is network -> the row that scores it alone."""
    metric = params.select.metric
    lines = {usable[choice["chosen"]]: line for choice in choices.values() if choice.get("chosen") in usable
             for line in choice["candidates"] if line["network"] == choice["chosen"] and metric in line}
    if not lines:
        return Verdict("none", test_set, reasons=["There is no truth to measure with, and `select` chose nothing: look at the "
                                                  "pictures, and at the scores that need no truth."])
    row = min(lines, key=lambda name: lines[name][metric])
    found = Verdict("unproven", test_set, metric, row, inputs or "")
    bounds = " and ".join(name for name in BOUNDED if name in lines[row])
    others = f", lower than the other systems' {_names([name for name in lines if name != row])}" if len(lines) > 1 else ""
    title = METRICS[metric].title
    found.reasons.append(f"These captures have no truth. On captures-val it has the lowest {title} of what `select` may "
                         f"choose, {lines[row][metric]:g}{others}; bounds on {bounds} keep it near the input. "
                         f"{title} is fooled by sharpening and noise, so trust the pictures more.")
    start = own.get(row) if own.get(row) in usable.values() else None
    for base in dict.fromkeys(filter(None, (inputs, start))):
        if metric in paired.metrics and (difference := minus(paired, row, base, [metric]).get(metric)):
            found.nearest, found.gain = found.nearest or base, found.gain or interval_in_words(metric, difference)
            found.reasons.append(f"On the test captures, minus `{base}`: {interval_in_words(metric, difference)}.")
    ranked = best_first(metric, {name: values[metric] for name, values in filters.items() if metric in values})
    if ranked and metric in paired.metrics and (difference := minus(paired, row, ranked[0], [metric]).get(metric)):
        found.control, found.beyond = ranked[0], interval_in_words(metric, difference)
        found.reasons.append(f"On the test captures, minus `{found.control}`, the best of the plain filters: {found.beyond}.")
    return found


def _names(rows: list[str]) -> str:
    return ", ".join(f"`{row}`" for row in rows[:6]) + (f" and {len(rows) - 6} more" if len(rows) > 6 else "")
