"""Join the tables and choices of all tasks, and print what a run came to: `python -m pipeline.stages.report`."""
from pathlib import Path

from pipeline.core.edge import run_stage
from pipeline.core.files import read_json, write
from pipeline.core.params import Params, load
from pipeline.report.summary import in_markdown, lines
from pipeline.report.tables import choices_markdown

TABLES, CHOICES, REPORT = Path("metrics/tables"), Path("metrics/select"), Path("metrics/report/tables.md")
PAGE, SUMMARY = "metrics/report/index.html", Path("metrics/report/summary.json")  # by the stage page


def read(params: Params) -> tuple[dict[str, str], dict[str, dict]]:
    """Task -> the Markdown of its tables, and task -> system -> what was chosen."""
    return ({task: (TABLES / f"{task}.md").read_text(encoding="utf-8") for task in params.tasks},
            {task: read_json(CHOICES / f"{task}.json") for task in params.tasks})


def show(*ends: str) -> None:
    """Print what a user looks at first, and then these lines."""
    found = read_json(SUMMARY)
    pages = [f"Pictures, plots and how sure this is: {PAGE}", f"All tables: {REPORT}"]
    print("\n".join(lines(found["groups"], found["missing"], [*pages, *ends])), flush=True)


def main() -> None:
    params = load()
    texts, choices = read(params)
    sections = [part for task in texts for part in (texts[task], choices_markdown(choices[task], params.select)) if part]
    write(REPORT, "\n".join([*in_markdown(read_json(SUMMARY)["groups"]), *sections]))
    show()


if __name__ == "__main__":
    run_stage(main)
