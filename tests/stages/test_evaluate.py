import json

import pytest
import yaml
from conftest import ROOT, params_with_all_systems

from pipeline.compare.scores import Scores, read_csv
from pipeline.core.files import write_json
from pipeline.core.params import parse
from pipeline.report.tables import cells, conventions, task_markdown
from pipeline.score.registry import contests
from pipeline.stages import evaluate, report

COUNTS = {"captures": {"images": 4, "scenes": 2}, "synthetic": {"images": 3, "scenes": 3},
          "reference": {"images": 9, "scenes": 8}}


def file(rows, absent=()):
    networks = {row: [row] for row in rows if row != "input" and "+" not in row and row != "removed"}
    return {"rows": rows, "absent": list(absent), "counts": COUNTS, "parameters": dict.fromkeys(rows, 1234),
            "networks": networks, "flop": dict.fromkeys(networks, 1000), "manifests": {}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Scores of two systems, the input and a later round, and a file that a removed entry left behind."""
    monkeypatch.chdir(tmp_path)
    values = params_with_all_systems()
    rows = ("sr-input", "sr-edsr-round2", "sr-edsr-oracle", "sr-edsr-bicubic-oracle")
    for section, keys in {"systems": ("sr-edsr", "sr-edsr-bicubic"), "rows": rows, "tasks": ("sr",)}.items():
        values[section] = {key: values[section][key] for key in keys}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    no_truth = [{"row": "sr-edsr-bicubic-oracle", "test_set": "*", "metric": "*", "reason": "no truth to train with"}]
    no_trunk = [{"row": row, "test_set": test_set, "metric": "lpips_alex", "reason": "no trunk"}
                for row in ("sr-edsr", "sr-edsr-gan") for test_set in ("captures", "synthetic")]
    bench = {
        "sr-input": {"input": {"captures": {"psnr": 22.7, "swd": 30.0}, "synthetic": {"psnr": 25.9}}},
        "sr-edsr-oracle": {"sr-edsr-oracle": {"captures": {"psnr": 23.8, "swd": 20.0}}},
        "sr-edsr-bicubic-oracle": {},
        "sr-edsr": {"sr-edsr": {"captures": {"psnr": 22.9, "swd": 27.0}},
                    "sr-edsr+sharpen30": {"captures": {"psnr": 22.5, "swd": 25.0}},
                    "sr-edsr-gan": {"captures": {"psnr": 22.8, "swd": 26.0}},
                    "sr-edsr-stage2": {"captures": {"psnr": 22.6, "swd": 21.1234}, "synthetic": {"psnr": 26.0}}},
        "sr-edsr-bicubic": {"sr-edsr-bicubic": {"captures": {"psnr": 23.4}}},
        "sr-edsr-round2": {"sr-edsr-round2": {"captures": {"psnr": 22.5, "swd": 21.5}}},
        "removed": {"removed": {"captures": {"psnr": 99.0}}},
    }
    for key, rows in bench.items():
        absent = {"sr-edsr-bicubic-oracle": no_truth, "sr-edsr": no_trunk}.get(key, ())
        write_json(tmp_path / f"data/bench/sr/{key}.json", file(rows, absent))
    write_json(tmp_path / "metrics/select/sr.json", {})
    write_json(tmp_path / "metrics/report/summary.json", {"groups": [], "missing": []})  # tests/report/test_summary.py has more
    return tmp_path


def test_scores_of_the_entries_in_params_are_joined_and_left_over_files_ignored(project):
    evaluate.main("sr")
    scores = json.loads((project / "metrics/sr.json").read_text())
    assert set(scores) == {"input", "sr-edsr", "sr-edsr+sharpen30", "sr-edsr-gan", "sr-edsr-stage2", "sr-edsr-round2",
                           "sr-edsr-oracle", "sr-edsr-bicubic"}
    assert scores["sr-edsr-stage2"]["captures"] == {"psnr": 22.6, "swd": 21.1234}
    assert list(scores) == sorted(scores)


def test_the_table_reads_from_input_to_oracle_with_the_best_in_bold(project):
    evaluate.main("sr")
    text = (project / "metrics/tables/sr.md").read_text()
    table = text[text.index("## captures (4 images of 2 scenes)") : text.index("## synthetic")]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ") and "---" not in line]
    assert rows == ["row", "input", "sr-edsr", "sr-edsr+sharpen30", "sr-edsr-gan", "sr-edsr-stage2", "sr-edsr-round2",
                    "sr-edsr-oracle", "sr-edsr-bicubic"]
    assert "PSNR ↑" in table and "SWD ↓" in table
    assert "**23.40**" in table and "**21.12**" in table and table.count("**") == 4  # not the oracle's 23.80 and 20.00
    words = " ".join(text.split())
    assert "9 images of 8 scenes" in words and "4 pixels are cut from each side" in words
    assert max(map(len, text.splitlines())) <= 120


def test_what_could_not_be_computed_is_a_line_per_reason(project):
    evaluate.main("sr")
    notes = (project / "metrics/tables/sr.md").read_text().partition("Not computed:")[2].strip().splitlines()
    assert notes == ["- LPIPS-Alex; sr-edsr sr-edsr-gan; captures synthetic: no trunk",
                     "- all metrics; sr-edsr-bicubic-oracle; all test sets: no truth to train with"]


def test_a_missing_file_of_an_entry_is_named(project):
    (project / "data/bench/sr/sr-input.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"data/bench/sr/sr-input\.json is missing"):
        evaluate.main("sr")
    assert not (project / "metrics/sr.json").exists() and not (project / "metrics/tables").exists()
    with pytest.raises(ValueError, match=r"tasks\.nope: no such entry"):
        evaluate.main("nope")


def test_csv_keeps_the_scores_and_leaves_empty_what_is_missing(project):
    evaluate.main("sr")
    scores = read_csv(project / "metrics/tables/sr.csv")["sr"]
    assert scores.rows["sr-edsr-stage2"] == {"captures": {"psnr": 22.6, "swd": 21.1234}, "synthetic": {"psnr": 26.0}}
    assert scores.counts["captures"] == COUNTS["captures"] and scores.parameters["input"] == 1234
    assert "sr,input,captures,4,2,1234,22.7,,,,,,,30.0,,,\n" in (project / "metrics/tables/sr.csv").read_text()


def test_tables_show_one_of_each_family_and_json_and_csv_all(project):
    everything = {metric: 10.0 + i for i, metric in enumerate((*contests(), "swd_0", "swd_1", "swd_low"))}
    write_json(project / "data/bench/sr/sr-input.json", file({"input": {"captures": everything}}))
    evaluate.main("sr")
    header = next(line for line in (project / "metrics/tables/sr.md").read_text().splitlines() if line.startswith("| row"))
    columns = [cell.strip() for cell in header.strip("|").split("|")]
    assert columns == ["row", "weights", "PSNR ↑", "PSNR-aligned ↑", "PSNR-registered ↑", "SSIM ↑", "LPIPS-Alex ↓",
                       "LPIPS-VGG ↓", "SWD ↓", "SWD-truth ↓", "NIQE ↓", "Moire ↓", "Flat noise ↓", "Critic AUC ↓"]
    assert json.loads((project / "metrics/sr.json").read_text())["input"]["captures"] == everything
    assert read_csv(project / "metrics/tables/sr.csv")["sr"].rows["input"]["captures"] == everything


def test_metrics_that_nobody_asked_for_are_not_spoken_of(project):
    evaluate.main("sr")
    text, table = (project / f"metrics/tables/sr.{suffix}" for suffix in ("md", "csv"))
    assert "Moire" not in text.read_text() and "aligned" not in text.read_text()
    assert "moire" not in table.read_text() and "flat_noise" not in table.read_text()
    asked = {"psnr": 20.0, "psnr_aligned": 22.1, "moire_energy": 2.345}
    write_json(project / "data/bench/sr/sr-input.json", file({"input": {"captures": asked}}))
    evaluate.main("sr")
    words = " ".join(text.read_text().split())
    assert "PSNR-aligned: a diagnostic" in words and "4 to 40 pixels" in words and "Flat noise" not in words
    assert "22.10" in words
    assert read_csv(table)["sr"].rows["input"]["captures"] == asked


def test_a_metric_is_shown_where_the_one_that_stands_for_it_was_not_computed():
    scores = Scores(rows={"a": {"captures": {"psnr_y": 20.0, "niqe_published": 5.0, "swd": 3.0, "swd_0": 3.0}}})
    assert list(cells(scores, "captures")[0]) == ["psnr_y", "swd", "niqe_published"]


@pytest.mark.parametrize("changes, said, unsaid", [
    ({}, "on RGB and on the Y channel (BT.601, not rounded), after 4 pixels", "rounded to 8 bits)"),
    ({"channels": ["y"], "round_luma": True}, "computed on the Y channel (BT.601, rounded to 8 bits), after 4 pixels", "RGB"),
    ({"channels": ["rgb"]}, "SSIM are computed on RGB, after 4 pixels", "BT.601"),
    ({"lpips": ["alex", "vgg"]}, "with the backbone Alex, VGG.", "Squeeze"),
    ({"lpips": []}, "each side", "LPIPS"),
    ({}, "`+input50` is its mean with the input.", "+tone"),
    ({"swd_patches": 77, "niqe_patch": 32, "border": 0}, "77 patches", "48"),
])
def test_conventions_are_those_of_the_params(changes, said, unsaid):
    bench = parse(yaml.safe_load((ROOT / "params.yaml").read_text())).bench.model_copy(update=changes)
    words = " ".join(" ".join(conventions(bench, COUNTS)).split())
    assert said in words and unsaid not in words


def test_controls_that_any_of_the_tests_ask_for_are_explained():
    params = parse(yaml.safe_load((ROOT / "params.yaml").read_text()))
    plain = params.tests["sr"]
    blurred, toned = plain.model_copy(update={"blur": (0.7,)}), plain.model_copy(update={"match_tone": True})
    of_none, of_blur, of_both = (" ".join(" ".join(conventions(params.bench, COUNTS, tests=tests)).split())
                                 for tests in ([plain], [plain, blurred], [toned, blurred]))
    assert of_none.endswith("`+input50` is its mean with the input.")
    assert "`+blur1`" not in of_none and "`+blur1`" in of_blur and "`+tone`" not in of_blur
    assert "`+blur1`" in of_both and "`+tone`" in of_both


def test_controls_of_the_input_stand_after_it(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["sr"] |= {"blur": [0.7], "match_tone": True}
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    rows = {row: {"captures": {"psnr": 22.0}} for row in ("input", "input+blur0.7", "input+tone")}
    write_json(project / "data/bench/sr/sr-input.json", file(rows))
    evaluate.main("sr")
    text = (project / "metrics/tables/sr.md").read_text()
    order = list(read_csv(project / "metrics/tables/sr.csv")["sr"].rows)
    assert order[:4] == ["input", "input+tone", "input+blur0.7", "sr-edsr"]
    assert "`+blur1`" in text and "| input+blur0.7 " in text


def test_ties_are_all_bold_and_a_metric_nobody_has_gives_no_column():
    values = {"a": 20.001, "b": 20.002, "c": 19.99, "d-oracle": 20.0}
    scores = Scores(rows={row: {"captures": {"psnr": value}} for row, value in values.items()}, oracles={"d-oracle": ""})
    shown = {"a": [("20.00", True)], "b": [("20.00", True)], "c": [("19.99", False)], "d-oracle": [("20.00", False)]}
    texts, best = cells(scores, "captures")
    assert list(texts) == list(best) == ["psnr"]
    assert {row: [(texts.at[row, "psnr"], best.at[row, "psnr"])] for row in texts.index} == shown


def test_entries_scored_on_several_tests_get_tables_of_their_own(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["other"] = values["tests"]["sr"]
    values["rows"]["sr-edsr-round2"]["tests"] = "other"
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    evaluate.main("sr")
    text = (project / "metrics/tables/sr.md").read_text()
    assert "## sr: captures (4 images of 2 scenes)" in text and "## other: captures (4 images of 2 scenes)" in text
    assert set(read_csv(project / "metrics/tables/sr.csv")) == {"sr", "other"}
    assert text.count("Not computed:") == 1 and "##" not in text.partition("Not computed:")[2]


def test_figures_of_a_paper_stand_beside_ours(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tasks"]["sr"]["published"] = "Them (1999), Table 1"
    values["rows"]["sr-edsr-round2"]["published"] = {"psnr": 28.907, "ssim": 0.8}
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    evaluate.main("sr")
    text = (project / "metrics/tables/sr.md").read_text()
    header, *rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert header.endswith("| PSNR, paper | SSIM, paper |")
    assert [line.split("|")[-3:-1] for line in rows if "round2 " in line][0] == ["      28.907 ", "         0.8 "]
    assert "the figures of Them (1999), Table 1, measured on other data" in " ".join(text.split())
    assert json.loads((project / "metrics/sr.json").read_text())["sr-edsr-round2"]["captures"]["psnr"] == 22.5
    values["rows"]["sr-edsr-round2"]["published"] = {"pnsr": 28}
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(ValueError, match=r"rows\.sr-edsr-round2\.published\.pnsr: no such metric, there are psnr,"):
        evaluate.main("sr")


def test_the_report_joins_the_tables_and_says_where_they_are(project, capsys):
    evaluate.main("sr")
    capsys.readouterr()
    report.main()
    assert (project / "metrics/report/tables.md").read_text() == (project / "metrics/tables/sr.md").read_text()
    printed = capsys.readouterr().out
    assert "metrics/report/tables.md" in printed and "metrics/report/index.html" in printed and "\x1b" not in printed


def test_the_report_says_what_was_chosen(project):
    evaluate.main("sr")
    candidate = {"network": "sr-edsr", "niqe": 7.0, "verdict": "chosen: nothing else is"}
    write_json(project / "metrics/select/sr.json", {"sr-edsr": {
        "chosen": "sr-edsr", "reason": "niqe 7 is the lowest", "candidates": [candidate], "images": 4, "scenes": 2}})
    report.main()
    text = (project / "metrics/report/tables.md").read_text()
    assert text.startswith((project / "metrics/tables/sr.md").read_text())
    assert "- sr-edsr is chosen: nothing else is" in text


def test_a_task_without_entries_gives_an_empty_table(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tasks"]["deblur"] = {"title": "Deblurring"}
    (project / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    for task in ("sr", "deblur"):
        evaluate.main(task)
    assert json.loads((project / "metrics/deblur.json").read_text()) == {}
    write_json(project / "metrics/select/deblur.json", {})
    report.main()
    assert "# Deblurring" in (project / "metrics/report/tables.md").read_text()
    assert "nothing" in task_markdown("Deblurring", {}, None, {})
