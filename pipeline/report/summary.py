"""What a run came to, in a few lines: which row to use for each task, what it gains, and what was not computed."""
from collections.abc import Iterator

from pipeline.compare.scores import Scores
from pipeline.compare.text import count, heading, item
from pipeline.report.verdict import LEVELS, Verdict
from pipeline.score.registry import known

LINES = 25  # that a run ends with at most
REASONS = 4  # for what was not computed; the others are counted


def use(found: Verdict) -> str:
    """Which row to use, in backquotes."""
    if not found.row:
        return "no row can be named"
    if found.level in ("nothing", "control"):  # the level says why
        best = f"the best is `{found.row}`"
        return best if found.level == "control" else "use none" if found.start else f"use none, {best}"
    return f"use `{found.row}`"


def gained(found: Verdict) -> str:
    """What the row gains over the input and over plain filters, or that it was not measured."""
    parts = []
    if found.gain:
        parts.append(f"{found.gain} over " + ("the input" if found.nearest == found.input else f"`{found.nearest}`"))
    if found.beyond:
        gain = found.beyond.removeprefix(heading(found.metric) + " ") if parts else found.beyond
        best = f" (the best is `{found.control}`)" if found.control else ""
        # where the row to use is a stage 1, what was compared with filters is the best that was trained on from it
        parts.append(f"further training gains {gain} over plain filters on its output{best}" if found.start else
                     f"{gain} over plain filters{best}")
    elif found.metric:
        parts.append("plain filters were not scored beside it" if parts else "what it gains was not measured")
    return "; ".join(parts)


def entry(title: str, tests: str, found: Verdict, group: Scores) -> dict:
    """What metrics/report/summary.json says of one entry of `tests`; `tests` is empty where the task has no other."""
    return {"title": f"{title}, {tests}" if tests else title, "row": found.row, "level": found.level, "use": use(found),
            "gains": gained(found) or " ".join(found.reasons[:1]).removesuffix("."), "test_set": found.test_set,
            "counts": count(group.counts[found.test_set]) if found.test_set else ""}


def missing(scores: dict[str, dict[str, Scores]]) -> list[str]:
    """A line for each reason why something was not computed, what concerns most first; `scores` by task and `tests`."""
    found: dict[str, list[tuple[str, str]]] = {}
    for task, groups in scores.items():
        for gap in (gap for group in groups.values() for gap in group.absent):
            what = known(gap["metric"]).title
            if gap["metric"] == "*":
                what = gap["row"] if gap["test_set"] == "*" else f"all scores on {gap['test_set']}"
            found.setdefault(gap["reason"], []).append((task, what))
    lines: dict[str, list[str]] = {}
    for reason, gaps in sorted(found.items(), key=lambda item: -len(item[1])):
        tasks, things = (list(dict.fromkeys(values)) for values in zip(*gaps))
        where = "" if len(tasks) == len(scores) else f" of {', '.join(tasks)}"
        lines.setdefault(f"{', '.join(things)}{where}", []).append(reason)
    return [f"{what}: {reasons[0]}" + (f" (and {len(reasons) - 1} more such reasons)" if len(reasons) > 1 else "")
            for what, reasons in lines.items()]


def lines(entries: list[dict], absent: list[str], ends: list[str]) -> Iterator[str]:
    """At most LINES lines; `ends` are the last of them. With many entries each has one line, and the last are counted."""
    reasons = absent[:REASONS] + ([f"and {len(absent) - REASONS} more"] if len(absent) > REASONS else [])
    tail = (["", "Not computed:", *(f"  {reason}" for reason in reasons)] if reasons else []) + ["", *ends]
    room = LINES - len(tail)
    whole = 2 * len(entries) <= room
    shown = entries if len(entries) <= room else entries[: room - 1]
    for each in shown:
        yield f"{each['title']}: {each['use']} ({LEVELS[each['level']]})".replace("`", "")
        if whole:
            yield f"  {each['gains']}".replace("`", "")
    if len(shown) < len(entries):
        yield f"and {len(entries) - len(shown)} more"
    yield from tail


def in_markdown(entries: list[dict]) -> list[str]:
    """Lines that say the same at the head of the tables."""
    said = [item(f"{each['title']}: {each['use']} ({LEVELS[each['level']]}). {each['gains']}") for each in entries]
    return ["# What to use", "", *(line for found in said for line in found), ""] if entries else []
