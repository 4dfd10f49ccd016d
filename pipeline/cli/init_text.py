"""The params.yaml that `python -m pipeline init` writes.

All entries are called `photos` or photos-SOMETHING, and no key of a shared section is written that the demo's params.yaml does
not write too: so the demo, merged as a preset `without: [photos]`, comes back as it was.
"""
from pathlib import Path

import yaml

from pipeline.cli.init_plan import ESTIMATED, PATCHES, Photos, Plan, smaller

WIDTH = 128
MOIRE = Path("presets/demoire.yaml")
EMPTY = ("imports", "calibrations", "fits", "adabn", "unsharpens", "labels", "finetunes", "cyclegans", "rbsr", "srgan", "zssr",
         "chains", "ensembles", "far")
HEAD = """\
# {title}, written by `python -m pipeline init`. `python -m pipeline preset demo` brings the demo back.
# docs/params.md says what each key means, and has the defaults of keys that are not written here.
# The trainings take about {time} on a CPU. For a GPU: in stage1 steps 100000, batch 16, lr 0.0002; in stage2 and supervised
# steps 10000; in all three precision bf16; in networks blocks 16, features 64.
seed: 1
threads: 1  # CPU threads of a stage; results with another number differ in the last digits
ingest: {{max_rejected: 0}}  # how many damaged files of a folder may be left out; with more, it is refused

# Patches are in pixels of the network's input. lambda rewards outputs of stage 2 that look clean: 0.0005 little, 0.008 much.
stage1: {stage1}
stage2: {stage2}
supervised: {supervised}
bench: {bench}
builtin: {{}}
"""


def params_text(plan: Plan) -> str:
    """The text, at most 60 lines."""
    stage1, stage2 = ({key: plan.patch(value) if key == "patch" else value for key, value in settings.items()}
                      for settings in (plan.task.stage1, plan.task.stage2))
    supervised = {"steps": 400, "batch": stage1["batch"], "patch": stage1["patch"], "lr": stage1["lr"] / 2,
                  "validate_every": 50}
    shown = plan.cut if plan.captures_patches else plan.captures.least  # of the captures that the choice is made on
    large = min(shown * plan.task.scale, plan.clean.least) >= 192
    bench = {"niqe_patch": 96 if large else 48}
    bench |= {"sharpen": [0.5], "noise": [0], "mix_input": [0.5]} if plan.start else {}  # scoring would take the most time
    shared = {"stage1": stage1, "stage2": stage2, "supervised": supervised, "bench": bench}
    head = HEAD.format(title=plan.task.title, time=plan.time,
                       **{section: f"{{{_flow(values)}}}" for section, values in shared.items()})
    lines = [*_sources(plan), *_networks(plan), *_tests(plan)]
    there = {line.partition(":")[0] for line in lines}
    return head + "\n".join([*lines, "# Sections that are empty here.",
                             *(f"{section}: {{}}" for section in EMPTY if section not in there)]) + "\n"


def _sources(plan: Plan) -> list[str]:
    task, split = plan.task, plan.captures_split
    recipe = task.ranges or yaml.safe_load(MOIRE.read_text(encoding="utf-8"))["recipes"]["moire-native"]
    # patches of large clean images hold a synthetic pair with some choice of its place
    clean_patch = plan.size * 2 if plan.clean.least >= plan.size * 2 else plan.size
    lines = ["# How clean images are made to look like the captures. This is the assumption that matters most.",
             *_section("recipes", {f"photos-{task.recipe}": recipe}),
             "# val, test, holdout: shares of the scenes. photo-view1.jpg and photo-view2.jpg are one scene."]
    sets = {"photos-clean": _set(plan.clean, plan.clean.folder, plan.clean_split, plan.clean_patches, clean_patch),
            "photos-captures": _set(plan.captures, plan.captures.folder, split, plan.captures_patches, plan.cut)}
    if plan.truth_folder:
        sets["photos-truth"] = _set(plan.captures, plan.truth_folder, split, plan.captures_patches, plan.cut * task.scale)
    estimated = _estimated(plan)
    pairs = {"clean": "photos-clean", "recipe": f"photos-{task.recipe}",
             "calibration": "photos" if estimated else "none", "scale": task.scale,
             "patches": 400 if plan.start else PATCHES if task.recipe == "moire" else 3000, "size": plan.size}
    return [*lines, *_section("sets", sets), *estimated, *_section("pairs", {"photos": pairs})]


