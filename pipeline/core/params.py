"""`params.yaml` as typed, frozen objects: read once by each stage, checked as a whole.

An unknown key or an impossible value is a `ParamsError` that names the key, the value and what is allowed. Names that
point at other entries (a system's set of captures, say) are checked too, so a typo fails in a second and not in an hour.
"""
from collections import Counter
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError, model_validator

from pipeline.core.baselines import CycleGan, Rbsr, Srgan, Zssr
from pipeline.core.settings import (
    Adabn,
    Bench,
    Count,
    Finetune,
    Import,
    Labels,
    Name,
    Network,
    Row,
    Select,
    Stage1,
    Stage2,
    Strict,
    Supervised,
    System,
    Task,
    Tests,
    explain,
    override,
)
from pipeline.core.sources import Builtin, Calibration, Ingest, Pairs, Recipe, Set

PARAMS_FILE = Path("params.yaml")
DERIVED = ("gan", "stage2", "oracle")
"""What is trained from the start of each entry of `systems`, by the groups of dvc.yaml."""


def derived(system: str) -> dict[str, str]:
    """Kind -> the network of that kind that a system has."""
    return {kind: f"{system}-{kind}" for kind in DERIVED}


class ParamsError(ValueError):
    """params.yaml holds something that cannot be meant."""


