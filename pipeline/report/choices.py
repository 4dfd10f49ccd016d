"""The networks that were chosen without truth, as Markdown."""
import pandas as pd

from pipeline.compare.text import count, item, pipes, texts_of
from pipeline.core.settings import Select
from pipeline.score.names import CHOICE_SET
from pipeline.score.registry import METRICS, diagnostics


def choices_markdown(choices: dict[str, dict], settings: Select) -> str:
    """A section with a table for each system; `choices` as metrics/select/<task>.json holds them."""
    title = METRICS[settings.metric].title
    rule = (f"The lowest {title} among the networks whose drift is at most {settings.max_drift:g} and whose residual is at "
            f"most {settings.max_residual:g} levels above stage 1's. No truth takes part, so captures of your own are treated "
            "alike.")
    meaning = ("Drift and residual are rms differences from the input in 8-bit levels: drift of the mean colours of blocks of "
               "32 pixels, residual of the output reduced to the input's size, both low-passed by a Gaussian of 1 pixel. "
               "Sharpness is the energy of the finest Laplacian band, 1 for the clean reference.")
    lines = [f"## Chosen on {CHOICE_SET}", "", *item(rule), *item(meaning), ""] if choices else []
    for system, choice in choices.items():
        lines += [f"### {system}: {choice.get('chosen', 'no choice')} ({count(choice)})", ""]
        lines += [*_table(choice, settings.metric), ""]
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


def _table(choice: dict, metric: str) -> list[str]:
    chosen = choice.get("chosen")
    return pipes("network", scored(choice, metric).rename(index={chosen: f"**{chosen}**"}))