def _estimated(plan: Plan) -> list[str]:
    """The estimate of the camera and what is made of it alone; nothing where the recipe has ranges of its own."""
    if plan.task.recipe != "updown":
        return []
    calibration = {"captures": "photos-captures", "clean": "photos-clean", "scale": 1,
                   "block": smaller(128, min(plan.captures.least, plan.clean.least), 2)}
    return ["# The camera is estimated: how soft it is, and how much it sharpens. photos-unsharpen takes the sharpening back.",
            *_section("calibrations", {"photos": calibration}),
            *_section("unsharpens", {"photos-unsharpen": {"calibration": "photos"}}),
            *_section("chains", {ESTIMATED: {"first": "photos-unsharpen", "then": plan.network}})]


def _networks(plan: Plan) -> list[str]:
    task, name, screens = plan.task, plan.network, plan.task.recipe == "moire"
    network = {"arch": task.arch, "inputs": "pairs/photos/inputs", "targets": "pairs/photos/targets", "options": task.options}
    teacher = ESTIMATED if task.recipe == "updown" else name
    system = {"task": "photos", "start": name, "teacher": teacher, "pairs": "photos", "captures": "photos-captures",
              "clean": "photos-clean"}
    oracle = {"start": name, "captures": "photos-captures", "truth": plan.truth}
    if screens:
        system |= {"lambda_scale": 0.15, "stage2": {"discriminator": "highpass", "d_lr": 0.001, "d_warmup": 60}}
        oracle |= {"supervised": {"loss": "mse"}}
    there = _section("networks", {} if plan.start else {name: network})
    if plan.start:
        entry = {"file": plan.start.file, "layout": "restage", "arch": plan.start.arch, "options": plan.start.options}
        entry |= {"saw_truth": True} if plan.start.saw_truth else {}
        there += ["# Stage 1, trained already.", *_section("imports", {name: entry})]
    return [*there,
            f"# {name}-stage2 learns from the captures and what the teacher makes of them. Clean images keep it sharp.",
            *_section("systems", {name: system}),
            *_section("oracles", {f"{name}-oracle": oracle} if plan.truth != "none" else {})]


def _tests(plan: Plan) -> list[str]:
    tests = {"synthetic": "photos", "captures": "photos-captures", "truth": plan.truth, "reference": "photos-clean"}
    rows = {"photos-input": "none"} | ({ESTIMATED: ESTIMATED} if plan.task.recipe == "updown" else {})
    rows |= {f"{plan.network}-oracle": f"{plan.network}-oracle"} if plan.truth != "none" else {}
    if plan.task.recipe == "moire":
        tests |= {"blur": [0.7, 1], "match_tone": True}
        tests |= {"metrics": ["psnr_aligned", "moire_energy", "flat_noise"]} if plan.truth != "none" else {}
    lines = {row: {"task": "photos", "tests": "photos", "network": network} for row, network in rows.items()}
    return [*_section("tasks", {"photos": {"title": plan.task.title}}), *_section("tests", {"photos": tests}),
            *_section("rows", lines)]


def _set(photos: Photos, folder: Path, split: dict[str, int], patches: int, size: int) -> dict:
    shares = {part: float(f"{count / photos.scenes:.2g}") for part, count in split.items()}
    return {"folder": str(folder)} | shares | ({"patches": patches, "size": size} if patches else {})


def _flow(values: dict) -> str:
    """The mapping on one line, without its braces."""
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6).strip()[1:-1]


def _section(section: str, entries: dict[str, dict]) -> list[str]:
    """`section: {...}` on one line where it fits; otherwise a line `  name: {...}` for each entry, or as many as it takes."""
    if len(entries) < 2 and len(line := f"{section}: {{{_flow(entries)}}}") <= WIDTH:
        return [line]
    return [f"{section}:", *(line for name, values in entries.items() for line in _wrapped(f"  {name}: {{", values, "}"))]


def _wrapped(start: str, values: dict, end: str) -> list[str]:
    """A mapping from `start` to `end`, broken between its items; a path is never broken off, however long the line."""
    lines = [start]
    for number, (key, value) in enumerate(values.items(), 1):
        last = end if number == len(values) else ", "
        if isinstance(value, dict) and len(lines[-1] + _flow({key: value})) >= WIDTH and len(_flow(value)) > WIDTH // 2:
            lines += _wrapped(f"    {key}: {{", value, f"}}{last}")
            continue
        text = _flow({key: value}) + last
        if len(lines[-1] + text.rstrip()) > WIDTH and "folder" not in values:
            lines.append("    ")
        lines[-1] += text
    return [line.rstrip() for line in lines]
