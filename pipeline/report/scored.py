"""The scores of a row for its card: from the tables, beside those of the input."""
from pathlib import Path
from typing import NamedTuple

from pipeline.core.files import read_json
from pipeline.core.params import Params
from pipeline.measure.names import SYSTEM_NETWORKS, TEST_SETS, row_name
from pipeline.report.roles import input_of
from pipeline.report.tables import (
    NOT_COMPUTED,
    Scores,
    cells,
    count,
    heading,
    item,
    not_computed,
    pipes,
    read_csv,
)

TABLES, BENCH = Path("metrics/tables"), Path("data/bench")


class Place(NamedTuple):
    """Where a chain is scored."""
    task: str
    tests: str
    entry: str
    """Of systems or rows."""
    row: str


def places(params: Params, chain: list[str]) -> list[Place]:
    """The rows of all tables whose networks these are, each once."""
    found = [Place(system.task, system.task, key, network) for key, system in params.systems.items()
             for network in (system.start, *(f"{key}-{kind}" for kind in SYSTEM_NETWORKS)) if chain == [network]]
    found += [Place(row.task, row.tests, key, row_name(params, key)) for key, row in params.rows.items()
              if chain == [name for name in (row.first, row.second, row.third) if name != "none"]]
    return list({(place.tests, place.row): place for place in found}.values())


def scores(params: Params, chain: list[str], where: list[Place], manifests: dict[str, dict]) -> list[str]:
    """Lines of Markdown: tables of the test sets that no choice was made on, or why there are none."""
    if not where:
        return ["No row of params.yaml scores it."]
    lines = []
    for place in where:
        table, bench = TABLES / f"{place.task}.csv", BENCH / place.task / f"{place.entry}.json"
        cure = f"`dvc repro evaluate@{place.task}` makes them"
        group = read_csv(table).get(place.tests, Scores()) if table.is_file() else Scores()
        if place.row not in group.rows:
            lines += [f"There are no scores of {place.row} in {table}; {cure}.", ""]
            continue
        made = read_json(bench) if bench.is_file() else {"manifests": {}, "absent": []}
        scored = made["manifests"]
        if any(name in scored and scored[name]["weights"] != manifests[name]["weights"] for name in chain):
            lines += [f"The scores of {place.row} in {table} are of other weights than these; {cure} anew.", ""]
            continue
        for test_set in TEST_SETS:
            if test_set in group.rows[place.row] and not test_set.endswith("-val"):
                title = params.tasks[place.task].title
                lines += [f"{title}, {place.tests}: {test_set} ({count(group.counts[test_set])})", "",
                          *_table(params, place, group, test_set), ""]
        lines += item(f"Outputs are rounded to 8 bits; {params.bench.border} pixels are cut from each side before PSNR and "
                      "SSIM. The first row is the degraded image itself, enlarged by bicubic where it has to be. How the "
                      f"metrics are made, and what controls that learn nothing reach: {table.with_suffix('.md')}.")
        if not scored:
            lines += item(f"{bench} is not there, so whether these are scores of the very weights in the file is not known.")
        if missing := [gap for gap in made["absent"] if gap["row"] == place.row and not gap["test_set"].endswith("-val")]:
            lines += ["", NOT_COMPUTED, "", *not_computed(Scores(absent=missing), "")]
        lines.append("")
    return lines[:-1]


def _table(params: Params, place: Place, group: Scores, test_set: str) -> list[str]:
    own = input_of(params, place.task, place.tests, group, test_set)
    both = Scores({row: group.rows[row] for row in (own, place.row) if row})
    texts, _ = cells(both, test_set)
    return pipes("row", texts.rename(columns=heading))
