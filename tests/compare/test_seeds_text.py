"""What the command seeds prints, and what it refuses."""
# ruff: noqa: F811

import numpy as np
import pytest
import yaml
from conftest import ROOT
from test_seeds_command import JITTER, STAGE1, commit, git, number, project, repository, run, scores, table, write  # noqa: F401


def test_many_metrics_are_folded_and_unknown_ones_not_judged(project):
    many = [f"metric-{k}" for k in range(8)]
    for seed in (1, 2):
        noise = np.random.default_rng(seed).normal(0, 0.01, 7)
        write(seed, {row: by_metric | {metric: JITTER + (row != STAGE1) + noise for metric in many}
                     for row, by_metric in scores(seed).items()})
        commit(f"many{seed}")
    result = run("many1", "many2")
    assert max(map(len, result.output.splitlines())) <= 110 and "…" not in result.output
    assert all(metric in result.output for metric in many)
    found = table("many1", "many2")
    assert number(found["sr-edsr-stage2", "metric-0", "minus-base"], "value") == pytest.approx([1])
    assert ("sr-edsr-stage2", "metric-0", "minus-control") not in found


def test_markdown_has_all_tables_and_notes(project):
    table("s1", "s2", "s3")
    text = (project / "out.md").read_text()
    assert text.count("\n## ") == 2 and text.startswith("## Super-resolution x4, captures (7 images of 6 scenes), mean ± SD")
    row = next(line for line in text.partition("minus its stage 1")[2].splitlines() if line.startswith("| sr-edsr-stage2"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[1].startswith("-0.50 worse [-0.5") and cells[2].startswith("tie [-") and "better [" in cells[3]
    assert "- Few scenes (6)" in text and "- The controls are stage 1 itself" in text


@pytest.mark.parametrize("arguments, message", [
    (["s1", "nope"], "nope: unknown Git revision 'nope'"),
    (["s1", "s1"], "s1 and s1 have the same seed, 1"),
    (["s1", "empty"], "empty: params.yaml is not there; was it committed?"),
    (["s1", "half"], "half: metrics/images/sr-edsr.csv is not there; was it committed?"),
    (["s1", "bad"], "bad: params.yaml: stage1.steps: got 0"),
    (["s1", "other"], "s1 and other differ in more than the seed: stage1.steps: "),
    (["s1", "fewer"], "s1 and fewer have not scored the same images: sr-edsr, captures, 'i6'"),
    (["s1", "stale"], "s1 and stale have the same scores in every image; was a seed changed without `dvc repro`?"),
    (["s1", "--task", "nope"], "--task nope: no such name, there are sr"),
    (["s1", "s2", "--task", "nope"], "--task nope: no such name, there are sr"),
    (["s1", "--test-set", "nope"], "--test-set nope: no such name, there are captures, "),
    (["s1", "--test-set", "synthetic"], "there are no scores on synthetic"),
    (["s1", "--out", "a.txt"], "--out a.txt: wanted a file that ends in .md"),
])
def test_errors_are_one_line(project, arguments, message):
    name = arguments[-1]
    if name == "empty":
        git("rm", "-rq", "params.yaml", "metrics")
    elif name == "half":
        git("rm", "-q", "metrics/images/sr-edsr.csv")
    elif name == "bad":
        write(4, scores(4), {"stage1": {"steps": 0}})
    elif name == "other":
        write(4, scores(4), {"stage1": {"steps": 3}, "supervised": {"steps": 3}})
    elif name == "fewer":
        write(4, scores(4))
        path = project / "metrics/images/sr-edsr.csv"
        path.write_text("".join(line for line in path.read_text().splitlines(True) if ",i6," not in line))
    elif name == "stale":
        write(4, scores(1))
    if name in ("empty", "half", "bad", "other", "fewer", "stale"):
        commit(name)
    result = run(*arguments)
    assert result.exit_code == 1 and result.output.startswith(f"error: {message}"), result.output
    assert result.output.count("\n") == 1


def test_other_tasks_need_no_scores_where_one_is_asked_for(project):
    tasks = yaml.safe_load((ROOT / "params.yaml").read_text())["tasks"]
    for seed in (5, 6):
        write(seed, scores(seed), {"tasks": {"demoire": tasks["demoire"]}})
        commit(f"s{seed}")
    assert "metrics/demoire.json is not there" in run("s5", "s6").output
    assert table("s5", "s6", "--task", "sr")


def test_outside_a_repository_the_workspace_still_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("workspace").output == "error: workspace: params.yaml is not there; `dvc repro` makes it\n"
    write(1, scores(1))
    assert run("workspace").exit_code == 0
    result = run("HEAD")
    assert result.exit_code == 1 and result.output.startswith("error: HEAD: ") and result.output.count("\n") == 1
