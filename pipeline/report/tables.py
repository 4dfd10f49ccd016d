"""The tables of a task, as Markdown."""
from collections.abc import Sequence

import pandas as pd

from pipeline.compare.scores import Scores, computed_metrics
from pipeline.compare.text import count, heading, item, note, pipes, texts_of
from pipeline.core.entries import Tests
from pipeline.core.settings import Bench, Select
from pipeline.score.names import CHOICE_SET, TEST_SETS
from pipeline.score.registry import METRICS, contests, diagnostics, known

NOT_COMPUTED = "Not computed:"


def cells(scores: Scores, test_set: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores on a test set as texts, and whether each is the best: a line for each row, a column for each metric to show.

    Oracles are out of the contest, as truth reached them. What was not computed is an empty text.
    """
    rows = {row: sets[test_set] for row, sets in scores.rows.items() if test_set in sets}
    numbers = pd.DataFrame([*rows.values()], index=[*rows], columns=contests(), dtype=float)
    numbers = numbers.dropna(axis="columns", how="all")
    texts = texts_of(numbers[[metric for metric in numbers if METRICS[metric].stands_for not in numbers]])
    shown = texts.apply(pd.to_numeric, errors="coerce")  # equal texts are ties
    rivals = shown[[row not in scores.oracles for row in shown.index]]
    best = rivals.apply(lambda column: column == (column.max() if METRICS[column.name].better == "up" else column.min()))
    return texts, best.reindex(texts.index, fill_value=False)


def figures(scores: Scores, test_set: str, rows) -> pd.DataFrame:
    """A paper's own figures for the rows, NaN where it has none; a column for each metric of them. `-val` sets have none."""
    found = [{} if test_set.endswith("-val") else scores.published.get(row, {}) for row in rows]
    return pd.DataFrame(found, index=[*rows], columns=contests(), dtype=float).dropna(axis="columns", how="all")


def conventions(bench: Bench, counts: dict, computed=(), tests: Sequence[Tests] = ()) -> list[str]:
    """Lines that say how the numbers of the metrics `computed` were made on all the `tests`, as a Markdown list."""
    reference = counts.get("reference", {"images": 0, "scenes": 0})
    names = dict.fromkeys(entry.reference for entry in tests if entry.reference != "none")
    whose = f", {' and '.join(f'`sets.{name}`' for name in names)}" if names else ""
    luma = "the Y channel (BT.601, rounded to 8 bits)" if bench.round_luma else "the Y channel (BT.601, not rounded)"
    channels = " and on ".join({"rgb": "RGB", "y": luma}[channel] for channel in bench.channels)
    backbones = ", ".join(METRICS[f"lpips_{net}"].title.removeprefix("LPIPS-") for net in bench.lpips)
    items = [
        "↑: higher is better. ↓: lower is better. **Bold**: the best row. Oracles, which were trained with truth, take no part "
        "in that. metrics/tables/*.csv hold every metric, and metrics/images/*.csv a line for each image. docs/glossary.md "
        "explains the terms.",
        f"Outputs are rounded to 8 bits before they are scored. PSNR and SSIM are computed on {channels}, after {bench.border} "
        "pixels are cut from each side. SSIM has an 11x11 Gaussian window of sigma 1.5. "
        + (f"LPIPS is version 0.1, on whole images, with the backbone {backbones}. " if backbones else "")
        + "Each value is the mean over the images.",
        f"SWD and NIQE compare outputs with clean images that no training has seen: {count(reference)}{whose}. SWD is "
        "multiplied by 1000. It is the mean over the band-pass levels of a Laplacian pyramid, with "
        f"{bench.swd_patches} patches and {bench.swd_projections} directions. NIQE is fitted in patches of {bench.niqe_patch} "
        "pixels, so its values cannot be compared with published ones. Those of NIQE-published, with its authors' model, can.",
        f"Critic AUC says how well a classifier tells outputs from clean images: 0.5 not at all, 1 always. It has seen "
        f"{bench.critic_steps} batches of both, and is tested on other scenes.",
        *(metric.about for metric in METRICS.values() if metric.about and metric.name in computed),
        "Rows with a `+` are controls, which learn nothing. A gain that a control reaches too is not restoration. "
        "`+sharpen30+noise3` is the output of stage 1, sharpened by 30 % (unsharp mask), with white noise of 3 levels. "
        "`+input50` is its mean with the input."
        + (" `+blur1` is the output of stage 1 or the input, after a Gaussian of 1 pixel." if any(entry.blur for entry in tests)
           else "")
        + (" `+tone` is either, with the mean and the deviation of the colours of the clean images."
           if any(entry.match_tone for entry in tests) else ""),
    ]
    return [*map(note, items)]


def task_markdown(title: str, scores: dict[str, Scores], bench: Bench, entries: dict[str, Tests], source: str = "",
             sections: Sequence[str] = ()) -> str:
    """The tables of a task, a heading for each test set; `scores` by entry of `tests`, `entries` the section itself.

    `source` says of the papers' figures whose they are; `sections` are lines that come after the tables.
    """
    lines = [f"# {title}", ""] if scores else [f"# {title}", "", "params.yaml names nothing to score."]
    for group in list(scores.values())[:1]:
        lines += conventions(bench, group.counts, computed_metrics(scores), [entries[tests] for tests in scores])
        if any(group.published for group in scores.values()):
            lines += item(f"`paper`: the figures of {source}, measured on other data and with larger networks. Compare them "
                          "with each other: is their order the same as ours?")
        lines += [line for group in scores.values() for text in reached(group) for line in item(text)]
        lines.append("")
    for tests, group in scores.items():
        for test_set in TEST_SETS:
            if any(test_set in sets for sets in group.rows.values()):
                name = test_set if len(scores) == 1 else f"{tests}: {test_set}"
                lines += [f"## {name} ({count(group.counts[test_set])})", "", *_table(group, test_set), ""]
    lines += sections
    missing = not_computed(scores)
    lines += [NOT_COMPUTED, "", *missing] if missing else []
    return "\n".join(lines).rstrip() + "\n"


def reached(scores: Scores) -> list[str]:
    """What is to be said of rows that are oracles without being a system's own."""
    rows = {}
    for row, how in scores.oracles.items():
        if how and row in scores.networks:
            rows.setdefault(how, []).append(f"`{row}`")
    return [f"Truth reached {', '.join(names)} by {how}: these are oracles, too." for how, names in rows.items()]


def _table(scores: Scores, test_set: str) -> list[str]:
    texts, best = cells(scores, test_set)
    table = texts.where(~best, "**" + texts + "**").rename(columns=heading)
    table.insert(0, "weights", [f"{scores.parameters[row]:,}" for row in table.index])
    for metric, column in figures(scores, test_set, table.index).items():
        table[f"{METRICS[metric].title}, paper"] = column.map("{:g}".format, na_action="ignore").fillna("")
    return pipes("row", table)


def not_computed(scores: dict[str, Scores]) -> list[str]:
    """One line per reason; it names the entry of `tests`, where a task has several."""
    lines = []
    for tests, group in scores.items():
        reasons = {}
        for gap in group.absent:
            reasons.setdefault(gap["reason"], []).append(gap)
        for reason, items in reasons.items():
            everything = {"metric": contests(), "row": [*group.rows], "test_set": [*TEST_SETS]}
            what = "; ".join(_joined(items, key, names) for key, names in everything.items())
            lines.append(f"- {'' if len(scores) == 1 else f'{tests}: '}{what}: {reason}")
    return lines


def _joined(items: list[dict], key: str, everything: list[str]) -> str:
    names = {item[key] for item in items}
    if "*" in names or (len(everything) > 1 and names >= set(everything)):
        return f"all {key.replace('_', ' ')}s"
    return " ".join(known(name).title for name in [*everything, *sorted(names - set(everything))] if name in names)


def choices_markdown(choices: dict[str, dict], settings: Select) -> str:
    """The networks that were chosen without truth, a table for each system; `choices` of metrics/select/<task>.json."""
    title = METRICS[settings.metric].title
    rule = (f"Chosen is the network with the lowest {title} of those whose drift is at most {settings.max_drift:g} and whose "
            f"residual is at most {settings.max_residual:g} levels above stage 1's. Truth is not used, so the same can be done "
            "with captures of your own.")
    meaning = ("Drift and residual are rms differences from the input in 8-bit levels. Drift is that of the mean colours of "
               "blocks of 32 pixels. Residual is that of the output reduced to the input's size, both smoothed by a Gaussian "
               "of 1 pixel. Sharpness is the energy of the finest details; it is 1 for clean images.")
    lines = [f"## Chosen on {CHOICE_SET}", "", *item(rule), *item(meaning), ""] if choices else []
    for system, choice in choices.items():
        lines += [f"### {system}: {choice.get('chosen', 'no choice')} ({count(choice)})", ""]
        chosen = choice.get("chosen")
        lines += [*pipes("network", scored(choice, settings.metric).rename(index={chosen: f"**{chosen}**"})), ""]
        for line in choice["candidates"]:
            words = [f"{line['network']} is {line['verdict']}", *(line[key] for key in ("remark", "note") if key in line)]
            lines += item("; ".join(words))
        lines.append("")
    return "\n".join(lines)


def scored(choice: dict, metric: str) -> pd.DataFrame:
    """What a choice was made by, as texts: a line for each candidate, a column for the metric and each diagnostic."""
    names = [line["network"] for line in choice["candidates"]]
    numbers = pd.DataFrame(choice["candidates"], index=names, columns=[metric, *diagnostics()])
    return texts_of(numbers).rename(columns=lambda name: METRICS[name].title)
