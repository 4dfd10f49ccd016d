"""What a run ends with."""
from pathlib import Path

import pytest
from tiny import TITLE, made, project  # noqa: F401

from pipeline.compare.scores import Scores
from pipeline.core.files import read_json
from pipeline.report.summary import LINES, entry, gained, lines, missing, use
from pipeline.report.verdict import LEVELS, Verdict
from pipeline.stages import page, report

FOUND = Verdict("clear", "captures", "psnr", "ours", input="input", nearest="input", gain="PSNR ↑ +1.00 [+0.50, +1.50]",
                control="ours+blur1", beyond="PSNR ↑ +0.40 [+0.20, +0.60]")
GROUP = Scores(counts={"captures": {"images": 9, "scenes": 3}})


@pytest.mark.parametrize("level, words", [
    ("clear", "use `ours`"), ("close", "use `ours`"), ("unproven", "use `ours`"), ("control", "the best is `ours`"),
    ("nothing", "use none, the best is `ours`")])
def test_a_row_is_to_be_used_only_where_it_gains(level, words):
    assert use(Verdict(level, row="ours")) == words


def test_gains_are_told_over_the_input_and_over_plain_filters():
    assert gained(FOUND) == ("PSNR ↑ +1.00 [+0.50, +1.50] over the input; +0.40 [+0.20, +0.60] over plain filters (the best is "
                             "`ours+blur1`)")
    toned = Verdict("clear", metric="psnr", row="ours", input="input", nearest="input+tone", gain="PSNR ↑ +1 [a, b]")
    assert gained(toned) == "PSNR ↑ +1 [a, b] over `input+tone`; plain filters were not scored beside it"
    assert gained(Verdict("clear", metric="psnr", row="ours", beyond=FOUND.beyond)) == f"{FOUND.beyond} over plain filters"
    assert gained(Verdict("clear", metric="psnr", row="ours")) == "what it gains was not measured"
    assert gained(Verdict("none")) == ""


def test_it_has_25_lines_at_most_and_cuts_no_name():
    name = "a-network-with-a-name-that-is-longer-than-any-table-would-have-room-for-in-a-terminal+sharpen70+noise3"
    found = Verdict("clear", "captures", "psnr", name, nearest="input", input="input", gain="PSNR ↑ +1")
    item = entry("Task", "", found, GROUP)
    for count in (0, 1, 5, 9, 12, 40):
        for reasons in (0, 1, 3, 30):
            absent = [f"metric {i}: reason {i}" for i in range(reasons)]
            found = [*lines([item | {"title": f"Task {i}"} for i in range(count)], absent, ["the page", "the tables"])]
            assert len(found) <= LINES and found[-2:] == ["the page", "the tables"] and not any("\n" in line for line in found)
            shown = [line for line in found if line.startswith("Task ")]
            assert all(f"use {name} ({LEVELS['clear']})" in line for line in shown)
            assert len(shown) == count or f"and {count - len(shown)} more" in found
            told = [line for line in found if line.startswith("  metric ")]
            assert len(told) == reasons or f"  and {reasons - len(told)} more" in found
    whole = [*lines([item], [], ["the page"])]
    assert whole == [f"Task: use {name} (clear)", "  PSNR ↑ +1 over the input; plain filters were not scored beside it", "",
                     "the page"]


def test_what_was_not_computed_is_told_once_for_each_reason():
    def gap(row, test_set, metric, reason):
        return {"row": row, "test_set": test_set, "metric": metric, "reason": reason}

    trunk = [gap(row, name, "lpips_alex", "no trunk") for row in "ab" for name in ("captures", "synthetic")]
    scores = {"one": {"x": Scores(absent=[*trunk, gap("oracle", "*", "*", "no truth"), gap("a", "captures", "*", "no set")])},
              "two": {"y": Scores(absent=[*trunk, *(gap("a", "captures", "flat_noise", f"{i} left out") for i in range(3))])}}
    assert missing(scores) == ["LPIPS-Alex: no trunk", "oracle of one: no truth", "all scores on captures of one: no set",
                               "Flat noise of two: 0 left out (and 2 more such reasons)"]
    assert missing({"one": {"x": Scores()}}) == []


def test_page_tables_and_terminal_say_the_same(project, capsys):  # noqa: F811
    said = made().said
    found = read_json(page.SUMMARY)["groups"]
    assert [each["title"] for each in found] == [TITLE] and found[0]["row"] == "sr-edsr-stage2" and found[0]["level"] == "clear"
    assert found[0]["gains"].startswith("PSNR ↑ +1.40 [") and "+0.35 [" in found[0]["gains"]
    assert "Use sr-edsr-stage2 : " + found[0]["gains"].replace("`", " ").replace("  ", " ").strip() in said.replace(" .", "")
    Path("metrics/tables").mkdir()
    Path("metrics/tables/sr.md").write_text("# Tables of sr\n")
    capsys.readouterr()
    report.main()
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) <= LINES and shown[0] == f"{TITLE}: use sr-edsr-stage2 (clear)"
    assert shown[1].strip() == found[0]["gains"].replace("`", "")
    assert "  sr-edsr-oracle: </script><b>no truth</b>" in shown
    assert any(str(page.PAGE) in line for line in shown) and any(str(report.REPORT) in line for line in shown)
    tables = report.REPORT.read_text()
    assert tables.startswith("# What to use\n") and "use `sr-edsr-stage2` (clear)" in tables and "# Tables of sr" in tables
