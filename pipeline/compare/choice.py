"""Which network of a system to use, chosen as for captures that have no truth.

The candidates are stage 1, stage 2 and its later rounds, as far as truth did not reach them. The lowest score of one metric
wins, among those whose colour drift and low-pass residual are not much above stage 1's: a discriminator rewards what looks
clean, whether or not it was in the input. All scores are of one test set, and made without truth.
"""
from pipeline.core.graph import Candidate
from pipeline.core.settings import Select

BOUNDED = {"drift": "max_drift", "residual": "max_residual"}
"""What may rise over stage 1's -> the setting that says by how much."""


def choose(settings: Select, networks: list[Candidate], rows: dict[str, dict[str, float]],
           absent: list[dict[str, str]]) -> dict:
    """`chosen` (not there when there is no choice), the `reason`, and `candidates`: scores, a verdict, perhaps a remark and
    a note on what their scores leave out.

    `rows` holds each row's scores on one test set, `absent` what is missing in them and why. A tie goes to the earlier.
    """
    lines = [{"network": candidate.network} | rows.get(candidate.row, {}) for candidate in networks]
    by_name = {line["network"]: line for line in lines}
    for candidate, line in zip(networks, lines):
        if refusal := _refusal(settings, candidate, line, lines[0], absent):
            line["verdict"] = f"refused: {refusal}"
        if candidate.start and (remark := _remark(settings, by_name[candidate.start], line)):
            line["remark"] = remark
        if notes := [f"{item['metric']}: {item['reason']}" for item in absent
                     if item["row"] == candidate.row and item["metric"] in line.keys() & {settings.metric, *BOUNDED}]:
            line["note"] = "; ".join(notes)
    if "verdict" in lines[0]:
        for line in lines[1:]:
            line.setdefault("verdict", f"refused: {lines[0]['network']}, which bounds it, is refused")
        return {"reason": f"no choice, {lines[0]['network']} is {lines[0]['verdict']}", "candidates": lines}
    metric = settings.metric
    allowed = [line for line in lines if "verdict" not in line]
    best = min(allowed, key=lambda line: line[metric])
    for line in allowed:
        line["verdict"] = f"not chosen: {metric} {line[metric]:g}, {best['network']} has {best[metric]:g}"
    others = ", ".join(f"{line['network']} has {line[metric]:g}" for line in allowed if line is not best)
    reason = f"{metric} {best[metric]:g} is the lowest within the bounds" + (f": {others}" if others else ", nothing else is")
    best["verdict"] = f"chosen: {reason}"
    return {"chosen": best["network"], "reason": reason, "candidates": lines}


def _refusal(settings: Select, candidate: Candidate, line: dict, first: dict, absent: list[dict[str, str]]) -> str:
    """Why a candidate cannot be chosen; nothing when it can."""
    for name in (settings.metric, *BOUNDED):
        if name not in line:
            if candidate.row is None:
                return "no entry of rows scores it alone"
            reasons = [item["reason"] for item in absent if item["row"] == candidate.row and item["metric"] in (name, "*")]
            return f"its {name} could not be computed: {'; '.join(reasons) or 'it was not scored'}"
    beyond = []
    for name, setting in BOUNDED.items():
        limit = first.get(name, 0) + getattr(settings, setting)
        if name in first and line[name] > limit:
            beyond.append(f"{name} {line[name]:g} > {limit:g}, stage 1's {first[name]:g} + select.{setting}")
    return " and ".join(beyond)


def _remark(settings: Select, before: dict, line: dict) -> str:
    """The remark of Liu, Shu and Wu on their further rounds (Fig. 9), where it holds."""
    metric = settings.metric
    if not {metric, "sharpness"} <= before.keys() & line.keys():
        return ""
    if line[metric] >= before[metric] or line["sharpness"] >= (1 - settings.blurrier) * before["sharpness"]:
        return ""
    return (f"cleaner but blurrier than {before['network']}: {metric} {before[metric]:g} -> {line[metric]:g}, "
            f"sharpness {before['sharpness']:g} -> {line['sharpness']:g}")
