"""The scores of a row for its card: from the tables, beside those of the input."""
from pathlib import Path

from pipeline.compare.kinds import input_of
from pipeline.compare.scores import Scores, read_csv
from pipeline.compare.text import count, heading, item, pipes
from pipeline.core.files import read_json
from pipeline.core.graph import Graph, TableRow
from pipeline.report.tables import NOT_COMPUTED, cells, not_computed
from pipeline.score.names import TEST_SETS

TABLES, BENCH = Path("metrics/tables"), Path("data/bench")


def scores(graph: Graph, chain: list[str], where: list[TableRow], manifests: dict[str, dict]) -> list[str]:
    """Lines of Markdown: tables of the test sets that no choice was made on, or why there are none."""
    if not where:
        return ["No row of params.yaml scores it."]
    lines, params = [], graph.params
    for place in where:
        table, bench = TABLES / f"{place.task}.csv", BENCH / place.task / f"{place.key}.json"
        cure = f"`dvc repro evaluate@{place.task}` makes them"
        group = read_csv(table).get(place.tests, Scores()) if table.is_file() else Scores()
        if place.name not in group.rows:
            lines += [f"There are no scores of {place.name} in {table}; {cure}.", ""]
            continue
        made = read_json(bench) if bench.is_file() else {"manifests": {}, "absent": []}
        scored = made["manifests"]
        if any(name in scored and scored[name]["weights"] != manifests[name]["weights"] for name in chain):
            lines += [f"The scores of {place.name} in {table} are of other weights than these; {cure} anew.", ""]
            continue
        for test_set in TEST_SETS:
            if test_set in group.rows[place.name] and not test_set.endswith("-val"):
                title = params.tasks[place.task].title
                lines += [f"{title}, {place.tests}: {test_set} ({count(group.counts[test_set])})", "",
                          *_table(graph, place, group, test_set), ""]
        lines += item(f"Outputs are rounded to 8 bits; {params.bench.border} pixels are cut from each side before PSNR and "
                      "SSIM. The first row is the degraded image itself, enlarged by bicubic where it has to be. How the "
                      f"metrics are made, and what controls that learn nothing reach: {table.with_suffix('.md')}.")
        if not scored:
            lines += item(f"{bench} is not there, so whether these are scores of the very weights in the file is not known.")
        if missing := [gap for gap in made["absent"] if gap["row"] == place.name and not gap["test_set"].endswith("-val")]:
            lines += ["", NOT_COMPUTED, "", *not_computed(Scores(absent=missing), "")]
        lines.append("")
    return lines[:-1]


def _table(graph: Graph, place: TableRow, group: Scores, test_set: str) -> list[str]:
    own = input_of(graph, place.task, place.tests, group, test_set)
    both = Scores({row: group.rows[row] for row in (own, place.name) if row})
    texts, _ = cells(both, test_set)
    return pipes("row", texts.rename(columns=heading))