class Params(Strict):
    seed: Annotated[int, Field(ge=0)]
    threads: Count
    """CPU threads of a training; part of the result, as sums in another order round differently."""
    ingest: Ingest
    builtin: Builtin
    stage1: Stage1
    stage2: Stage2
    supervised: Supervised
    bench: Bench
    select: Select
    recipes: dict[Name, Recipe]
    sets: dict[Name, Set]
    calibrations: dict[Name, Calibration]
    pairs: dict[Name, Pairs]
    networks: dict[Name, Network]
    imports: dict[Name, Import] = {}
    systems: dict[Name, System]
    adabn: dict[Name, Adabn] = {}
    labels: dict[Name, Labels] = {}
    finetunes: dict[Name, Finetune] = {}
    cyclegans: dict[Name, CycleGan] = {}
    rbsr: dict[Name, Rbsr] = {}
    srgan: dict[Name, Srgan] = {}
    zssr: dict[Name, Zssr] = {}
    tasks: dict[Name, Task]
    tests: dict[Name, Tests]
    rows: dict[Name, Row]

    def stage1_of(self, network: str) -> Stage1:
        return override(self.stage1, self.networks[network].stage1, f"networks.{network}.stage1")

    def stage2_of(self, system: str) -> Stage2:
        entry = self.systems[system]
        settings = override(self.stage2, entry.stage2, f"systems.{system}.stage2")
        return _scale_lambda(settings, entry.lambda_scale)

    def supervised_of(self, system: str) -> Supervised:
        return override(self.supervised, self.systems[system].supervised, f"systems.{system}.supervised")

    def finetune_of(self, name: str) -> Stage2 | Supervised:
        entry = self.finetunes[name]
        settings = override(getattr(self, entry.settings), entry.overrides, f"finetunes.{name}.overrides")
        return _scale_lambda(settings, entry.lambda_scale) if entry.settings == "stage2" else settings

    @model_validator(mode="after")
    def _names_exist(self):
        self._check_references()
        for name in self.networks:
            self.stage1_of(name)
        for name in self.systems:
            self.stage2_of(name), self.supervised_of(name)
        for name in self.finetunes:
            self.finetune_of(name)
        return self

    def _check_references(self):
        sets, trained = set(self.sets) | {"none"}, self.network_names() | {"none"}
        stage1 = set(self.networks) | set(self.imports)
        synthetic = stage1 | {derived(system)["gan"] for system in self.systems} | {"none"}
        inputs = {f"sets/{s}" for s in self.sets} | {f"labels/{s}" for s in [*self.labels, *self.systems]}
        inputs |= {f"pairs/{p}/{side}" for p in self.pairs for side in ("inputs", "targets")}
        wanted = {  # section -> field -> where the name must be
            "calibrations": {"captures": set(self.sets), "clean": set(self.sets)},
            "pairs": {"clean": set(self.sets), "recipe": set(self.recipes), "calibration": set(self.calibrations) | {"none"}},
            "networks": {"inputs": inputs, "targets": inputs},
            "systems": {"task": set(self.tasks), "start": stage1, "pairs": set(self.pairs),
                        "second_teacher": synthetic, "third_teacher": synthetic,
                        "captures": set(self.sets), "truth": sets, "clean": set(self.sets)},
            "adabn": {"start": trained - {"none"}, "captures": set(self.sets)},
            "labels": {"network": trained - {"none"}, "inputs": inputs},
            "finetunes": {"start": trained - {"none"}, "inputs": inputs, "targets": inputs, "clean": sets},
            "cyclegans": {"captures": set(self.sets), "clean": set(self.sets)},
            "rbsr": {"inputs": inputs, "synthetic": inputs, "targets": inputs, "encoder": set(self.networks)},
            "srgan": {"start": trained - {"none"}, "inputs": inputs, "targets": inputs, "clean": sets},
            "zssr": {"tests": set(self.tests)},
            "tests": {"synthetic": set(self.pairs) | {"none"}, "captures": sets, "truth": sets, "far": sets,
                      "far_truth": sets, "reference": sets},
            "rows": {"task": set(self.tasks), "tests": set(self.tests), "first": trained | set(self.zssr), "second": trained,
                     "third": trained},
        }
        for section, fields in wanted.items():
            for key, entry in getattr(self, section).items():
                for field, names in fields.items():
                    if (value := getattr(entry, field)) not in names:
                        there = ", ".join(sorted(names))
                        raise ValueError(f"{section}.{key}.{field}: {value!r} names nothing; there are {there}")
        counts = Counter(name for names in self._networks_by_section().values() for name in names)
        for section, names in self._networks_by_section().items():
            if taken := [name for name in names if counts[name] > 1]:
                raise ValueError(f"{section}.{min(taken)}: the pipeline trains a network of this name; choose another")
        if taken := self.labels.keys() & self.systems.keys():
            raise ValueError(f"labels.{min(taken)}: the surrogates of systems.{min(taken)} have this name; choose another")
        for key, entry in self.pairs.items():
            kind = self.recipes[entry.recipe].kind
            if (kind == "calibrated") != (entry.calibration != "none"):
                raise ValueError(f"pairs.{key}.calibration: {entry.calibration!r}, but the recipe {entry.recipe!r} is {kind}: "
                                 "calibrated recipes name an entry of calibrations, others none")
            if kind in ("moire", "blur") and entry.scale != 1:
                raise ValueError(f"pairs.{key}.scale: {entry.scale}, but the recipe {entry.recipe!r} is {kind}: allowed is 1")
        for key, entry in self.networks.items():
            self._check_cuts(f"networks.{key}", entry.inputs, entry.targets)
        for key, entry in self.rbsr.items():
            for side in (entry.inputs, entry.synthetic):
                self._check_cuts(f"rbsr.{key}", side, entry.targets)
        for key, entry in self.systems.items():
            if len(set(entry.teachers)) < len(entry.teachers):
                raise ValueError(f"systems.{key}: its teachers are {', '.join(entry.teachers)}: each may be named once")
        for key in self.systems:
            if self.systems[key].task not in self.tests:
                raise ValueError(f"systems.{key}.task: {self.systems[key].task!r} has no entry in tests")
        for key, row in self.rows.items():
            tests = self.zssr[row.first].tests if row.first in self.zssr else row.tests
            if row.tests != tests or (row.first in self.zssr and {row.second, row.third} != {"none"}):
                raise ValueError(f"rows.{key}: {row.first} is an entry of zssr, which enlarges the images of tests.{tests} "
                                 f"alone: wanted tests: {tests}, second: none and third: none")

    def _check_cuts(self, where: str, inputs: str, targets: str):
        """Inputs of one entry of pairs and targets of another: crops are drawn for each entry anew, so they are to be whole."""
        keys = [path.split("/")[1] for path in (inputs, targets) if path.startswith("pairs/")]
        entries = [self.pairs[key] for key in dict.fromkeys(keys)]
        if len(entries) == 2 and (entries[0].clean != entries[1].clean or any(
                entry.patches or self.recipes[entry.recipe].kind == "moire" for entry in entries)):
            raise ValueError(f"{where}: {inputs} and {targets} do not show the same: both entries of pairs need one clean set, "
                             "patches: 0 and a recipe that leaves images in place, other than moire")

    def network_names(self) -> set[str]:
        """Every network the pipeline has; entries of zssr have none."""
        return {name for section, names in self._networks_by_section().items() if section != "zssr" for name in names}

    def _networks_by_section(self) -> dict[str, list[str]]:
        """Section -> what its entries make below models/."""
        derived_names = [name for key in self.systems for name in derived(key).values()]
        return {"imports": [*self.imports], "networks": [*self.networks], "systems": derived_names, "adabn": [*self.adabn],
                "finetunes": [*self.finetunes], "cyclegans": [*self.cyclegans], "rbsr": [*self.rbsr], "srgan": [*self.srgan],
                "zssr": [*self.zssr]}


def _scale_lambda(settings: Stage2, factor: float) -> Stage2:
    return settings.model_copy(update={"lambda_": settings.lambda_ * factor})


def parse(values: dict, source: str = "params") -> Params:
    """Check a plain dict and return it as Params."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{source}: {explain(error)}") from None


def load(path: Path | str = PARAMS_FILE) -> Params:
    """Read and check a params file."""
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ParamsError(f"{path}: wanted a mapping of sections, got {type(values).__name__}")
    return parse(values, str(path))
