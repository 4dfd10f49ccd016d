"""Join the tables and choices of all tasks, and print what matters most: `python -m pipeline.stages.report`."""
from pathlib import Path

from pipeline.compare.scores import read_csv
from pipeline.compare.text import console_of, count, heading, terminal
from pipeline.core.edge import run_stage
from pipeline.core.files import read_json, write
from pipeline.core.params import Params, load
from pipeline.report.tables import NOT_COMPUTED, cells, choices_markdown

TABLES, CHOICES, REPORT = Path("metrics/tables"), Path("metrics/select"), Path("metrics/report/tables.md")
PAGE = "metrics/report/index.html"  # by the stage page
PRINTED = ("captures", "synthetic")
PIPED_WIDTH = 100  # columns, where no terminal says how wide it is


def read(params: Params) -> tuple[dict[str, str], dict[str, dict]]:
    """Task -> the Markdown of its tables, and task -> system -> what was chosen."""
    return ({task: (TABLES / f"{task}.md").read_text(encoding="utf-8") for task in params.tasks},
            {task: read_json(CHOICES / f"{task}.json") for task in params.tasks})


def show() -> None:
    """Print the scores and choices that a user looks at first."""
    params = load()
    texts, choices = read(params)
    scores = {task: read_csv(TABLES / f"{task}.csv") for task in params.tasks}
    console = console_of(PIPED_WIDTH)
    for task, groups in scores.items():
        for tests, group in groups.items():
            for test_set in PRINTED:
                if any(test_set in sets for sets in group.rows.values()):
                    name = test_set if len(groups) == 1 else f"{tests}: {test_set}"
                    console.print(f"[bold]{params.tasks[task].title}, {name} ({count(group.counts[test_set])})[/bold]")
                    shown, best = cells(group, test_set)
                    shown = shown.where(~best, "[bold]" + shown + "[/bold]").rename(columns=heading)
                    console.print(terminal("row", shown), "")
        if NOT_COMPUTED in texts[task]:
            console.print(NOT_COMPUTED, texts[task].partition(NOT_COMPUTED)[2].strip(), "", sep="\n", markup=False)
        for system, choice in choices[task].items():
            console.print(f"{system}: {choice.get('chosen', 'no network')} is chosen without truth; {choice['reason']}",
                          markup=False, soft_wrap=True)
        console.print()
    console.print(f"Conventions and the other test sets: {REPORT}")
    console.print(f"What to use, with pictures and plots: {PAGE}")


def main() -> None:
    params = load()
    texts, choices = read(params)
    sections = [part for task in texts for part in (texts[task], choices_markdown(choices[task], params.select)) if part]
    write(REPORT, "\n".join(sections))
    show()


if __name__ == "__main__":
    run_stage(main)
